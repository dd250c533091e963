"""What the documents show is run: programs with clients, commands by the command's parser."""

import doctest
import os
import re
import shlex
import socket
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from acceptor import Event, Outcome, Timeouts, parse_endpoint
from acceptor.arguments import argument_parser
from tests.examples.programs import running
from tests.support import PATIENCE, ask

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

# Runs a block as a program that logs, so that it says which port it was given.
DRIVER = """\
import logging, runpy, sys
logging.basicConfig(level=logging.INFO)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@attrs.frozen
class Block:
    """One block of a document, and the heading that it stands under."""

    heading: str
    language: str
    source: str

    @property
    def serves(self) -> bool:
        return ".run()" in self.source or "serve_forever()" in self.source


def all_blocks() -> list[Block]:
    found = []
    heading = ""
    for title, language, source in re.findall(
        r"^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$", README + CONTRIBUTING, re.MULTILINE | re.DOTALL
    ):
        heading = title or heading
        if source:
            found.append(Block(heading, language, source))
    return found


def blocks(language: str) -> list[Block]:
    return [block for block in all_blocks() if block.language == language]


def talk_to_echo(address: str, folder: Path) -> None:
    host, _, port = address.rpartition(":")

    assert ask((host, int(port)), b"one\ntwo\n") == b"one\ntwo\n"


def talk_to_datagrams(address: str, folder: Path) -> None:
    port = int(address.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(PATIENCE)
        for question, answer in ((b"a" * 1201, None), (b"a" * 1200, b"A" * 1200)):
            one.sendto(question, ("127.0.0.1", port))
            if answer is not None:
                assert one.recvfrom(2000) == (answer, ("127.0.0.1", port))


def talk_to_unix_socket(address: str, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(PATIENCE)
        one.connect(str(folder / address))

        said = one.recv(100).decode()

    assert re.fullmatch(rf"unix:pid={os.getpid()},uid={os.getuid()},gid={os.getgid()}\n", said)


def talk_to_messages(address: str, folder: Path) -> None:
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), PATIENCE) as one,
        one.makefile("rb") as answers,
    ):
        assert answers.readline() == b"who are you?\n"
        for line, answer in ((b"hi\r\n", b"hello, stranger\n"), (b"I am Ann\n", b"hello, Ann\n")):
            one.sendall(line)

            assert answers.readline() == answer


CLIENTS: dict[str, Callable[[str, Path], None]] = {
    "acceptor": talk_to_echo,
    "Datagrams": talk_to_datagrams,
    "Messages": talk_to_messages,
    "Unix sockets": talk_to_unix_socket,
}

PYTHON = blocks("python")
SERVING = [block for block in PYTHON if block.serves]
ENDING = [block for block in PYTHON if not block.serves]


@pytest.mark.parametrize("block", SERVING, ids=lambda block: block.heading)
def test_shown_server_serves_a_client_and_drains(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.source.replace("9999", "0"))

    with running([sys.executable, "-c", DRIVER, str(program)], tmp_path) as server:
        [address] = server.addresses(1)
        CLIENTS[block.heading](address, tmp_path)

        assert server.end() == 0, server.output
        assert "Traceback" not in server.output


@pytest.mark.parametrize("block", ENDING, ids=lambda block: block.heading)
def test_shown_block_runs_to_its_end(block: Block, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.source],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("block", blocks("pycon"), ids=lambda block: block.heading)
def test_shown_session_answers_as_shown(block: Block) -> None:
    session = doctest.DocTestParser().get_doctest(block.source, {}, block.heading, None, None)
    complaints: list[str] = []

    outcome = doctest.DocTestRunner().run(session, out=complaints.append)

    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(complaints)


def arguments(line: str) -> list[str]:
    """Return what a line of a shell hands to the command; nothing for other lines."""
    match shlex.split(line, comments=True):
        case ["python", "-m", "acceptor", *rest] | ["acceptor", *rest]:
            return rest
        case ["make", "run", variable]:
            return shlex.split(variable.removeprefix("ARGS="))
        case ["make", target]:
            assert re.search(f"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            return []
    raise AssertionError(f"nothing checks {line!r}")


SHELL_LINES = [line for block in blocks("sh") for line in block.source.splitlines()]


@pytest.mark.parametrize("line", SHELL_LINES)
def test_shown_command_is_one_that_the_parser_takes(line: str) -> None:
    given = arguments(line)

    if given:
        options = argument_parser().parse_args(given)

        assert re.fullmatch(r"[\w.]+:\w+", options.handler)
        for text in options.listen:
            assert str(parse_endpoint(text)) == text


def test_no_shown_block_is_left_untested() -> None:
    languages = {block.language for block in all_blocks()}

    assert languages == {"python", "pycon", "sh"}
    assert {block.heading for block in SERVING} == set(CLIENTS)


@pytest.mark.parametrize("event", typing.get_args(Event))
def test_readme_names_every_event(event: type) -> None:
    assert f"`{event.__name__}`" in README


@pytest.mark.parametrize("outcome", Outcome)
def test_readme_says_what_every_outcome_means(outcome: Outcome) -> None:
    assert f"\n| `{outcome.name}` |" in README


def test_readme_has_every_timeout_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", README, re.MULTILINE)

    told = {name: float(seconds.replace(",", "")) for name, seconds in rows}
    assert told == attrs.asdict(Timeouts(), filter=lambda field, _: field.init)


def test_readme_has_a_working_server_before_line_20() -> None:
    lines = README.splitlines()[:19]

    assert SERVING[0].source.splitlines()[-1] in lines
