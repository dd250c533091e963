"""Handlers for datagrams: `rfile` and `wfile` over one datagram and its answer."""

import io

from typing_extensions import TypeVar

from acceptor.core.datagram import Datagram
from acceptor.core.peers import Peer
from acceptor.handlers.base import BaseHandler

PeerT = TypeVar("PeerT", default=Peer)


class DatagramHandler(BaseHandler[Datagram, PeerT]):
    """Serves one datagram: `self.request`, or the same through two files.

    `rfile` holds the payload. What has been written to `wfile` is sent as one datagram in
    `finish`; nothing is sent if nothing was written (`self.request.reply(b"")` sends an empty one).
    """

    rfile: io.BytesIO
    wfile: io.BytesIO

    def setup(self) -> None:
        """Open the files."""
        self.rfile = io.BytesIO(self.request.payload)
        self.wfile = io.BytesIO()

    def finish(self) -> None:
        """Send what was written, if anything was."""
        answer = self.wfile.getvalue()
        if answer:
            self.request.reply(answer)
