# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Limits, deadlines, reports, events and the live view, as their users see them."""

import socket
from typing import assert_never, assert_type

import attrs

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Close,
    Closed,
    Datagram,
    Draining,
    DrainReport,
    Event,
    Full,
    HandlerFailed,
    HandshakeFailed,
    InetPeer,
    Limits,
    Listening,
    LiveRequest,
    MessageFault,
    MessageRefused,
    MessageServed,
    NeedsHandler,
    Outcome,
    Overflow,
    Plan,
    Ready,
    Refusal,
    RefusalReason,
    Refused,
    Reloaded,
    ReloadFailed,
    Reply,
    RequestState,
    Reset,
    RoomAgain,
    ServerBuilder,
    Started,
    Stats,
    StopCause,
    Stopped,
    StreamHandler,
    StreamNeedsHandler,
    Timeouts,
    UnixPeer,
    Wait,
    access_log,
    run,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0))
ready = tcp.handler(StreamHandler)
server = ready.build()

# Each step keeps the stage, before the handler and after it, on every transport.
assert_type(tcp.limits(Limits(max_connections=5)), StreamNeedsHandler[InetPeer])
assert_type(tcp.limits(max_connections=5, per_peer=None), StreamNeedsHandler[InetPeer])
assert_type(tcp.timeouts(Timeouts()), StreamNeedsHandler[InetPeer])
assert_type(tcp.timeouts(idle=5, write=None, drain=0.5), StreamNeedsHandler[InetPeer])
assert_type(tcp.clock(lambda: 0.0), StreamNeedsHandler[InetPeer])
assert_type(tcp.observe(access_log), StreamNeedsHandler[InetPeer])
assert_type(ready.limits(overflow=Reply(b"busy\n")), Ready[socket.socket, InetPeer])
assert_type(ready.timeouts(connection=None), Ready[socket.socket, InetPeer])
assert_type(ready.clock(lambda: 0.0), Ready[socket.socket, InetPeer])
assert_type(builder.udp(("", 0)).limits(per_peer=1), NeedsHandler[Datagram, InetPeer])
assert_type(builder.unix_stream("@it").limits(per_peer=1), StreamNeedsHandler[UnixPeer])
assert_type(builder.unix_datagram("@it").timeouts(drain=1), NeedsHandler[Datagram, UnixPeer])

every_limit = Limits(
    max_connections=100,
    per_peer=3,
    overflow=Reset(),
    ipv6_prefix=56,
    descriptors_per_connection=2,
    raise_descriptor_limit=True,
    strict=True,
)
every_time = Timeouts(
    handshake=None, first_data=1, idle=1.5, write=None, connection=None, drain=None
)
assert_type(every_limit.max_connections, int | None)
assert_type(every_limit.overflow, Wait | Close | Reply | Reset)
assert_type(every_time.idle, float | None)
overflows: list[Overflow] = [Wait(), Close(), Reply(b""), Reset()]
refusals: list[Refusal] = [Close(), Reply(b""), Reset()]

# What a server says, and what can be changed while it runs.
assert_type(server.limits, Limits)
server.limits = attrs.evolve(server.limits, max_connections=50)
assert_type(server.timeouts, Timeouts)
assert_type(server.is_draining, bool)
assert_type(server.plan(), Plan)
assert_type(str(server.plan()), str)
assert_type(server.connections(), list[LiveRequest])
assert_type(server.close_connection(1), bool)

live = server.connections()[0]
assert_type(live.id, int)
assert_type(live.peer, object)
assert_type(live.age, float)
assert_type(live.state, RequestState)
assert_type(live.received, int)
assert_type(live.sent, int)
assert_type(live.worker, int | None)

assert_type(server.stats, Stats)
assert_type(server.stats.backlog, int | None)

# How it ends.
assert_type(server.drain(), DrainReport)
assert_type(server.drain(None), DrainReport)
assert_type(server.drain(5.0, lame_duck=1), DrainReport)
assert_type(server.run(), DrainReport)
assert_type(server.run(None, lame_duck=2.0), DrainReport)
assert_type(run(server, grace=5.0, lame_duck=1.0), tuple[DrainReport, ...])
report = server.stop()
assert_type(report.finished, int)
assert_type(report.cut, int)
assert_type(report.refused, int)
assert_type(report.left_in_backlog, int | None)
assert_type(report.elapsed, float)
assert_type(report.cause, StopCause)


# A match over all events is one that checkers know to be complete.
def tell(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912 - a flat match
    match event:
        case Listening(address=address):
            return f"{assert_type(address, object)}"
        case Accepted(id=number) | Started(id=number):
            return f"{assert_type(number, int)}"
        case Refused(reason=reason, detail=detail, error=error):
            assert_type(error, BaseException | None)
            return f"{assert_type(reason, RefusalReason)}{assert_type(detail, str)}"
        case HandshakeFailed(error=error):
            return f"{assert_type(error, Exception)}"
        case HandlerFailed(error=error):
            return f"{assert_type(error, BaseException)}"
        case MessageServed(
            id=number, outcome=outcome, elapsed=elapsed, received=received, sent=sent
        ):
            assert_type(outcome, Outcome)
            return f"{number}{assert_type(elapsed, float)}{assert_type(received + sent, int)}"
        case MessageRefused(id=number, fault=fault, detail=detail):
            assert_type(fault, MessageFault)
            return f"{assert_type(number, int)}{assert_type(detail, str)}"
        case Closed(id=number, outcome=outcome, elapsed=elapsed, received=received, sent=sent):
            assert_type(outcome, Outcome)
            return f"{number}{assert_type(elapsed, float)}{assert_type(received + sent, int)}"
        case AcceptPaused(cause=cause, delay=delay):
            return f"{assert_type(cause, OSError | None)}{assert_type(delay, float | None)}"
        case AcceptResumed(cause=cause, attempts=attempts, elapsed=elapsed):
            return f"{assert_type(cause, OSError | None)}{attempts}{elapsed}"
        case Full(limit=limit, active=active):
            return f"{assert_type(limit + active, int)}"
        case RoomAgain(elapsed=elapsed, refused=refused):
            return f"{assert_type(elapsed, float)}{assert_type(refused, int)}"
        case Draining(running=running, timeout=timeout, lame_duck=lame_duck):
            return f"{running}{assert_type(timeout, float | None)}{lame_duck}"
        case Stopped(report=last):
            return f"{assert_type(last, DrainReport)}"
        case Reloaded(what=names):
            return f"{assert_type(names, tuple[str, ...])}"
        case ReloadFailed(error=failure):
            return f"{assert_type(failure, Exception)}"
        case _:
            assert_never(event)


tcp.observe(tell)
