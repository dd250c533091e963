"""The same programs on uvloop."""

import uvloop

from benchmarks.servers.with_asyncio import main

if __name__ == "__main__":
    main(uvloop.new_event_loop)
