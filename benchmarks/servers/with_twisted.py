"""Twisted's `LineReceiver` and `DatagramProtocol`, on the reactor that it chooses."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.basic import LineReceiver

from benchmarks.servers.common import BACKLOG, SLOW, SLOW_SECONDS, announce, run, unix_path

the_reactor: Any = reactor


class Echo(LineReceiver):  # type: ignore[misc, unused-ignore]
    delimiter = b"\n"
    MAX_LENGTH = 65536

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        self.sendLine(line)


class SlowEcho(Echo):
    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if line.startswith(SLOW):
            the_reactor.callLater(SLOW_SECONDS, self.sendLine, line)
        else:
            self.sendLine(line)


class Datagrams(DatagramProtocol):  # type: ignore[misc, unused-ignore]
    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802
        self.transport.write(datagram, addr)


def serve_lines(protocol: Any) -> None:
    port = the_reactor.listenTCP(
        0, Factory.forProtocol(protocol), backlog=BACKLOG, interface="127.0.0.1"
    )
    announce(("", port.getHost().port))
    the_reactor.run()


def serve_udp() -> None:
    port = the_reactor.listenUDP(0, Datagrams(), interface="127.0.0.1", maxPacketSize=65535)
    announce(("", port.getHost().port))
    the_reactor.run()


def serve_unix() -> None:
    the_reactor.listenUNIXDatagram(unix_path(), Datagrams(), maxPacketSize=65535)
    announce(unix_path())
    the_reactor.run()


if __name__ == "__main__":
    run(
        {
            ("twisted", "lines"): lambda: serve_lines(Echo),
            ("twisted", "slow"): lambda: serve_lines(SlowEcho),
            ("twisted", "udp"): serve_udp,
            ("twisted", "unix"): serve_unix,
        }
    )
