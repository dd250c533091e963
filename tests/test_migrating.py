"""Each pattern of the migration guide, in both forms, is asked the same questions."""

import re
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import Server
from tests.examples.programs import running
from tests.fakes import Call, refuses
from tests.guide import BLOCKS, FOLDER, GUIDE, Block, address_of, serving
from tests.support import PATIENCE, ask, connect, read_all, wait_until
from tests.test_typing import mypy

Question = Callable[[Block], object]


def asked_for_lines(block: Block) -> object:
    with serving(block.run()) as address:
        return ask(address, b"one\ntwo\n")


def asked_beside_a_silent_client(block: Block) -> object:
    with serving(block.run()) as address, connect(address) as silent:
        answer = ask(address, b"one\ntwo\n")
        silent.shutdown(socket.SHUT_WR)
        return answer


def asked_for_one_line(block: Block) -> object:
    with serving(block.run()) as address:
        return ask(address, b"one\n")


def asked_for_nothing(block: Block) -> object:
    with serving(block.run()) as address:
        return ask(address, b"")


def asked_for_one_line_and_ended(block: Block) -> object:
    names = block.run()
    address = address_of(names["server"])
    try:
        answer = ask(address, b"one\n")
    finally:
        Call(names["end"]).result()
    return answer, refuses(address)


def asked_from_two_addresses(block: Block) -> object:
    answers = []
    with serving(block.run()) as address:
        for host in ("127.0.0.1", "127.0.0.2"):
            with socket.create_connection(address, PATIENCE, (host, 0)) as client:
                answers.append(read_all(client))
    return answers


def asked_over_tls(block: Block) -> object:
    with serving(block.run()) as address:
        return ask_over_tls(address)


def ask_over_tls(address: Any) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connect(address) as client, context.wrap_socket(client) as encrypted:
        encrypted.sendall(b"one\n")
        return read_all(encrypted)


def asked_thrice(block: Block) -> object:
    with serving(block.run()) as address:
        return [ask(address, b"") for _ in range(3)]


def asked_for_an_error(block: Block) -> object:
    names = block.run()
    with serving(names) as address:
        answers = [ask(address, b"x\n"), ask(address, b"8\n")]
        wait_until(lambda: names["errors"])
    return answers, [type(error) for error in names["errors"]]


def asked_until_the_file_is_read_again(block: Block) -> object:
    for text in (b"hello", b"good evening"):
        Path("greeting.txt").write_bytes(text)
        with serving(block.run()) as address:
            wait_until(lambda: ask(address, b"") == text)  # noqa: B023 - called at once
    return "read"


def asked_until_nobody_comes(block: Block) -> object:
    names = block.run()
    server = names["server"]
    if isinstance(server, Server):
        server.listen()
    with connect(address_of(server)) as client:
        client.sendall(b"one\n")
        loop = Call(names["main"])
        answer = read_all(client)
    return answer, loop.result()


def asked_before_and_after_a_restart(block: Block) -> object:
    with serving(block.run()) as address, connect(address) as client:
        answer = read_all(client)
    # The server has closed first, so its end of the connection is still remembered.
    with serving(block.run(**{"9999": str(address[1])})) as again:
        return answer, ask(again, b""), again[1] == address[1]


def asked_by_datagrams(block: Block) -> object:
    with serving(block.run()) as address, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect(tuple(address))
        answers = []
        for question in (b"one", b"two"):
            client.send(question)
            answers.append(client.recv(100))
        return answers


# Runs an example with two servers, and says where they are.
TWO_SERVERS = """
import runpy, sys
names = runpy.run_path(sys.argv[1])
for name in ("streams", "datagrams"):
    server = names[name]
    if hasattr(server, "listen"):
        server.listen()
        print("port", server.address.port, flush=True)
    else:
        print("port", server.server_address[1], flush=True)
names["main"]()
"""


def asked_on_two_ports(block: Block) -> object:
    Path("program.py").write_text(block.source.replace("9999", "0"))
    command = [sys.executable, "-c", TWO_SERVERS, "program.py"]
    with running(command, Path.cwd()) as program:
        streams, datagrams = map(int, program.wait_for(r"port (\d+)", 2))
        answer = ask(("127.0.0.1", streams), b"one\n")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.sendto(b"two", ("127.0.0.1", datagrams))
            heard = client.recv(100)
        ended = program.end()
    drains = block.form == "composed"
    return answer, heard, ended == (0 if drains else -signal.SIGTERM)


QUESTIONS: dict[str, tuple[Question, object]] = {
    "One line": (asked_for_lines, b"one\ntwo\n"),
    "Mix-ins": (asked_beside_a_silent_client, b"one\ntwo\n"),
    "max_children": (asked_beside_a_silent_client, b"one\ntwo\n"),
    "process_request": (asked_beside_a_silent_client, b"one\ntwo\n"),
    "verify_request": (asked_from_two_addresses, [b"hello\n", b""]),
    "get_request": (asked_over_tls, b"ONE\n"),
    "finish_request": (asked_for_one_line, b"hello one\n"),
    "State on the server": (asked_thrice, [b"1\n", b"2\n", b"3\n"]),
    "handle_error": (asked_for_an_error, ([b"", b"4\n"], [ValueError])),
    "service_actions": (asked_until_the_file_is_read_again, "read"),
    "handle_timeout": (asked_until_nobody_comes, (b"one\n", None)),
    "Attributes": (asked_before_and_after_a_restart, (b"hello\n", b"hello\n", True)),
    "server_bind": (asked_for_nothing, b"hello\n"),
    "Datagrams": (asked_by_datagrams, [b"ONE", b"TWO"]),
    "Several servers": (asked_on_two_ports, (b"one\n", b"TWO", True)),
    "shutdown and server_close": (asked_for_one_line_and_ended, (b"one\n", True)),
    "ClassicServerAdapter": (asked_for_one_line_and_ended, (b"one\n", True)),
    "from_classic": (asked_for_one_line, b"one\n"),
}

SERVING = [block for block in BLOCKS if "9999" in block.source]
ENDING = [block for block in BLOCKS if "9999" not in block.source]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).with_name("server.pem"), tmp_path)


@pytest.mark.parametrize("block", SERVING, ids=str)
def test_shown_server_answers_alike_in_each_form(block: Block) -> None:
    question, expected = QUESTIONS[block.heading]

    answer = question(block)

    assert answer == expected


@pytest.mark.parametrize("block", ENDING, ids=str)
def test_shown_block_runs_to_its_end(block: Block) -> None:
    Path("program.py").write_text(block.source)

    with running([sys.executable, "-W", "error", "program.py"], Path.cwd()) as program:
        assert program.process.wait(PATIENCE) == 0, program.output


def composed_tls() -> dict[str, Any]:
    [block] = [block for block in SERVING if str(block) == "get_request, composed"]
    return block.run()


def test_tls_client_that_says_nothing_holds_up_nobody_in_the_composed_form() -> None:
    with serving(composed_tls()) as address, connect(address) as silent:
        answer = ask_over_tls(address)
        silent.shutdown(socket.SHUT_WR)

    assert answer == b"ONE\n"


def test_tls_client_that_says_nothing_is_cut_in_the_composed_form() -> None:
    server: Server[Any, Any] = composed_tls()["server"].start()
    with connect(server.address) as silent:
        wait_until(lambda: server.stats.active)

        report = server.stop()

        assert read_all(silent) == b""
    assert report.cut == 1


def test_tls_client_that_talks_plainly_gets_no_answer_in_the_composed_form() -> None:
    names = composed_tls()
    with serving(names) as address:
        # An alert, or nothing: in any case not what was asked for.
        assert b"HELLO" not in ask(address, b"hello\n")
        assert ask_over_tls(address) == b"ONE\n"

    assert names["server"].stats.handshake_failed == 1


def test_every_pattern_is_shown_in_both_forms_and_asked() -> None:
    forms: dict[str, list[str]] = {}
    for block in SERVING:
        forms.setdefault(block.heading, []).append(block.form)

    assert set(forms) == set(QUESTIONS)
    for heading in ("One line", "ClassicServerAdapter", "from_classic"):
        del forms[heading]
    assert set(map(tuple, forms.values())) == {("standard", "classic", "composed")}


def test_shown_blocks_pass_the_type_checker(tmp_path: Path) -> None:
    for number, block in enumerate(BLOCKS):
        if block.form != "standard":  # whose stubs want less readable overrides
            (tmp_path / f"shown_{number}.py").write_text(block.source)

    verdict = mypy(*sorted(tmp_path.glob("shown_*.py")))

    assert verdict.returncode == 0, verdict.stdout


def test_links_of_the_guide_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    }

    assert set(re.findall(r"\(#(.*?)\)", GUIDE)) == anchors
    for path in re.findall(r"\]\(([^#)]+)", GUIDE):
        assert (FOLDER / path).exists(), path
