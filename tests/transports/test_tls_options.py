"""What `.tls` refuses where it is given, and what each message says."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import ConfigurationError, ServerBuilder, allow_certificates, allow_users
from tests.tls_files import pki


def _tls(*source: Any, **options: Any) -> Any:
    given = source or (pki().server.cert, pki().server.key)
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0))
    return stage.tls(*given, **options)


def _proxied(**options: Any) -> Any:
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0))
    return stage.proxy_protocol(**options)


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class _OwnSocket(ssl.SSLSocket):
    pass


def _with_own_socket() -> ssl.SSLContext:
    context = _context()
    context.sslsocket_class = _OwnSocket
    return context


def _with_callback() -> ssl.SSLContext:
    context = _context()
    context.sni_callback = lambda *arguments: None
    return context


_PAIR: Any = ("cert.pem", "key.pem")

_REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "missing file": (lambda: _tls("/nowhere.pem"), "nowhere.pem.*No such file"),
    "no certificate in it": (lambda: _tls(pki().server.key), "no certificate or no key"),
    "no key in it": (lambda: _tls(pki().server.cert), "no certificate or no key"),
    "another's key": (lambda: _tls(pki().server.cert, pki().client.key), "MISMATCH"),
    "a number": (lambda: _tls(3), "must be the path of a file, got 3"),
    "a key beside a context": (lambda: _tls(_context(), keyfile="k"), "set keyfile there"),
    "a key that is a number": (lambda: _tls(pki().server.cert, 3), "keyfile must be the path"),
    "NUL in a path": (lambda: _tls("a\0b"), "null"),
    "no password": (lambda: _tls(pki().locked.cert, pki().locked.key), "password"),
    "wrong password": (
        lambda: _tls(pki().locked.cert, pki().locked.key, password="wrong"),
        "password is another",
    ),
    "password that is none": (lambda: _tls(password=3), "password must be text or bytes, got a"),
    "client's context": (lambda: _tls(ssl.create_default_context()), "a client's context"),
    "own socket class": (lambda: _tls(_with_own_socket()), "_OwnSocket"),
    "context with options": (lambda: _tls(_context(), alpn=["h2"]), "set alpn there"),
    "context with key": (lambda: _tls(_context(), "key.pem"), "set keyfile there"),
    "two who choose": (
        lambda: _tls(_with_callback(), sni={"a": (pki().other.cert, pki().other.key)}),
        "chooses by name already",
    ),
    "sni that is none": (lambda: _tls(sni=["a"]), "sni maps names"),
    "sni of numbers": (lambda: _tls(sni={3: _PAIR}), "sni maps names"),
    "sni of everybody": (lambda: _tls(sni={"*": _PAIR}), "a name is a host"),
    "sni of nobody": (lambda: _tls(sni={"": _PAIR}), "a name is a host"),
    "sni with a star inside": (lambda: _tls(sni={"a.*.b": _PAIR}), "a name is a host"),
    "sni to a text": (lambda: _tls(sni={"a": "cert.pem"}), "for 'a'"),
    "sni to a number": (lambda: _tls(sni={"a": ("cert.pem", 3)}), "must be the path"),
    "sni to no file": (lambda: _tls(sni={"a": _PAIR}), r"cert\.pem"),
    "sni to a client's": (lambda: _tls(sni={"a": ssl.create_default_context()}), "a client's"),
    "alpn that is none": (lambda: _tls(alpn=3), "alpn must be names.*got 3"),
    "alpn of numbers": (lambda: _tls(alpn=[3]), "alpn must be names.*got 3"),
    "empty alpn": (lambda: _tls(alpn=[""]), "alpn must be names"),
    "long alpn": (lambda: _tls(alpn=["x" * 256]), "alpn must be names"),
    "alpn beyond ASCII": (lambda: _tls(alpn=["\xe9"]), "alpn must be names"),
    "certificates of whom": (lambda: _tls(client_certificate="required"), "needs client_ca"),
    "neither nor": (
        lambda: _tls(client_ca=pki().ca, client_certificate="maybe"),
        '"required" or "optional"',
    ),
    "CA that is none": (lambda: _tls(client_ca=pki().server.key), "client CA"),
    "CA with NUL": (lambda: _tls(client_ca="a\0b"), "client CA"),
    "unknown option": (lambda: _tls(certificate="x"), "there is no certificate, but password"),
    "policy without certificates": (
        lambda: _tls().access(allow_certificates()),
        "asks for none",
    ),
    "a part of a policy": (
        lambda: _tls().access(~allow_certificates(common_names=["x"])),
        "asks for none",
    ),
    "no versions": (lambda: _proxied(trusted="::/0", versions=[]), "versions must be"),
    "version 3": (lambda: _proxied(trusted="::/0", versions=[3]), "versions must be"),
    "no set of versions": (lambda: _proxied(trusted="::/0", versions=1), "versions must be"),
    "nobody trusted": (lambda: _proxied(trusted=[]), "no hop is trusted"),
    "no network": (lambda: _proxied(trusted=["nowhere"]), "not a network"),
    "users of TCP": (lambda: _proxied(trusted=allow_users(0)), "judges UnixPeer"),
}


@pytest.mark.parametrize(("call", "message"), _REFUSED.values(), ids=_REFUSED)
def test_what_cannot_work_is_refused_where_it_is_given(
    call: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call()


@pytest.mark.parametrize("password", ["secret", b"secret"])
def test_the_right_password_opens_the_key_and_is_not_told(password: str | bytes) -> None:
    stage = _tls(pki().locked.cert, pki().locked.key, password=password)

    assert "secret" not in repr(stage)


def test_certificate_and_key_may_be_in_one_file(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pki().server.key.read_bytes() + pki().server.cert.read_bytes())

    assert _tls(str(both))


def test_key_may_be_given_by_its_name() -> None:
    server = pki().server

    assert repr(_tls(server.cert, keyfile=server.key)) == repr(_tls(server.cert, server.key))


def test_policy_of_certificates_says_whom_it_allows() -> None:
    policy = allow_certificates(common_names=["device-8", "device-7"], uris="urn:it")

    assert repr(policy) == (
        "allow_certificates(common_names=['device-7', 'device-8'], uris=['urn:it'])"
    )


def test_context_of_two_servers_has_the_names_of_one() -> None:
    context = _context()
    names = {"a": (pki().other.cert, pki().other.key)}
    _tls(context, sni=names)

    _tls(context)
    with pytest.raises(ConfigurationError, match="chooses by name already"):
        _tls(context, sni=names)


def test_context_without_names_has_no_callback_of_ours() -> None:
    context = _context()

    _tls(context)

    assert context.sni_callback is None


def test_hops_may_be_in_any_collection() -> None:
    _proxied(trusted={"127.0.0.1": "here"}.keys())
