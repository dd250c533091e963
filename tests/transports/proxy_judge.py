"""What must hold of the header's reader whatever it is given; for the tests and for `fuzz/`."""

from collections.abc import Sequence
from typing import TypeAlias

from acceptor import HandshakeError, HandshakeFailure, ProxyHeader
from acceptor.transports.proxy_wire import read_header
from tests.transports.proxy_headers import SIGNATURE, Wire, cut

Verdict: TypeAlias = ProxyHeader | HandshakeFailure

_REASONS = {HandshakeFailure.BAD_PROXY_HEADER, HandshakeFailure.CLIENT_LEFT}


def judge(data: bytes, sizes: Sequence[int], versions: frozenset[int]) -> Verdict:
    """Read a header from data that arrives at once, in pieces, and byte by byte.

    Each way gives the same header or refusal, nothing else comes out, and of what follows a header
    not a byte is gone.
    """
    verdicts = [
        _read(Wire(*chunks), data, versions)
        for chunks in ([data], cut(data, sizes), cut(data, [1] * len(data)))
    ]

    assert verdicts[0] == verdicts[1] == verdicts[2]
    return verdicts[0]


def length_of(data: bytes) -> int:
    """How long the header is that valid data begins with; an opinion of its own."""
    if data.startswith(SIGNATURE):
        return 16 + data[14] * 256 + data[15]
    return data.index(b"\r\n") + 2


def _read(wire: Wire, data: bytes, versions: frozenset[int]) -> Verdict:
    try:
        header = read_header(wire.receive, versions)
    except HandshakeError as error:
        return _refusal(error, wire)
    assert header.version in versions
    assert wire.rest == data[length_of(data) :]
    hash((header, header.authority, header.alpn, header.unique_id, header.netns, header.tls))
    return header


def _refusal(error: HandshakeError, wire: Wire) -> HandshakeFailure:
    assert error.reason in _REASONS
    assert len(str(error)) < 1000  # it becomes a line of the log
    if error.reason is HandshakeFailure.CLIENT_LEFT:
        assert not wire.rest
    return error.reason
