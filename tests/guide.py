"""The migration guide's examples, and how they are run."""

import contextlib
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs

from acceptor import Server
from tests.fakes import Call

FOLDER = Path(__file__).parents[1] / "docs"
GUIDE = (FOLDER / "migrating.md").read_text(encoding="utf-8")

CLASSIC = "import acceptor.classic as socketserver"

# Ports are the system's choice here, and nobody waits for a minute.
QUICKLY = {"9999": "0", "60.0": "0.05", "5.0": "0.01"}


@attrs.frozen
class Block:
    """One example of the guide, and what is asked about it."""

    heading: str
    form: str
    source: str

    def run(self, **changes: str) -> dict[str, Any]:
        """Run it in this process; return what it defines."""
        source = self.source
        for shown, used in {**QUICKLY, **changes}.items():
            source = source.replace(shown, used)
        names: dict[str, Any] = {"__name__": "shown"}
        exec(compile(source, self.heading, "exec"), names)
        return names

    def __str__(self) -> str:
        return f"{self.heading}, {self.form}"


def all_blocks() -> list[Block]:
    found = []
    heading = ""
    for title, source in re.findall(
        r"^#+ ([^\n]+)$|^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    ):
        heading = title or heading
        if CLASSIC in source:
            standard = source.replace(CLASSIC, "import socketserver")
            found += [Block(heading, "standard", standard), Block(heading, "classic", source)]
        elif source:
            found.append(Block(heading, "composed", source))
    return found


BLOCKS = all_blocks()


def address_of(server: Any) -> Any:
    return server.address if isinstance(server, Server) else server.server_address


def close(server: Any) -> None:
    (server.drain if isinstance(server, Server) else server.server_close)()


@contextlib.contextmanager
def serving(names: dict[str, Any]) -> Generator[Any, None, None]:
    """Serve as the example does it for the length of the block; return the address."""
    server = names["server"]
    if isinstance(server, Server):
        server.listen()
    loop = Call(names.get("main", server.serve_forever))
    try:
        yield address_of(server)
    finally:
        Call(server.shutdown).result()
        loop.result()
        Call(lambda: close(server)).result()
