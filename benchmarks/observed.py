"""Ours with an observer that does nothing: what it costs to be told of every request."""

from acceptor import Event
from benchmarks.ours import main


def ignore(event: Event) -> None:
    """Do nothing."""


if __name__ == "__main__":
    main(ignore)
