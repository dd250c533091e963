"""Keeps servers under full load for long, and says whether they grow: `make soak`."""

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Final

import attrs

from chaos.host import Host, HostLostError, host
from chaos.lab import Lab
from chaos.labs import opened
from chaos.ledger import Books
from chaos.load import Load
from chaos.matrix import await_return
from chaos.patience import pause, wait_until
from chaos.resources import Resources, can_be_measured
from chaos.trend import Trend, trend

PLACES: Final = (
    ("tcp", "threaded"),
    ("unix_stream", "threaded"),
    ("tcp_framed", "threaded"),
    ("udp", "threaded"),
    ("unix_datagram", "threaded"),
    ("tcp", "forked"),
    ("udp", "forked"),
)

# Long enough for ordinary clients of a busy machine, short enough to be reached often. Seconds.
_TIMEOUTS: Final = {"first_data": 1.0, "idle": 1.0, "write": 1.0, "connection": 3.0}
_MOST: Final = 64  # connections at a time
_LIMITS: Final = {"max_connections": _MOST}
_ORDINARY: Final = 2  # clients of each server

_SAMPLES_AT_LEAST: Final = 30
_LONGEST_STEP: Final = 10.0  # seconds
_WARM_UP: Final = 0.25  # part of the samples that the trend leaves out

# What may be gained after the warm-up, beyond doubt. One of Python's arenas is 1 MiB.
_MEMORY_MAY_GROW: Final = 1024  # KiB
_COUNTS_MAY_GROW: Final = _MOST  # what is in work comes and goes; what is kept is seen in the end


@attrs.define(eq=False)
class Soaked:
    """One server under load, in a process of its own."""

    _host: Host
    _lab: Lab
    _before: Resources
    load: Load = attrs.field(init=False)
    times: list[float] = attrs.field(factory=list, init=False)
    samples: list[Resources] = attrs.field(factory=list, init=False)
    books: Books = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.load = Load(lambda: attrs.evolve(self._lab))

    @property
    def name(self) -> str:
        """What it is."""
        return f"{self._lab.transport} {self._lab.strategy}"

    def sample(self) -> None:
        """Measure it."""
        self.times.append(time.monotonic())
        self.samples.append(self._host.resources())
        self.books = self._lab.books()

    def trends(self) -> dict[str, Trend]:
        """Return how each figure has grown since the warm-up."""
        first = int(len(self.times) * _WARM_UP)
        return {
            name: trend(self.times[first:], [getattr(it, name) for it in self.samples[first:]])
            for name in ("memory", "descriptors", "threads", "children")
        }

    def objections(self) -> list[str]:
        """End the load and say what is not as it should be."""
        self.load.end()
        found = list(self.load.complaints)
        try:
            await_return(self._host, self._before)
            wait_until(lambda: not self._lab.books()["open"], "all requests have ended")
        except (OSError, ValueError) as error:
            found.append(str(error))
        self.books = self._lab.books()
        found += self.books["wrong"]
        if self.books["accepted"] != self.books["closed"]:
            found.append(f"{self.books['accepted']} accepted, {self.books['closed']} closed")
        for name, grown in self.trends().items():
            limit = _MEMORY_MAY_GROW if name == "memory" else _COUNTS_MAY_GROW
            if grown.surely_exceeds(limit):
                found.append(f"{name} grew by {grown}")
        return found

    def state(self) -> str:
        """Return the last sample in a few words."""
        it = self.samples[-1]
        return (
            f"{self.name}: {it.memory / 1024:.1f} MiB, {it.descriptors} fds, "
            f"{it.threads} threads, {it.children} children, {self.books['accepted']} accepted"
        )


def soak(minutes: float) -> int:
    """Keep all places under load for so long; print what happens; return the exit status."""
    with contextlib.ExitStack() as stack:
        places = []
        for transport, strategy in PLACES:
            it = stack.enter_context(host(transport, strategy))
            lab = stack.enter_context(
                opened(it, transport, strategy, timeouts=_TIMEOUTS, limits=_LIMITS)
            )
            lab.warm_up()
            places.append(Soaked(it, lab, it.resources()))
        for place in places:
            stack.callback(place.load.end)
            place.load.begin(_ORDINARY)
        _watch(places, minutes * 60)
        for place in places:
            place.load.ask_to_end()
        return int(not all([_judge(place) for place in places]))  # noqa: C419 - all of them


def _watch(places: Sequence[Soaked], seconds: float) -> None:
    step = min(_LONGEST_STEP, seconds / _SAMPLES_AT_LEAST)
    begin = time.monotonic()
    minute = 1
    while (elapsed := time.monotonic() - begin) < seconds:
        pause(step - elapsed % step)
        for place in places:
            place.sample()
        if elapsed + step >= minute * 60:
            print(f"{minute:3} min  " + " | ".join(it.state() for it in places), flush=True)
            minute += 1


def _judge(place: Soaked) -> bool:
    """Print the verdict on one server."""
    objections = place.objections()
    grown = place.trends()
    print(f"{place.state()}, {place.books['closed']} closed")
    print(f"  {place.load.answers} answers, {place.load.deeds} misdeeds: {place.books['outcomes']}")
    print("  since the warm-up: " + ", ".join(f"{name} {it}" for name, it in grown.items()))
    print("  " + ("; ".join(["FAILED", *objections]) if objections else "flat"), flush=True)
    return not objections


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    options = parser.parse_args(arguments)
    if not can_be_measured():
        parser.error("this system has no /proc to see what a process holds")
    try:
        return soak(options.minutes)
    except HostLostError as error:
        print(f"FAILED: a server's process was lost: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
