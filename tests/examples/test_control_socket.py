"""The control socket, with socat run as its user and as another."""

import re
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, another_user, client, example, running
from tests.support import PATIENCE


@pytest.fixture
def folder() -> Generator[Path, None, None]:
    """A folder that every user may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def control(folder: Path) -> Generator[Program, None, None]:
    with running(example("control_socket.py", "control.sock"), folder) as program:
        yield program


def command(folder: Path, *lines: str, user: int | None = None) -> str:
    text = "".join(f"{line}\n" for line in lines).encode()
    path = folder / "control.sock"
    socat = ("socat", "-t", str(PATIENCE), "-", f"UNIX-CONNECT:{path}")
    return client(*socat, question=text, user=user).decode()


def test_control_socket_answers_its_own_user(control: Program, folder: Path) -> None:
    control.addresses(1)

    first, second = command(folder, "stats", "dance").splitlines()

    assert re.match(r"Stats\(accepted=1, refused=0, active=1, ", first)
    assert second == "expected stats or stop, got b'dance'"
    assert control.end() == 0


def test_control_socket_ends_the_server_when_told_to(control: Program, folder: Path) -> None:
    control.addresses(1)

    answer = command(folder, "stop")

    assert answer == "stopping\n"
    assert control.process.wait(PATIENCE) == 0
    assert ", 0 cut" in control.output


def test_control_socket_refuses_another_user(control: Program, folder: Path) -> None:
    stranger = another_user()
    control.addresses(1)

    answer = command(folder, "stats", user=stranger)

    assert answer == ""
    control.wait_for(rf".*refused unix:pid=\d+,uid={stranger},gid={stranger}: denied by .*")
    assert "accepted=1, refused=1, " in command(folder, "stats")
    assert control.end() == 0
