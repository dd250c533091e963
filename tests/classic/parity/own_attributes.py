"""Names and options that are the program's: on the class, the instance, before the constructor."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import re
import socket
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    derived,
    handler_for,
    idle,
    outcome_of,
    place,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


class Untouchable:
    """Something of the program's own that is nobody else's business."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"touched: {name}")

    def __bool__(self) -> bool:
        raise AssertionError("touched")

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("called")


NAMES = re.findall(
    r"\w+",
    """
    _active _clients _closed _closing _condition _core _dispatcher _engine _events _fork
    _forks _handler _handlers _intake _is_shut_down _job _jobs _listener _lock _loop
    _orders _pid _pids _poller _reader _running _selector _server _shutdown
    _shutdown_request _socket _state _stop _thread _waiter _waker _watched _workplace
    _writer address app backlog client clients config connections core dispatcher engine
    events handler handlers host intake is_running jobs listener lock log logger loop name
    options orders path pid poller policy port queue room run running select selector
    server server_name server_port serving shut_down start started state stop stopped
    thread threads transport waiter wake workplace
    """,
)


@scenario_for(STYLES, ("class", "instance"))
def names_of_the_programs_own(module: Module, style: str, where: str) -> object:
    own: dict[str, Any] = {name: Untouchable() for name in NAMES}
    server_class = derived(module, "tcp", style, **(own if where == "class" else {}))
    server = server_class(LOOPBACK, handler_for(module, "tcp"), False)
    with server:
        if where == "instance":
            vars(server).update(own)
        server.server_bind()
        server.server_activate()
        with client_of(server) as client:
            client.ask()
            once = within_patience(server.handle_request), client.hear()
        with serving(server):
            heard = ask(server), ask(server)
        left = server_class.__dict__ if where == "class" else vars(server)
        return heard, once, all(left[name] is own[name] for name in NAMES)


@scenario
def attributes_set_before_the_constructor(module: Module) -> object:
    seen: list[object] = []

    class Early(module.ThreadingTCPServer):
        def __init__(self, address: Any) -> None:
            self.socket = None
            self.server_address = "nowhere"
            self.allow_reuse_address = 1
            self.request_queue_size = 2
            self.address_family = socket.AF_INET6
            self.daemon_threads = True
            super().__init__(address, handler_for(module, "tcp"))

        def server_bind(self) -> None:
            seen.append(self.server_address)
            super().server_bind()

    with Early(("::1", 0)) as server, serving(server):
        options = socket.SOL_SOCKET, socket.SO_REUSEADDR
        seen += [bool(server.socket.getsockopt(*options)), len(server.server_address)]
        return seen, ask(server), vars(server)["request_queue_size"]


@scenario_for(FAMILIES, ("no", "yes"), ("no", "yes"), ("class", "subclass", "instance"))
def socket_options(module: Module, family: str, address: str, port: str, where: str) -> object:
    options = {"allow_reuse_address": address == "yes", "allow_reuse_port": port == "yes"}
    server_class = derived(module, family, "sync")
    base = server_class.__mro__[1]
    before = {name: vars(base).get(name) for name in options}
    with place() as folder:
        server = server_class(address_for(family, folder), idle, False)
        owner: Any = {"class": base, "subclass": server_class, "instance": server}[where]
        try:
            for name, value in options.items():
                setattr(owner, name, value)
            outcome = outcome_of(server.server_bind).partition(":")[0]
        finally:
            for name, value in before.items():
                delattr(base, name) if value is None and name in vars(base) else None
                setattr(base, name, value) if value is not None else None
        with server:
            names = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
            return outcome, [
                bool(server.socket.getsockopt(socket.SOL_SOCKET, name)) for name in names
            ]
