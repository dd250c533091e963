"""What befalls a server whose machine is out of something."""

import socket
import time
from typing import Final

from chaos.fault import Strike
from chaos.lab import QUESTION, Lab
from chaos.patience import pause

_MORE_THAN_ARE_WARM: Final = 8  # clients; warm threads stay for a moment after each, one for good


def without(what: str) -> Strike:
    """Have the machine be out of something while a client comes; that one, too, is served."""

    def strike(lab: Lab) -> float:
        pauses = lab.books()["pauses"] + 1
        with lab.trouble(what):
            client = lab.send(QUESTION)
            lab.await_books("pauses", pauses)
            lab.call_at_rest()
            if lab.strategy != "forked":  # whose children need descriptors
                lab.hear_at_rest()
            pause(lab.endurance)
        end = time.monotonic()
        lab.hear_at_rest()
        lab.answered(client)
        return end

    return strike


def without_forks(lab: Lab) -> float | None:
    """Have the machine refuse to fork; a message waits for its child then, and its client only."""
    if not lab.is_framed:
        return without("no forks")(lab)
    refused = lab.books()["struck"] + 1
    with lab.trouble("no forks"):
        client = lab.send(QUESTION)
        lab.await_books("struck", refused)
        pause(lab.endurance)
    end = time.monotonic()
    lab.answered(client)
    return end


def without_threads(lab: Lab) -> float | None:
    """Have the machine give no more threads while more clients come than warm ones can serve."""
    if lab.is_framed:
        return _without_more_threads(lab)
    if not lab.is_stream:  # whichever thread waits serves each of them
        with lab.trouble("no threads"):
            lab.ask()
        return None
    clients = _occupy_without_threads(lab, "pauses")
    end = time.monotonic()
    for client in clients:
        lab.await_handler(client)
        lab.let_go(client)
    return end


def _without_more_threads(lab: Lab) -> float:
    """Have handlers in all threads that there are; those who are left wait for one of them."""
    clients = _occupy_without_threads(lab, "struck")
    end = time.monotonic()
    for client in clients:
        lab.await_handler(client)
    for client in clients:
        lab.let_go(client)
    return end


def _occupy_without_threads(lab: Lab, line: str) -> list[socket.socket]:
    """Return more clients than there are threads for, which the books tell in that line."""
    many = lab.books()[line] + 1
    with lab.trouble("no threads"):
        clients = [lab.occupy() for _ in range(_MORE_THAN_ARE_WARM)]
        lab.await_books(line, many)
        pause(lab.endurance)
    return clients


def without_descriptors(lab: Lab) -> float | None:
    """Have not one more descriptor. Those who need none are served meanwhile."""
    if lab.is_stream or lab.strategy == "forked":  # which watches each child by one
        return without("EMFILE")(lab)
    with lab.trouble("EMFILE"):
        lab.ask()
    return None
