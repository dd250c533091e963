"""What is different on purpose, and is asserted on both sides so that no difference goes away."""

from typing import Any

import attrs

from tests.classic.parity.kit import NOT_RUN


@attrs.frozen
class Difference:
    """What a scenario comes to on either side, and why."""

    standard: Any
    ours: Any
    reason: str


_WELL = "returned None"
_ENDED = (b"PING\n", _WELL, _WELL)
_NO_EVENT = "raised AttributeError: 'TCPServer' object has no attribute '_BaseServer__is_shut_down'"

DIFFERENCES: dict[str, Difference] = {
    "classes say which module they live in": Difference(
        ["socketserver"],
        ["acceptor.classic.handlers", "acceptor.classic.mixins", "acceptor.classic.servers"],
        "the classes say truthfully where they live",
    ),
    "shutdown before any loop": Difference(
        (_WELL, ["waits"]),
        (_WELL, []),
        "it would wait for a loop that may never come; the next loop ends at once, as ever",
    ),
    "replaced while serving: another number": Difference(
        NOT_RUN,
        (b"here", b"here", b"here"),
        "the socket is looked at anew for each wait, so its number may change",
    ),
    "a closed server that was asked to end": Difference(
        ("raised ValueError: Invalid file descriptor: -1", False),
        (_WELL, False),
        "a loop that ends at once does not need the socket, which may be closed already",
    ),
    "serving without a constructor": Difference(
        _NO_EVENT, _ENDED, "a server whose constructor never ran can serve all the same"
    ),
    "shutdown in the wait of an idle server": Difference(
        "after the poll interval",
        ("at once", _WELL, _WELL),
        "the loop is woken and need not look at a flag",
    ),
    "a loop whose server was closed": Difference(
        ("spins", _WELL, _WELL),
        ("waits", _WELL, _WELL),
        "there is nothing to wait for but shutdown",
    ),
    "pieces of a report": Difference("many", "one", "the reports of several threads do not mix"),
    "closing after a thread that could not be started": Difference(
        (_WELL, "raised RuntimeError: cannot join thread before it is started"),
        (_WELL, _WELL),
        "a thread that cannot be started is not one to wait for",
    ),
    "what is printed before a fork and in a child: forking": Difference(
        (_WELL, "before, after"),
        (_WELL, "before, in the child, after"),
        "nothing that is printed is lost, or written twice",
    ),
    "a child of the program at the maximum: forking": Difference(
        (_WELL, set(), "reaped"),
        (_WELL, set(), "left alone"),
        "only own children are reaped, at the maximum, too",
    ),
    "the loop at the maximum of children: forking": Difference(
        ("is held up", ((b"here", b"here"), _WELL, _WELL), set()),
        ("goes on", ((b"here", b"here"), _WELL, _WELL), set()),
        "further clients wait in the backlog, while service_actions and shutdown go on",
    ),
    **{
        f"shutdown from the serving thread in: {where}": Difference(
            (_WELL, ["waits"]), (_WELL, []), "it would wait for itself for ever"
        )
        for where in ("a handler", "service_actions", "verify_request")
    },
    **{
        f"shutdown during a long poll interval: {style}": Difference(
            (False, _WELL, _WELL),
            (True, _WELL, _WELL),
            "the loop is woken, and need not look at a flag now and then",
        )
        for style in ("sync", "threading", "forking")
    },
    **{
        f"out of: {what}": Difference(
            ("tries on and on", _ENDED),
            ("rests", _ENDED),
            "the loop pauses and does not spin; whoever waits is served afterwards",
        )
        for what in ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")
    },
}
