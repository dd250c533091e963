"""What TLS tells of a client, and policies that judge it. Needs no `ssl`, and so loads none."""

import inspect
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    TypeAlias,
    TypedDict,
)

import attrs
from typing_extensions import TypeVar

from acceptor.core.access import AllowIf, Policy
from acceptor.core.asking import parts
from acceptor.core.errors import ConfigurationError
from acceptor.core.interfaces import AccessPolicy
from acceptor.core.peers import Peer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.ssl_types import SSLContext, SSLSocket
from acceptor.core.values import frozen

PeerT_co = TypeVar("PeerT_co", covariant=True, default=Peer | ProxiedPeer[Peer])

_SHA256_DIGITS: Final = 64


FilePath: TypeAlias = str | os.PathLike[str]


class TlsOptions(TypedDict, total=False):
    """Keyword options of `tls`."""

    password: str | bytes | None
    """Of the key's file."""
    client_ca: FilePath | None
    """Clients are asked for certificates, which one of those in this file must have signed."""
    client_certificate: Literal["required", "optional"]
    """Whether a client without one is turned away (so by default), or may come in."""
    alpn: Iterable[str]
    """Protocols to agree on, such as "h2", the preferred one first."""
    sni: Mapping[str, SSLContext | tuple[FilePath, FilePath]]
    """By the name that a client asks for, or "*.its.parent": a context, or certificate and key.

    Others are answered as if there were no names.
    """


@frozen(kw_only=True)
class Certificate:
    """A client's certificate, which the server has verified."""

    subject: tuple[tuple[str, str], ...]  # ("commonName", "device-7"), … as it is written
    issuer: tuple[tuple[str, str], ...]
    dns_names: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    serial_number: str = ""  # hexadecimal
    not_before: datetime
    not_after: datetime
    fingerprint: str  # SHA-256 of `der`, hexadecimal, lower case
    der: bytes = attrs.field(repr=False)

    @property
    def common_name(self) -> str | None:
        """The last common name of the subject; None if it has none."""
        names = [value for key, value in self.subject if key == "commonName"]
        return names[-1] if names else None


@frozen(kw_only=True)
class TlsView:
    """What a handshake has agreed on."""

    version: str  # "TLSv1.3"
    cipher: str
    alpn: str | None = None  # the protocol that was chosen, if any
    server_name: str | None = None  # what the client has asked for, where `sni` was given
    certificate: Certificate | None = None  # None if it was not asked for, or has none


@frozen
class Secured(Generic[PeerT_co]):
    """A client after its TLS handshake: what policies that stand there judge."""

    peer: PeerT_co
    tls: TlsView


def tls_view(request: SSLSocket) -> TlsView:
    """Return what the TLS handshake of a handler's request has agreed on.

    Raises:
        TypeError: It did not come through `.tls`, or `start_tls`.
    """
    view = getattr(request, "view", None)
    if not isinstance(view, TlsView):
        raise TypeError(f"expected a request that came through .tls, got {request!r}")
    return view


@frozen(kw_only=True)
class Certificates(Policy[Secured[object]]):
    """Allows clients by their certificate; make it with `allow_certificates`."""

    peer_types: ClassVar[tuple[type, ...]] = (Secured,)

    common_names: frozenset[str]
    dns_names: frozenset[str]
    uris: frozenset[str]
    email_addresses: frozenset[str]
    fingerprints: frozenset[str]

    def allows(self, peer: Secured[object], /) -> bool:
        """Look at the certificate; a client without one may not come in."""
        found = peer.tls.certificate
        if found is None:
            return False
        return (
            (not self.common_names or found.common_name in self.common_names)
            and (not self.dns_names or not self.dns_names.isdisjoint(found.dns_names))
            and (not self.uris or not self.uris.isdisjoint(found.uris))
            and (
                not self.email_addresses
                or not self.email_addresses.isdisjoint(found.email_addresses)
            )
            and (not self.fingerprints or found.fingerprint in self.fingerprints)
        )

    def __repr__(self) -> str:
        kinds = {kind: sorted(values) for kind, values in attrs.asdict(self, recurse=False).items()}
        given = ", ".join(f"{kind}={values!r}" for kind, values in kinds.items() if values)
        return f"allow_certificates({given})"


def allow_certificates(
    *,
    common_names: Iterable[str] = (),
    dns_names: Iterable[str] = (),
    uris: Iterable[str] = (),
    email_addresses: Iterable[str] = (),
    fingerprints: Iterable[str] = (),
) -> Policy[Secured[object]]:
    """Allow only clients whose certificate, which TLS has verified, fits each kind that is given.

    Of each kind one value must fit, in full: no wildcards. With none given, any verified
    certificate does. The name is the subject's common name; DNS names, URIs and e-mail addresses
    are those of the subject's alternative names. A fingerprint is the SHA-256 of the whole
    certificate, in hexadecimal, with colons or without. Stands behind `.tls`, which must ask for
    certificates (`client_ca=...`, or a context that does).

    Raises:
        ConfigurationError: A value is no text, or no fingerprint.
    """
    return Certificates(
        common_names=_texts("common_names", common_names),
        dns_names=_texts("dns_names", dns_names),
        uris=_texts("uris", uris),
        email_addresses=_texts("email_addresses", email_addresses),
        fingerprints=frozenset(map(_fingerprint, _texts("fingerprints", fingerprints))),
    )


def _texts(kind: str, values: Iterable[str]) -> frozenset[str]:
    found = (values,) if isinstance(values, str) else tuple(values)
    for value in found:
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{kind} must be texts, got {value!r}")
    return frozenset(found)


def _fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if len(plain) != _SHA256_DIGITS or not set(plain) <= set("0123456789abcdef"):
        raise ConfigurationError(
            f"a fingerprint is the SHA-256 of a certificate, {_SHA256_DIGITS} hexadecimal digits, "
            f"got {text!r}; openssl x509 -fingerprint -sha256 prints it"
        )
    return plain


def judges_secured(policy: AccessPolicy[Any]) -> bool:
    """Say whether a policy that stands behind `.tls` judges what TLS tells, or only the peer.

    By what its parts say in `peer_types`; else by how the parameter of `allows` is annotated.
    A function sees what TLS tells.
    """
    said = [kind for part in parts(policy) for kind in getattr(part, "peer_types", ())]
    if said:
        return Secured in said
    if isinstance(policy, AllowIf):
        return True
    parameters = inspect.signature(policy.allows).parameters.values()
    wanted = next((parameter.annotation for parameter in parameters), inspect.Parameter.empty)
    untold = wanted is inspect.Parameter.empty or isinstance(wanted, TypeVar)
    return untold or Secured.__name__ in str(wanted)
