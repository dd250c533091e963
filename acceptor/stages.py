"""The stages of the builder: what may be said at each point, and what is still missing."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from socket import socket as Socket  # noqa: N812 - as in the builder
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, cast, overload

import attrs
from typing_extensions import Unpack

from acceptor.concurrency.bounds import DEFAULT_MAX_CHILDREN, DEFAULT_THREADS
from acceptor.concurrency.sync import Sync
from acceptor.concurrency.thread import DEFAULT_MAX_THREADS, Threaded
from acceptor.core.asking import parts, remembers
from acceptor.core.callables import misfit, why_it_does_nothing
from acceptor.core.deadlines import Clock, Timeouts
from acceptor.core.errors import ConfigurationError, UnknownOptionError, UnsupportedError
from acceptor.core.events import Observer
from acceptor.core.interfaces import AccessPolicy, Concurrency, Transport
from acceptor.core.lazily import LazyModule
from acceptor.core.limits import Close, Limits, Refusal, Reply, Reset
from acceptor.core.message import Message
from acceptor.core.path import Rule, Step
from acceptor.core.recipe import Recipe
from acceptor.core.server import Server
from acceptor.core.ssl_types import SSLContext, SSLSocket
from acceptor.core.values import frozen
from acceptor.fitting import check_handler, check_policy, check_session
from acceptor.options import FramedOptions, LimitOptions, TimeoutOptions

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

if TYPE_CHECKING:
    from socketserver import BaseServer as ClassicServer

    from acceptor.concurrency import fork as _fork
    from acceptor.concurrency import pool as _pool
    from acceptor.core import access as _access
    from acceptor.core import framing as _framing
    from acceptor.core import networks as _networks
    from acceptor.core import proxied as _proxied
    from acceptor.core import secured as _secured
    from acceptor.transports import framed as _framed
    from acceptor.transports import layered as _layered
    from acceptor.transports import proxy_protocol as _proxy_protocol
    from acceptor.transports import tls as _tls
    from acceptor.transports import way as _way

    class ThisServer(Server[RequestT, PeerT], ClassicServer):  # type: ignore[misc]
        """This server, which is a classic one only for the checkers.

        The standard library's handler classes say in their signature that they want a classic
        one, although they use nothing of it. One type and not a union of two callables, from
        which mypy infers nothing for a lambda.
        """

else:
    ThisServer = Server

    # Each is loaded by the step that uses it.
    _fork = LazyModule("acceptor.concurrency.fork")
    _pool = LazyModule("acceptor.concurrency.pool")
    _access = LazyModule("acceptor.core.access")
    _framing = LazyModule("acceptor.core.framing")
    _networks = LazyModule("acceptor.core.networks")
    _proxied = LazyModule("acceptor.core.proxied")
    _secured = LazyModule("acceptor.core.secured")
    _framed = LazyModule("acceptor.transports.framed")
    _way = LazyModule("acceptor.transports.way")
    _layered = LazyModule("acceptor.transports.layered")
    _proxy_protocol = LazyModule("acceptor.transports.proxy_protocol")
    _tls = LazyModule("acceptor.transports.tls")  # without `ssl`, its use raises ImportError

Handler: TypeAlias = Callable[[RequestT, PeerT, ThisServer[RequestT, PeerT]], object]


@frozen
class Steps(Generic[RequestT, PeerT]):
    """The steps that may be taken at any time once there is a transport."""

    _transport: Transport[RequestT, PeerT]
    _concurrency: Concurrency = attrs.field(factory=Sync)
    _path: tuple[Step, ...] = ()  # on a client's way, in this order
    _observers: tuple[Observer, ...] = ()
    _limits: Limits = attrs.field(factory=Limits)
    _timeouts: Timeouts = attrs.field(factory=Timeouts)
    _clock: Clock = time.monotonic

    def sync(self) -> Self:
        """Serve one request at a time, in the accept thread. This is the default."""
        return self.concurrency(Sync())

    def threaded(self, max_threads: int = DEFAULT_MAX_THREADS) -> Self:
        """Serve each request in a thread, at most so many at a time; others wait in the backlog.

        Raises:
            ConfigurationError: `max_threads` is no whole number above zero.
        """
        return self.concurrency(Threaded(max_threads))

    def pooled(self, threads: int = DEFAULT_THREADS, queue: int = 0) -> Self:
        """Serve requests in a fixed number of threads, which live as long as the server serves.

        `queue` more may have been taken and wait for a free thread; others wait in the backlog.

        Raises:
            ConfigurationError: `threads` is no whole number above zero, or `queue` is below it.
        """
        return self.concurrency(_pool.Pooled(threads, queue))

    def forked(self, max_children: int = DEFAULT_MAX_CHILDREN) -> Self:
        """Serve each request in a child, at most so many at a time; others wait in the backlog.

        Raises:
            ConfigurationError: `max_children` is no whole number above zero.
            UnsupportedError: The platform has no fork.
        """
        return self.concurrency(_fork.Forked(max_children))

    def concurrency(self, new_concurrency: Concurrency) -> Self:
        """Run requests with any object that has the `Concurrency` protocol.

        Raises:
            ConfigurationError: It does not have it.
        """
        require(new_concurrency, "a concurrency strategy", "start", "limit")
        return attrs.evolve(self, concurrency=new_concurrency)

    def _ruled(
        self, policy: AccessPolicy[Any], refusal: Refusal | None, *, judges_tls: bool
    ) -> Self:
        if not judges_tls:
            check_policy(policy, self._peer_types())
        how = Close() if refusal is None else refusal
        if not isinstance(how, Close | Reply | Reset):
            raise ConfigurationError(
                f"refusal must be Close(), Reply(bytes) or Reset(), got {refusal!r}"
            )
        return attrs.evolve(self, path=(*self._path, Rule(policy, how, judges_tls)))

    def _peer_types(self) -> tuple[type, ...] | None:
        told = (getattr(part, "peer_types", None) for part in (*self._path[::-1], self._transport))
        return next((types for types in told if types), None)

    def limits(self, new_limits: Limits | None = None, /, **changes: Unpack[LimitOptions]) -> Self:
        """Bound how many requests may be in work, and say what becomes of the others.

        Takes `Limits`, or keywords that change only what they name.

        Raises:
            ConfigurationError: A value cannot work; it says which.
        """
        limits = _given(new_limits, self._limits, Limits)
        return attrs.evolve(self, limits=_changed(limits, dict(changes)))

    def timeouts(
        self, new_timeouts: Timeouts | None = None, /, **changes: Unpack[TimeoutOptions]
    ) -> Self:
        """Say how long the server waits for its clients, and for itself when it ends.

        Takes `Timeouts`, or keywords, in seconds, that change only what they name.

        Raises:
            ConfigurationError: A value is no time; it says which.
        """
        timeouts = _given(new_timeouts, self._timeouts, Timeouts)
        return attrs.evolve(self, timeouts=_changed(timeouts, dict(changes)))

    def clock(self, new_clock: Clock) -> Self:
        """Measure time with a function that returns seconds; for tests that do not want to wait.

        Raises:
            ConfigurationError: It is not callable.
        """
        if not callable(new_clock):
            raise ConfigurationError(f"a clock must return seconds when called, got {new_clock!r}")
        return attrs.evolve(self, clock=new_clock)

    def observe(self, observer: Observer) -> Self:
        """Have a function called with each event, in the thread where it happens.

        Raises:
            ConfigurationError: It cannot be called so, or a call would do nothing.
        """
        if not callable(observer) or misfit(observer, 1):
            raise ConfigurationError(
                f"an observer must be callable with an event, got {observer!r}"
            )
        if what := why_it_does_nothing(observer):
            raise ConfigurationError(
                f"observer {observer!r} is {what}; write it as a plain function"
            )
        return attrs.evolve(self, observers=(*self._observers, observer))

    def _check_handler(self, handler: object) -> None:
        is_framed = any(isinstance(step, _framing.Framed) for step in self._path)
        own = getattr(self._transport, "request_type", None)
        check_handler(handler, Message if is_framed else own)


# The stages below are values like `Steps`; one that adds no field needs nothing from attrs.


class PeerSteps(Steps[RequestT, PeerT]):
    """The steps where a client is known by its peer alone."""

    __slots__ = ()

    def access(
        self, policy: "_access.PolicyLike[PeerT]", *, refusal: Refusal | None = None
    ) -> Self:
        """Let in only whom the policy allows, and every other policy of this server.

        Takes an `AccessPolicy` or a function from the peer to a truth value. It is asked where it
        stands on the way: in the accept thread, so it must not wait, but behind a step that reads
        from the client, in the worker. `refusal` says how others are turned away, `Close()` unless
        told otherwise. A policy that raises denies.

        Raises:
            ConfigurationError: It is no policy, or judges peers that this server never has.
        """
        return self._ruled(_access.as_policy(policy), refusal, judges_tls=False)


class TakesHandler(Steps[RequestT, PeerT]):
    """The step that says who serves requests."""

    __slots__ = ()

    def handler(self, new_handler: "Handler[RequestT, PeerT]") -> "Ready[RequestT, PeerT]":
        """Serve requests with any callable that takes `(request, client_address, server)`.

        It is called once for each request. If it returns one of our handlers (a `BaseHandler`,
        so the class itself is a handler), that is set up, run and finished.

        Raises:
            HandlerMismatchError: It cannot be called so, does nothing when it is, or is for the
                other kind of transport.
        """
        self._check_handler(new_handler)
        return Ready(
            self._transport,
            self._concurrency,
            self._path,
            self._observers,
            self._limits,
            self._timeouts,
            self._clock,
            new_handler,
        )


class NeedsHandler(TakesHandler[RequestT, PeerT], PeerSteps[RequestT, PeerT]):
    """There is a transport; `handler` is still missing before `build`."""

    __slots__ = ()


@frozen
class Ready(PeerSteps[RequestT, PeerT]):
    """Nothing is missing: `build` makes a server."""

    _handler: Any = attrs.field(default=None)

    def handler(self, new_handler: "Handler[RequestT, PeerT]") -> Self:
        """Serve requests with another handler instead; see `NeedsHandler.handler`."""
        self._check_handler(new_handler)
        return attrs.evolve(self, handler=new_handler)

    def build(self) -> Server[RequestT, PeerT]:
        """Make a server of these parts; it has opened nothing yet. May be called repeatedly.

        Raises:
            ConfigurationError: A policy that remembers its clients stands where only children see
                them, and would forget all with each child.
        """
        rules, steps = self._split_path()
        transport: Any = self._transport
        framed = next((step for step in steps if isinstance(step, _framing.Framed)), None)
        if framed is not None:
            place = steps.index(framed)
            rules_of_messages = cast("tuple[Rule[Any], ...]", steps[place + 1 :])
            way = _way.Way(framed=framed, steps=steps[:place], rules=rules_of_messages)
            transport = _framed.FramedTransport(transport, way)
        elif steps:
            self._check_memory(steps)
            transport = _layered.LayeredTransport(transport, steps)
        return Server(
            Recipe(
                transport=transport,
                concurrency=self._concurrency,
                rules=rules,
                handler=self._handler,
                observers=self._observers,
                limits=self._limits,
                timeouts=self._timeouts,
                clock=self._clock,
            )
        )

    def _split_path(self) -> tuple[tuple[Rule[PeerT], ...], tuple[Step, ...]]:
        """Return the rules for the accept thread, and what follows from the first layer on."""
        rules: list[Rule[PeerT]] = []
        for place, step in enumerate(self._path):
            if not isinstance(step, Rule):
                return tuple(rules), self._path[place:]
            rules.append(step)
        return tuple(rules), ()

    def _check_memory(self, steps: tuple[Step, ...]) -> None:
        if not isinstance(self._concurrency, _fork.Forked):
            return
        for step in steps:
            if isinstance(step, Rule) and _has_memory(step.policy):
                raise ConfigurationError(
                    f"{step.policy!r} remembers, but stands behind a step that is taken in the "
                    "child, whose memory ends with it; put it before that step, or use threaded()"
                )


def _has_memory(policy: AccessPolicy[Any]) -> bool:
    return remembers(policy) or any(getattr(part, "is_stateful", False) for part in parts(policy))


SessionT = TypeVar("SessionT")


class CanBeFramed(Steps[RequestT, PeerT]):
    """The step that cuts a stream into messages."""

    __slots__ = ()

    @overload
    def framed(
        self, framing: "_framing.Framing", *, session: None = None, **options: Unpack[FramedOptions]
    ) -> NeedsHandler[Message[None], PeerT]: ...
    @overload
    def framed(
        self,
        framing: "_framing.Framing",
        *,
        session: Callable[[], SessionT],
        **options: Unpack[FramedOptions],
    ) -> NeedsHandler[Message[SessionT], PeerT]: ...

    def framed(
        self,
        framing: "_framing.Framing",
        *,
        session: Callable[[], Any] | None = None,
        **options: Unpack[FramedOptions],
    ) -> NeedsHandler[Any, PeerT]:
        """Serve messages instead of connections, which are held and cost no thread each.

        The handler is called once for each message, with what `framing` cuts: `lines()`,
        `delimited`, `length_prefixed`, `fixed`, or anything that has the `Framing` protocol. Those
        of a connection come one at a time, in their order; other connections meanwhile go on, as
        the concurrency strategy allows. Limits and timeouts are those of connections. Policies that
        follow judge each message.

        `session` is called for each connection without arguments, and makes what messages have as
        their `session`. If that has a method `opened`, it is called with the connection (see
        `Connection`) when that begins; and `closed`, unless `opened` has raised, when it has ended.
        Options: see `FramedOptions`.

        Raises:
            ConfigurationError: It is no framing, or an option cannot work.
        """
        require(framing, "a framing", "cut", "wrap")
        check_session(session)
        chosen = known(FramedOptions, options)
        return NeedsHandler(*_fields(self, _framing.Framed(framing, session, **chosen)))


class SecuredNeedsHandler(TakesHandler[SSLSocket, PeerT], CanBeFramed[SSLSocket, PeerT]):
    """There is a transport with TLS; `handler` is still missing before `build`."""

    __slots__ = ()

    @overload
    def access(
        self,
        policy: "_access.PolicyLike[_secured.Secured[PeerT]]",
        *,
        refusal: Refusal | None = None,
    ) -> Self: ...
    @overload
    def access(self, policy: AccessPolicy[PeerT], *, refusal: Refusal | None = None) -> Self: ...

    def access(
        self,
        policy: "_access.PolicyLike[_secured.Secured[PeerT]] | AccessPolicy[PeerT]",
        *,
        refusal: Refusal | None = None,
    ) -> Self:
        """Let in only whom the policy allows, after the handshake.

        As before it, but a function is given `Secured`: the peer, and what TLS tells. So is a
        policy object, if its `peer_types` or the annotation of its `allows` says so.
        """
        asked = _access.as_policy(cast("_access.PolicyLike[Any]", policy))
        judges_tls = _secured.judges_secured(asked)
        if judges_tls and not self._asks_for_certificates() and _wants_certificates(asked):
            raise ConfigurationError(
                f"{asked!r} judges certificates, but .tls asks for none; give it client_ca=..., "
                "or a context whose verify_mode asks"
            )
        return self._ruled(asked, refusal, judges_tls=judges_tls)

    def _asks_for_certificates(self) -> bool:
        return any(getattr(step, "asks_for_certificates", False) for step in self._path)


def _wants_certificates(policy: AccessPolicy[Any]) -> bool:
    return any(isinstance(part, _secured.Certificates) for part in parts(policy))


class ProxiedNeedsHandler(NeedsHandler[Socket, PeerT], CanBeFramed[Socket, PeerT]):
    """There is a stream transport; `handler` is still missing before `build`.

    What a client sends first may still be a TLS handshake.
    """

    __slots__ = ()

    @overload
    def tls(
        self, source: SSLContext, /, **options: "Unpack[_secured.TlsOptions]"
    ) -> SecuredNeedsHandler[PeerT]: ...
    @overload
    def tls(
        self,
        source: "_secured.FilePath",
        /,
        keyfile: "_secured.FilePath | None" = None,
        **options: "Unpack[_secured.TlsOptions]",
    ) -> SecuredNeedsHandler[PeerT]: ...

    def tls(
        self,
        source: "SSLContext | _secured.FilePath",
        /,
        keyfile: "_secured.FilePath | None" = None,
        **options: "Unpack[_secured.TlsOptions]",
    ) -> SecuredNeedsHandler[PeerT]:
        """Speak TLS from here on: with a server's context, or a certificate and its key.

        From files: TLS 1.2 or later, OpenSSL's choice of ciphers, no renegotiation; the key may be
        in the certificate's file; `server.reload()` reads them again. A context is the caller's to
        set up; its `sslsocket_class` is set, and with `sni` its `sni_callback`. The handshake
        is made in the worker, within `Timeouts.handshake`; a client that does not get through is
        told of in `HandshakeFailed`. Options: see `TlsOptions`.

        Raises:
            ConfigurationError: A file or an option cannot be used; it says which, and why.
            UnsupportedError: This Python has no `ssl`.
        """
        try:
            tls_step = _tls.tls_step
        except ImportError as error:
            raise UnsupportedError(f"this Python has no ssl: {error}") from error
        step = tls_step(source, keyfile, options)
        return SecuredNeedsHandler(*_fields(self, step))


class StreamNeedsHandler(ProxiedNeedsHandler[PeerT]):
    """There is a stream transport; `handler` is still missing before `build`."""

    __slots__ = ()

    def proxy_protocol(
        self,
        *,
        trusted: "_access.PolicyLike[PeerT] | Collection[str | _networks.Network]",
        versions: Iterable[int] = (1, 2),
    ) -> "ProxiedNeedsHandler[_proxied.ProxiedPeer[PeerT]]":
        """Expect a PROXY header first, which tells who the real client is.

        `trusted` says which hops may tell that: networks, or a policy (such as `allow_users` for a
        Unix socket). Others are refused; so is a connection without a header, within
        `Timeouts.handshake`. From here on the peer is a `ProxiedPeer`: the client, with the hop
        beside it.

        Raises:
            ConfigurationError: A network or a version cannot be used, or nobody is trusted.
        """
        policy = _trusted(trusted)
        check_policy(policy, self._peer_types())
        fields = _fields(self, Rule(policy), _proxy_protocol.ProxyProtocol(versions))
        return ProxiedNeedsHandler(*fields)


def _fields(stage: Steps[Any, Any], *steps: Step) -> tuple[Any, ...]:
    """Return what the next stage is made of: all that this one has, and these steps."""
    values = attrs.asdict(stage, recurse=False)
    values["_path"] = (*values["_path"], *steps)
    return tuple(values.values())


def _trusted(given: Any) -> AccessPolicy[Any]:
    networks: tuple[Any, ...] = (given,)
    if not isinstance(given, str):
        if hasattr(given, "allows") or not isinstance(given, Collection):
            return _access.as_policy(given)
        networks = tuple(given)
    if not networks:
        raise ConfigurationError("no hop is trusted, so nobody could come in: name its network")
    return _access.allow_networks(*networks)


ValueT = TypeVar("ValueT", bound=Limits | Timeouts)


def _given(value: ValueT | None, present: ValueT, kind: type[ValueT]) -> ValueT:
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(f"expected {kind.__name__} or keywords, got {value!r}")
    return present if value is None else value


def _changed(value: ValueT, changes: dict[str, Any]) -> ValueT:
    names = [field.name for field in attrs.fields(type(value)) if field.init]
    _check_names(changes, names)
    return attrs.evolve(value, **changes)


def known(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options if the typed dictionary of that kind has them all.

    Raises:
        UnknownOptionError: It lacks one.
    """
    _check_names(options, kind.__annotations__)
    return dict(options)


def _check_names(given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise UnknownOptionError(f"there is no {name}, but {', '.join(known)}")


def require(part: object, what: str, *names: str) -> None:
    """Refuse what is no part of that kind: one that lacks these names.

    Raises:
        ConfigurationError: It lacks one, or is a class.
    """
    missing = [name for name in names if not hasattr(part, name)]
    if isinstance(part, type) or missing:
        raise ConfigurationError(f"{what} needs {' and '.join(names)}, got {part!r}")
