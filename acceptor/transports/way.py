"""What is on the way of the clients whose connections are held."""

from typing import Any

import attrs

from acceptor.core.framing import Framed
from acceptor.core.path import Rule
from acceptor.core.secured import Secured
from acceptor.transports.held import HeldConnection


@attrs.frozen(kw_only=True)
class Way:
    """What is on a client's way here: how its messages are cut, and what comes before and after."""

    framed: Framed
    steps: tuple[Any, ...] = ()  # between accept and the first message
    rules: tuple[Rule[Any], ...] = ()  # for each message


def subject_of(connection: HeldConnection, rule: Rule[Any]) -> Any:
    """Return what a rule judges when a message of this connection has come."""
    return Secured(connection.peer, connection.tls) if rule.judges_tls else connection.peer
