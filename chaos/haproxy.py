"""HAProxy in front of servers, as `deploy/haproxy.cfg` has it."""

import contextlib
import csv
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import attrs

from chaos.patience import PATIENCE, wait_until

CONFIGURATION: Final = Path(__file__).parent.parent / "deploy" / "haproxy.cfg"

DOORS: Final = ("streams", "web", "secured")


def find(program: str) -> str | None:
    """Return where a daemon is; Debian puts it where only root looks."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@attrs.define(eq=False)
class Haproxy:
    """One that runs; from any thread."""

    ports: Mapping[str, int]  # by door, which is a section of the configuration
    _control: Path

    def tell(self, command: str) -> str:
        """Give an order to its runtime API; return what it answers.

        Raises:
            TimeoutError: It does not come up.
        """
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            wait_until(lambda: client.connect_ex(str(self._control)) == 0, "HAProxy is there")
            client.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def figure(self, server: str, name: str) -> str:
        """Return a figure of a server, given as "door/name". Source: management.txt, 9.1."""
        table = csv.DictReader(self.tell("show stat").removeprefix("# ").splitlines())
        return {f"{row['pxname']}/{row['svname']}": row[name] for row in table}[server]

    def wait_until_up(self, server: str) -> None:
        """Wait until a check has found the server well, as often as it must.

        Raises:
            TimeoutError: It stays down.
        """
        wait_until(lambda: self.figure(server, "status") == "UP", f"{server} is up")


@contextlib.contextmanager
def haproxy(first: int, second: int, **settings: str) -> Generator[Haproxy, None, None]:
    """Run it in front of two ports; settings are those of the file, such as `CHECK`."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haproxy-")))
        # It is handed the sockets: nobody else can take the ports, and clients may come already.
        doors = {
            door: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for door in DOORS
        }
        given = {door.upper(): f"fd@{it.fileno()}" for door, it in doors.items()}
        given |= {"FIRST": f"127.0.0.1:{first}", "SECOND": f"127.0.0.1:{second}"}
        given |= {"CONTROL": str(folder / "control"), **settings}
        ports = {door: it.getsockname()[1] for door, it in doors.items()}
        with _running(given, [it.fileno() for it in doors.values()]):
            for it in doors.values():
                it.close()
            yield Haproxy(ports, folder / "control")


@contextlib.contextmanager
def _running(settings: Mapping[str, str], doors: list[int]) -> Generator[None, None, None]:
    program = find("haproxy")
    assert program is not None
    environment = {**os.environ, **{f"ACCEPTOR_{name}": it for name, it in settings.items()}}
    with subprocess.Popen(
        [program, "-db", "-f", CONFIGURATION],
        env=environment,
        pass_fds=doors,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
