"""`python -m acceptor`."""

import sys

from acceptor.cli import main

if __name__ == "__main__":
    sys.exit(main())
