"""Cuts all messages off what has come at once, with any framing."""

from collections.abc import Callable
from typing import Final

from acceptor.core.errors import is_ctrl_c
from acceptor.core.framing import Framing

_WINDOW: Final = 4096  # bytes


def check_found(found: object) -> None:
    """Refuse what no framing may return from `cut`.

    Raises:
        TypeError: It has a bug.
    """
    match found:
        case None | (_, int()):
            return
    raise TypeError(f"cut must return (payload, size) or None, got {found!r}")


def cutter_of(framing: Framing) -> Callable[[bytes], list[bytes]]:
    """Return what cuts all messages off at once; the last of its list is the rest."""
    own: Callable[[bytes], list[bytes]] | None = getattr(framing, "cut_all", None)
    return own if own is not None else lambda data: _cut_one_by_one(framing, data)


def _cut_one_by_one(framing: Framing, data: bytes) -> list[bytes]:
    """Cut with a framing that can only do one at a time.

    In windows, or each short message would have all that follows it copied.
    """
    parts: list[bytes] = []
    start, window = 0, _WINDOW
    while start < len(data):
        try:
            found = framing.cut(data[start : start + window], 0)
            if found is not None:
                _, size = found
                start += max(1, size)
        except BaseException as error:  # whoever looks at the rest finds it again
            if is_ctrl_c(error):
                raise
            break
        if found is not None:
            parts.append(found[0])
            window = _WINDOW
        elif start + window >= len(data):
            break
        else:
            window *= 4
    return [*parts, data[start:]]
