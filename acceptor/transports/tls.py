"""TLS as a step on a connection's way: whose certificate, which clients, which protocols."""

import os
import ssl
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.path import Layer
from acceptor.core.secured import FilePath, TlsOptions
from acceptor.core.values import define, frozen
from acceptor.transports.layered import LayeredIncoming
from acceptor.transports.served import ServedSocket
from acceptor.transports.tls_held import begin
from acceptor.transports.tls_socket import secure, tls_context


@frozen(kw_only=True)
class TlsFiles:
    """What a context is made of, again and again: certificates are renewed every few weeks."""

    certfile: Path
    keyfile: Path | None = None
    password: str | bytes | None = attrs.field(default=None, repr=False)
    client_ca: Path | None = None
    client_certificate: Literal["required", "optional"] = "required"
    alpn: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as it was written, without the password."""
        return ", ".join(
            f"{name}={str(value) if isinstance(value, Path) else value!r}"
            for name, value in attrs.asdict(self).items()
            if value and name != "password" and (name != "client_certificate" or self.client_ca)
        )

    def load(self) -> ssl.SSLContext:
        """Make a context: TLS 1.2 or later, OpenSSL's choice of ciphers, no renegotiation.

        Raises:
            ConfigurationError: A file is not there or not what it should be; it says which.
        """
        context = tls_context(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        keyfile = self.keyfile or self.certfile
        try:
            # A password that is wrong, or missing, is an error; nobody is asked at the terminal.
            context.load_cert_chain(self.certfile, keyfile, self.password or "")
        except (OSError, ValueError) as error:
            raise _unusable(f"certificate {self.certfile} with key {keyfile}", error) from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ValueError) as error:
                raise _unusable(f"client CA {self.client_ca}", error) from error
            required = self.client_certificate == "required"
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        if self.alpn:
            context.set_alpn_protocols(list(self.alpn))
        return context


def _unusable(what: str, error: Exception) -> ConfigurationError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    if isinstance(error, ssl.SSLError) and "PEM" in str(reason):  # OpenSSL says no more
        reason = "no certificate or no key is in there, or its password is another one"
    return ConfigurationError(f"cannot use {what}: {reason}")


@define(eq=False)
class _Contexts:
    """The contexts of today."""

    default: ssl.SSLContext
    by_name: dict[str, ssl.SSLContext]

    def choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        """Note whom the client has asked for, and answer as that one; what `sni_callback` is."""
        connection.server_name = name
        if name is not None:
            found = self.by_name.get(name.lower()) or self.by_name.get(f"*.{_parent(name)}")
            if found is not None:
                connection.context = found


def _parent(name: str) -> str:
    return name.lower().partition(".")[2]


@attrs.define(eq=False, repr=False)
class Tls(Layer):
    """The handshake, with contexts that can be loaded again while a server goes on."""

    _given: ssl.SSLContext | TlsFiles
    _names: Mapping[str, ssl.SSLContext | TlsFiles]
    _contexts: _Contexts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._contexts = self._load(None)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for clients that come now."""
        return self._contexts.default

    @property
    def asks_for_certificates(self) -> bool:
        """Whether clients are asked for theirs."""
        return self.context.verify_mode is not ssl.CERT_NONE

    @property
    def is_from_files(self) -> bool:
        """Whether there is anything to reload."""
        return any(isinstance(given, TlsFiles) for given in (self._given, *self._names.values()))

    def reload(self) -> None:
        """Read the files again, for clients that come from now on; the others go on as they are.

        Raises:
            ConfigurationError: One is not what it should be; then all stays as it was.
        """
        self._contexts = self._load(self._contexts)

    def _load(self, before: _Contexts | None) -> _Contexts:
        by_name = {name.lower(): _made(given) for name, given in self._names.items()}
        contexts = _Contexts(_made(self._given), by_name)
        # Only where it is needed: CPython prints a traceback when a name is no ASCII.
        if by_name:
            present = contexts.default.sni_callback
            ours = before is not None and getattr(present, "__self__", None) is before
            if present is not None and not ours:
                raise ConfigurationError(
                    "the context chooses by name already: it has an sni_callback, of its own or of "
                    "another server; give sni, or that"
                )
            contexts.default.sni_callback = contexts.choose
        return contexts

    def negotiate(self, connection: LayeredIncoming, /) -> None:
        """Make the handshake."""
        context = self.context
        connection.upgrade(partial(_secured, context), partial(begin, context))

    def __repr__(self) -> str:
        names = f", sni={sorted(self._names)}" if self._names else ""
        return f"tls({self._given}{names})"


def _secured(context: ssl.SSLContext, sock: ServedSocket, timeout: float | None) -> None:
    secure(sock, context, timeout)


def _made(given: ssl.SSLContext | TlsFiles) -> ssl.SSLContext:
    return given.load() if isinstance(given, TlsFiles) else tls_context(given)


def tls_step(
    source: ssl.SSLContext | FilePath, keyfile: FilePath | None, options: TlsOptions
) -> Tls:
    """Make the step of what `.tls` was given.

    Raises:
        ConfigurationError: Something does not fit together, or cannot be used.
    """
    known = TlsOptions.__annotations__
    for name in options:
        if name not in known:
            raise ConfigurationError(f"there is no {name}, but {', '.join(known)}")
    sni = options.get("sni", {})
    if not isinstance(sni, Mapping) or not all(isinstance(name, str) for name in sni):
        raise ConfigurationError(f"sni maps names to certificates, got {sni!r}")
    for name in sni:
        if not name or "*" in name.removeprefix("*."):
            raise ConfigurationError(f'a name is a host or "*.its.parent", got {name!r}')
    if isinstance(source, ssl.SSLContext):
        given = [name for name in options if name != "sni"] + ["keyfile"] * (keyfile is not None)
        if given:
            raise ConfigurationError(
                f"a context is given, so set {' and '.join(given)} there, or give files instead"
            )
        return Tls(source, {name: _of_name(name, it, None) for name, it in sni.items()})
    files = _files(source, keyfile, options)
    return Tls(files, {name: _of_name(name, it, files) for name, it in sni.items()})


def _files(source: FilePath, keyfile: FilePath | None, options: TlsOptions) -> TlsFiles:
    need = options.get("client_certificate", "required")
    if need not in ("required", "optional"):
        raise ConfigurationError(
            f'client_certificate must be "required" or "optional", got {need!r}'
        )
    client_ca = options.get("client_ca")
    if "client_certificate" in options and client_ca is None:
        raise ConfigurationError("client_certificate needs client_ca: whose certificates are good")
    password = options.get("password")
    if not isinstance(password, str | bytes | None):
        raise ConfigurationError(f"password must be text or bytes, got a {type(password).__name__}")
    return TlsFiles(
        certfile=_path("certfile", source),
        keyfile=None if keyfile is None else _path("keyfile", keyfile),
        password=password,
        client_ca=None if client_ca is None else _path("client_ca", client_ca),
        client_certificate=need,
        alpn=_protocols(options.get("alpn", ())),
    )


def _of_name(name: str, given: object, default: TlsFiles | None) -> ssl.SSLContext | TlsFiles:
    if isinstance(given, ssl.SSLContext):
        return given
    match given:
        case (certfile, keyfile):
            files = TlsFiles(certfile=_path(name, certfile), keyfile=_path(name, keyfile))
            if default is None:
                return files
            return attrs.evolve(default, certfile=files.certfile, keyfile=files.keyfile)
    raise ConfigurationError(
        f"sni maps a name to a context or to (certfile, keyfile), got {given!r} for {name!r}"
    )


def _path(what: str, value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ConfigurationError(f"{what} must be the path of a file, got {value!r}")
    return Path(value)


def _protocols(alpn: Iterable[str]) -> tuple[str, ...]:
    found = (alpn,) if isinstance(alpn, str) or not isinstance(alpn, Iterable) else tuple(alpn)
    for name in found:
        if not isinstance(name, str) or not name.isascii() or not 0 < len(name) < 256:
            raise ConfigurationError(f'alpn must be names such as "h2", got {name!r}')
    return found
