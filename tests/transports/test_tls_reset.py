"""A client that resets its connection before the handshake has begun."""

import socket
import struct
from pathlib import Path

from acceptor import HandshakeFailed, ServerBuilder
from acceptor.core.events import HandshakeFailure
from tests.support import Recorder, connect, open_descriptors

PEM = Path(__file__).parent.parent / "server.pem"


def nothing(*_: object) -> None:
    """Is never called."""


def test_handshake_closes_the_connection_when_the_client_has_reset_it() -> None:
    recorder = Recorder()
    stage = ServerBuilder().tcp(("127.0.0.1", 0)).tls(str(PEM)).handler(nothing)
    with stage.observe(recorder).build() as server:
        client = connect(server.address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        before = open_descriptors()

        server.handle_request()

        (failed,) = recorder.of(HandshakeFailed)  # which keeps the error, and so its frames
        assert failed.reason is HandshakeFailure.CLIENT_LEFT
        assert open_descriptors() == before
