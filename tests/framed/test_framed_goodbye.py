"""The goodbye of TLS, by which a client tells an end from a break."""

import contextlib
import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest

from acceptor import Message, ServerBuilder, lines
from tests.framed.held_kit import ONE_PROCESS, STRATEGIES, handler_of, on_linux
from tests.framed_clients import TlsClient
from tests.support import connect, serving, wait_until
from tests.tls_files import pki


@attrs.define(eq=False)
class Filler:
    """Replies as often as there is room: the first time it finds out how often that is."""

    closes: bool
    most: int = 0
    connections: list[Any] = attrs.field(factory=list)

    def __call__(self, message: Message[Any]) -> None:
        connection: Any = message._connection  # type: ignore[attr-defined]
        self.connections.append(connection)
        count = 0
        while connection.out is None and (count < self.most or not self.most):
            message.reply(b"")
            count += 1
        self.most = self.most or count - 1
        if self.closes:
            message.close()


def has_no_more_to_do(connection: Any) -> bool:
    """Say whether our side has ended, or waits for its client to read."""
    return connection.lingers or connection.is_over or connection.out is not None


def read_to_goodbye(client: TlsClient) -> bytes:
    """Read up to the other side's goodbye; a break is an error."""
    with contextlib.suppress(ssl.SSLZeroReturnError):  # after our own
        return b"".join(iter(lambda: client._complete(lambda: client._tls.read(2**16)), b""))
    return b""


@on_linux
@pytest.mark.parametrize("strategy", ONE_PROCESS)
@pytest.mark.parametrize("closes", [True, False])
def test_goodbye_waits_for_room(strategy: str, closes: bool, tmp_path: Path) -> None:
    fill = Filler(closes)
    stage: Any = ServerBuilder().unix_stream(str(tmp_path / "s"))
    stage = stage.tls(pki().server.cert, pki().server.key).framed(lines())
    with serving(STRATEGIES[strategy](stage).handler(handler_of(fill))) as server:
        for _ in range(2):
            fill.connections.clear()
            with connect(server.address) as sock:
                client = TlsClient(sock)
                client.sendall(b"fill\n")
                if not closes:
                    client.end()
                wait_until(lambda: fill.connections and has_no_more_to_do(fill.connections[0]))

                assert not read_to_goodbye(client).strip(b"\n")
