"""The mix-ins that serve each request in a thread or a process, and the ready-made servers."""

import socket
import sys
import threading
from typing import Any

from typing_extensions import TypeVar

from acceptor.classic.servers import TCPServer, UDPServer
from acceptor.core.errors import ResourceError

if sys.platform != "win32":
    from acceptor.classic.forks import HookJob, classic_forks, has_ended
    from acceptor.classic.servers import UnixDatagramServer, UnixStreamServer

StreamT = TypeVar("StreamT", bound=socket.socket, default=socket.socket)
AddressT = TypeVar("AddressT", default=Any)

if sys.platform != "win32":

    class ForkingMixIn:
        """Serves each request in a child process; goes before the server class.

        At most `max_children` run at a time; further clients wait in the backlog.
        """

        timeout: float | None = 300
        active_children: set[int] | None = None
        """Process ids of the children that have not been reaped; None before the first."""
        max_children: int = 40
        block_on_close: bool = True
        """Whether `server_close` waits until all children have ended."""

        __forks: Any = None

        def __our_forks(self: Any) -> Any:
            forks, children = self.__forks, self.active_children
            if forks is None or forks.pids is not children is not None:
                pids = set() if children is None else children
                self.__forks = forks = classic_forks(self._BaseServer__our_workplace(), pids)
            return forks

        def __has_room(self: Any) -> bool:
            children: set[int] | None = self.active_children
            return not children or len(children) < self.max_children

        def collect_children(self: Any, *, blocking: bool = False) -> None:
            """Reap our children that have ended; with `blocking`, wait until all have.

            Outside of our own loops it also waits while there are `max_children`.
            """
            if self.active_children is None:
                return
            forks = self.__our_forks()
            if not (blocking or self._BaseServer__our_workplace().loop):
                forks.wait_for_room(self.max_children)
            for pid in self.active_children.copy():
                if forks.minds(pid):
                    forks.reap(pid, wait=blocking)
                elif has_ended(pid, wait=blocking):
                    self.active_children.discard(pid)

        def handle_timeout(self: Any) -> None:
            """Collect children when `handle_request` has waited in vain; call this if extended."""
            self.collect_children()

        def service_actions(self: Any) -> None:
            """Collect children after each wait of `serve_forever`; call this if extended."""
            self.collect_children()

        def process_request(self: Any, request: Any, client_address: Any) -> None:
            """Fork a child that serves it, and close this process's copy."""
            forks = self.__our_forks()
            try:
                forks.submit(HookJob(self, request, client_address, forks.pids))
            except ResourceError as error:
                raise (error.__cause__ or error) from None

        def server_close(self: Any) -> None:
            """Close the server, then wait for the children."""
            super().server_close()  # type: ignore[misc] # pyright: ignore
            self.collect_children(blocking=self.block_on_close)
            if self.active_children:
                self.__our_forks().look_away()  # their descriptors are not left open


class _Threads(list[threading.Thread]):
    """The threads that `server_close` waits for."""

    def append(self, thread: threading.Thread) -> None:
        """Note a thread, unless it is a daemon; forget those that have ended."""
        self.reap()
        if not thread.daemon:
            super().append(thread)

    def pop_all(self) -> list[threading.Thread]:
        """Return all, and forget them."""
        self[:], result = [], self[:]
        return result

    def join(self) -> None:
        """Wait until all have ended; those that could not be started never ran."""
        for thread in self.pop_all():
            if thread.ident is not None:
                thread.join()

    def reap(self) -> None:
        """Forget those that have ended."""
        self[:] = [thread for thread in self if thread.is_alive()]


class _NoThreads:
    """What a server that waits for none has instead."""

    def append(self, thread: threading.Thread) -> None:
        """Forget it."""

    def join(self) -> None:
        """Wait for none."""


class ThreadingMixIn:
    """Serves each request in a thread of its own; goes before the server class."""

    daemon_threads: bool = False
    """Whether the interpreter may end while they run; then `server_close` does not wait either."""
    block_on_close: bool = True
    """Whether `server_close` waits until all threads have ended."""

    _threads: Any = _NoThreads()

    def process_request_thread(self: Any, request: Any, client_address: Any) -> None:
        """Serve a request; what each thread runs."""
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)

    def process_request(self: Any, request: Any, client_address: Any) -> None:
        """Start a thread that serves it."""
        if self.block_on_close:
            vars(self).setdefault("_threads", _Threads())
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address)
        )
        thread.daemon = self.daemon_threads
        # Noted first: once it is started the two compete for the interpreter, and what is done here
        # then comes before the client's answer.
        self._threads.append(thread)
        thread.start()

    def server_close(self: Any) -> None:
        """Close the server, then wait for the threads."""
        super().server_close()  # type: ignore[misc] # pyright: ignore
        self._threads.join()


class ThreadingTCPServer(ThreadingMixIn, TCPServer[StreamT, AddressT]):
    """Serves each connection in a thread."""


class ThreadingUDPServer(ThreadingMixIn, UDPServer[AddressT]):
    """Serves each datagram in a thread."""


if sys.platform != "win32":

    class ForkingTCPServer(ForkingMixIn, TCPServer[StreamT, AddressT]):
        """Serves each connection in a child process."""

    class ForkingUDPServer(ForkingMixIn, UDPServer[AddressT]):
        """Serves each datagram in a child process."""

    class ThreadingUnixStreamServer(ThreadingMixIn, UnixStreamServer[StreamT, AddressT]):
        """Serves each connection in a thread."""

    class ThreadingUnixDatagramServer(ThreadingMixIn, UnixDatagramServer[AddressT]):
        """Serves each datagram in a thread."""

    if sys.version_info >= (3, 12):

        class ForkingUnixStreamServer(ForkingMixIn, UnixStreamServer[StreamT, AddressT]):
            """Serves each connection in a child process."""

        class ForkingUnixDatagramServer(ForkingMixIn, UnixDatagramServer[AddressT]):
            """Serves each datagram in a child process."""
