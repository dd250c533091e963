"""Feeds the PROXY header's reader what a coverage-guided fuzzer finds; asserts what the tests do.

To run: `pip install atheris attrs typing-extensions`, then, from the project's root,
`python -m fuzz.proxy_header -max_total_time=600 [folder to keep the corpus in]`.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

# By its name, since checkers that do not find it disagree on what may then be done with it.
atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports(include=["acceptor"]):
    from acceptor import IPv6Peer, UnixPeer
    from acceptor.transports.crc32c import crc32c
    from tests.transports.proxy_headers import encoded_tlv, local, raw_v2, tls_tlv, v1, v2
    from tests.transports.proxy_judge import judge

_VERSIONS: Final = (frozenset({1, 2}), frozenset({1}), frozenset({2}), frozenset({1, 2}))
_CHECKSUM: Final = encoded_tlv(0x03, bytes(4))
_SIX: Final = IPv6Peer("2001:db8::1", 56324)
_TLS: Final = [(0x21, b"TLSv1.3"), (0x22, "Zoë".encode()), (0x23, b"AES"), (0x24, b"RSA")]


def seeds() -> list[bytes]:
    """Return valid headers of every kind, each behind the byte that says how to feed it."""
    headers = [
        v1(),
        v1(_SIX, IPv6Peer("::ffff:192.0.2.1", 0)),
        v1(None),
        b"PROXY UNKNOWN ffff::1 ::1 65535 65535\r\n",
        v2(),
        v2(_SIX, _SIX, checksum=True),
        v2(UnixPeer("/run/it"), UnixPeer("@it"), transport=2),
        v2(None, tlvs=[(0x04, b"padding")]),
        v2(tlvs=[(0x01, b"h2"), (0x02, b"example.com"), (0x05, b"id"), (0x30, b"ns")]),
        v2(tlvs=[tls_tlv(7, 0, [*_TLS, (0x25, b"RSA2048")]), (0xEA, b"x")]),
        v2(tlvs=[(0x05, bytes(128))]),
        local(),
        raw_v2(bytes(12), kind=0x20),
    ]
    plain = [bytes([how << 2]) + header + b"rest" for how, header in enumerate(headers)]
    unchecked = v2(tlvs=[(0x02, b"example.com"), (0x03, bytes(4)), tls_tlv(3, 1, _TLS)])
    return [*plain, bytes([0x80]) + unchecked]


def with_checksum(data: bytes) -> bytes:
    """Put the right checksum where there is none yet: a fuzzer would not guess it."""
    at = data.find(_CHECKSUM)
    if at < 0 or len(data) < 16:
        return data
    end = 16 + int.from_bytes(data[14:16], "big")
    found = crc32c(data[:end])
    return data[: at + 3] + found.to_bytes(4, "big") + data[at + 7 :]


def try_one(data: bytes) -> None:
    """Judge one input; its first byte says in which pieces it comes, and what is taken."""
    how, data = data[0] if data else 0, data[1:]
    if how & 0x80:
        data = with_checksum(data)
    sizes = [1 + (how >> 2 & 0x1F)] * 8
    judge(data, sizes, _VERSIONS[how & 3])


def main() -> None:
    """Fuzz, from the seeds and from what the folders given have kept."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            Path(folder, f"seed-{number}").write_bytes(seed)
        # The fuzzer keeps new inputs in the first folder that it is given.
        atheris.Setup([sys.argv[0], "-max_len=4200", *sys.argv[1:], folder], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
