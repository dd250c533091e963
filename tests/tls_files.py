"""Certificates for tests, made once with the openssl command."""

import contextlib
import functools
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from tests.support import PATIENCE, connect

URI: Final = "spiffe://example.org/device/7"
_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_CLIENT_NAMES: Final = f"DNS:seven.example.org,URI:{URI},email:seven@example.org"


@attrs.frozen
class Files:
    """A certificate and its key."""

    cert: Path
    key: Path

    def copy(self, folder: Path) -> "Files":
        """Copy both to the same names of any folder, over what was there."""
        made = Files(folder / "server.pem", folder / "server.key")
        shutil.copy(self.cert, made.cert)
        shutil.copy(self.key, made.key)
        return made


@attrs.frozen
class Pki:
    """Who signs whom: `ca` all of them, but for `foreign`."""

    ca: Path
    server: Files
    renewed: Files  # another certificate of the same server
    other: Files  # of www.example.org
    locked: Files  # the key has the password "secret"
    client: Files
    foreign: Files  # a client's, which another CA has signed
    expired: Files  # a client's, until yesterday

    def trusting(self, *own: Files, **settings: object) -> ssl.SSLContext:
        """Make a client's context that trusts the CA, with these certificates and settings."""
        context = ssl.create_default_context(cafile=self.ca)
        for files in own:
            context.load_cert_chain(files.cert, files.key)
        for name, value in settings.items():
            setattr(context, name, value)
        return context

    def connect(self, address: Any, *own: Files, **settings: object) -> ssl.SSLSocket:
        """Connect and make the handshake, for which the name is localhost; the caller closes."""
        context = self.trusting(*own, **settings)
        return handshake(connect(address), context)


# A server of ours may fork in another thread of this very process. A lock of OpenSSL's that this
# one held then would stay locked in the child for ever.
_forking: Final = threading.Lock()
os.register_at_fork(
    before=_forking.acquire,
    after_in_parent=_forking.release,
    after_in_child=_forking.release,
)


def handshake(
    client: socket.socket, context: ssl.SSLContext, name: str | None = "localhost"
) -> ssl.SSLSocket:
    """Make the client's part of a handshake; if it fails, the connection is closed."""
    timeout = client.gettimeout()
    with contextlib.ExitStack() as undo:
        undo.callback(client.close)
        with _forking:
            secured = context.wrap_socket(
                client,
                server_hostname=name,
                suppress_ragged_eofs=False,
                do_handshake_on_connect=False,
            )
        undo.callback(secured.close)
        secured.settimeout(0.0)
        while not _is_done(secured):
            assert select.select([secured], [], [], PATIENCE)[0], "no handshake"
        secured.settimeout(timeout)
        undo.pop_all()
    return secured


def _is_done(client: ssl.SSLSocket) -> bool:
    with _forking:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="acceptor-tls-")  # gone when the interpreter ends


@functools.cache
def pki() -> Pki:
    """Make all of them, or return those that were made before."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is missing, which makes the certificates")
    ca, stranger = _authority("ca"), _authority("stranger")
    return Pki(
        ca=ca.cert,
        server=_signed("server", ca, "localhost", "DNS:localhost,IP:127.0.0.1"),
        renewed=_signed("renewed", ca, "localhost", "DNS:localhost,IP:127.0.0.1"),
        other=_signed("other", ca, "www.example.org", "DNS:www.example.org,DNS:a.example.org"),
        locked=_locked(_signed("locked", ca, "localhost", "DNS:localhost")),
        client=_signed("client", ca, "device-7", _CLIENT_NAMES),
        foreign=_signed("foreign", stranger, "device-7", _CLIENT_NAMES),
        expired=_expired("expired", ca),
    )


def _authority(name: str) -> Files:
    made = _files(name)
    what = ("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign")
    _openssl("req", "-x509", *_KEY, "-nodes", *_out(made), "-days", "30", *what)
    return made


def _signed(name: str, ca: Files, common_name: str, names: str) -> Files:
    made = _files(name)
    what = ("-subj", f"/CN={common_name}", "-addext", f"subjectAltName={names}")
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE", "-days", "30")
    _openssl("req", "-x509", *_KEY, "-nodes", *_by(ca), *_out(made), *what, *leaf)
    return made


def _expired(name: str, ca: Files) -> Files:
    made = _files(name)
    asked = made.cert.with_suffix(".csr")
    _openssl(
        "req", "-new", *_KEY, "-nodes", "-keyout", made.key, "-subj", f"/CN={name}", "-out", asked
    )
    _openssl("x509", "-req", "-in", asked, *_by(ca), "-days", "-1", "-out", made.cert)
    return made


def _locked(files: Files) -> Files:
    bare = files.key.rename(files.key.with_suffix(".bare"))
    _openssl("ec", "-in", bare, "-aes256", "-passout", "pass:secret", "-out", files.key)
    return files


def _files(name: str) -> Files:
    folder = Path(_folder().name)
    return Files(folder / f"{name}.pem", folder / f"{name}.key")


def _by(ca: Files) -> tuple[str | Path, ...]:
    return "-CA", ca.cert, "-CAkey", ca.key


def _out(files: Files) -> tuple[str | Path, ...]:
    return "-keyout", files.key, "-out", files.cert


def _openssl(*arguments: str | Path) -> None:
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
