# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of limits, deadlines, reports, events and the live view."""

from acceptor import (
    Close,
    Closed,
    Draining,
    Limits,
    LiveRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    ServerBuilder,
    Stopped,
    StreamHandler,
    Timeouts,
    Wait,
    run,
)

tcp = ServerBuilder().tcp(("", 0))
ready = tcp.handler(StreamHandler)
server = ready.build()

# What is no limit.
tcp.limits(100)  # type: ignore[arg-type]
tcp.limits(Timeouts())  # type: ignore[arg-type]
tcp.limits(max_conections=100)  # type: ignore[call-arg]
tcp.limits(max_connections="many")  # type: ignore[arg-type]
tcp.limits(per_peer=1.5)  # type: ignore[arg-type]
tcp.limits(overflow=Close)  # type: ignore[arg-type]
tcp.limits(overflow="close")  # type: ignore[arg-type]
tcp.limits(overflow=None)  # type: ignore[arg-type]
ready.limits(idle=5)  # type: ignore[call-arg]
Limits(100)  # type: ignore[call-arg]
Limits(max_connections="many")  # type: ignore[arg-type]
Limits(ipv6_prefix=None)  # type: ignore[arg-type]
Limits(overflow=b"busy\n")  # type: ignore[arg-type]
Reply()  # type: ignore[call-arg]
Reply("busy\n")  # type: ignore[arg-type]
refusal: Refusal = Wait()  # type: ignore[assignment]

# What is no time.
tcp.timeouts(5)  # type: ignore[arg-type]
tcp.timeouts(Limits())  # type: ignore[arg-type]
tcp.timeouts(ilde=5)  # type: ignore[call-arg]
tcp.timeouts(idle="5 s")  # type: ignore[arg-type]
ready.timeouts(max_connections=5)  # type: ignore[call-arg]
Timeouts(30.0)  # type: ignore[call-arg]
Timeouts(write="never")  # type: ignore[arg-type]

# What is no clock.
tcp.clock(3.0)  # type: ignore[arg-type]
tcp.clock(lambda: "now")  # type: ignore[arg-type, return-value]
ready.clock()  # type: ignore[call-arg]

# Values do not change; a server's limits do, as a whole.
server.limits = 5  # type: ignore[assignment]
server.limits.max_connections = 5  # type: ignore[misc]
server.timeouts = Timeouts()  # type: ignore[misc]
server.timeouts.idle = 5  # type: ignore[misc]
server.is_draining = True  # type: ignore[misc]

# The live view is looked at, and closed by number.
server.close_connection(server.connections()[0])  # type: ignore[arg-type]
server.close_connection("1")  # type: ignore[arg-type]
server.close_connection()  # type: ignore[call-arg]
server.plan(5)  # type: ignore[call-arg]
server.connections()[0].age = 0  # type: ignore[misc]
LiveRequest(1)  # type: ignore[call-arg]

# How it ends is said with numbers.
server.drain("soon")  # type: ignore[arg-type]
server.drain(5, 1)  # type: ignore[call-arg]
server.drain(lame_duck=None)  # type: ignore[arg-type]
server.run(lame_duck="1 s")  # type: ignore[arg-type]
run(server, lame_duck=None)  # type: ignore[arg-type]
server.stop().cut = 3  # type: ignore[misc]
server.stop().left_in_backlog + 1  # type: ignore[operator]

# Events are told in full, and in words.
Closed(peer=None, outcome=Outcome.CUT, elapsed=1.0)  # type: ignore[call-arg]
Refused(peer=None, reason="why")  # type: ignore[arg-type]
Draining(3, 8.0)  # type: ignore[call-arg]
Stopped()  # type: ignore[call-arg]


def only_closed(event: Closed) -> None: ...


tcp.observe(only_closed)  # type: ignore[arg-type]
