"""Two servers behind HAProxy, of which one after the other is restarted, or killed."""

import contextlib
from collections.abc import Generator, Mapping
from typing import Final

import attrs

from chaos.haproxy import Haproxy, haproxy
from chaos.shops import Shop, close_shop, open_shop, shared_port

NAMES: Final = ("first", "second")

# In seconds. A check a second would do for a lame duck of five, too, but not for a short test.
_LAME_DUCK: Final = "0.5"
_CHECK: Final = "50ms"

# In "tcp" nobody tells HAProxy of a drain: it finds the port closed, which was emptied before.
_DOORS: Final[Mapping[str, str]] = {"http": "web", "tcp": "streams"}


@attrs.define(eq=False)
class Behind:
    """Servers behind HAProxy, each at a port of its own."""

    proxy: Haproxy
    door: str
    _ports: Mapping[str, int]
    _folder: str
    _version: str
    shops: dict[str, Shop] = attrs.field(factory=dict[str, Shop], init=False)
    restarts: int = attrs.field(default=0, init=False)
    lost: list[str] = attrs.field(factory=list[str], init=False)

    @property
    def port(self) -> int:
        """Where clients come."""
        return self.proxy.ports[self.door]

    def add(self, name: str) -> None:
        """Start the one with this name, and wait until it gets clients."""
        lame_duck = _LAME_DUCK if self.door == "web" else "0"
        self.shops[name] = open_shop(self._ports[name], self._folder, self._version, lame_duck)
        self.proxy.wait_until_up(f"{self.door}/{name}")

    def remove(self, name: str) -> None:
        """End one."""
        if lost := close_shop(self.shops.pop(name)):
            self.lost.append(lost)

    def replace(self) -> None:
        """End the oldest, then start it again."""
        name = next(iter(self.shops))
        self.remove(name)
        self.add(name)
        self.restarts += 1

    def finish(self) -> None:
        """End all."""
        for name in [*self.shops]:
            self.remove(name)

    def close(self) -> None:
        """Kill those that are left."""
        for shop in self.shops.values():
            shop.kill()
            shop.communicate()


@contextlib.contextmanager
def behind(how: str, folder: str, version: str, **settings: str) -> Generator[Behind, None, None]:
    """Run two servers behind HAProxy's "http" or "tcp"; settings are those of its file."""
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(shared_port()) for name in NAMES}
        settings = {"CHECK": _CHECK, **settings}
        proxy = stack.enter_context(haproxy(ports["first"], ports["second"], **settings))
        it = Behind(proxy, _DOORS[how], ports, folder, version)
        stack.callback(it.close)
        for name in NAMES:
            it.add(name)
        yield it
