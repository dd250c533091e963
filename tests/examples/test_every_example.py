"""What all examples have in common."""

import ast
import signal
from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, example, running

PROGRAMS = {
    "chat_tcp.py": ["0"],
    "control_socket.py": ["control.sock"],
    "echo_tcp.py": ["0"],
    "static_files.py": ["0"],
    "syslog_collector.py": ["0", "log.sock"],
    "upper_udp.py": ["0"],
}


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_example_is_short_and_says_what_it_is(name: str) -> None:
    source = (EXAMPLES / name).read_text()

    docstring = ast.get_docstring(ast.parse(source)) or ""

    assert len(source.splitlines()) < 40
    assert len(docstring.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
@pytest.mark.parametrize("name", PROGRAMS)
def test_example_ends_cleanly_on_a_signal(
    name: str, number: signal.Signals, tmp_path: Path
) -> None:
    with running(example(name, *PROGRAMS[name]), tmp_path) as program:
        program.addresses(1)

        status = program.end(number)

        assert status == 0, program.output
        assert "Traceback" not in program.output
        assert not list(tmp_path.glob("*.sock"))
