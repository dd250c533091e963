"""The syslog collector, with util-linux's logger on each of its sockets."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, client, example, running

# What the program prints for a message: priority, header, tag and text, in one line.
LINE = r"<13>.*{}"


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Program, None, None]:
    with running(example("syslog_collector.py", "0", "log.sock"), tmp_path) as program:
        yield program
        assert program.end() == 0
        assert "Traceback" not in program.output


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
def test_collector_takes_datagrams(collector: Program, form: str) -> None:
    host, _, port = collector.addresses(3)[0].rpartition(":")

    client("logger", "-n", host, "-P", port, "-d", form, "-t", "it", "over UDP")

    collector.wait_for(LINE.format("it.*over UDP"))


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize("framing", [[], ["--octet-count"]], ids=["lines", "octet-count"])
def test_collector_takes_all_messages_of_a_connection(
    collector: Program, form: str, framing: list[str]
) -> None:
    host, _, port = collector.addresses(3)[1].rpartition(":")
    lines = "".join(f"message {number}\n" for number in range(100)).encode()

    client("logger", "-n", host, "-P", port, "-T", form, *framing, question=lines)

    found = collector.wait_for(LINE.format(r"message (\d+)"), 100)
    assert found == [str(number) for number in range(100)]


def test_collector_takes_what_comes_over_its_unix_socket(
    collector: Program, tmp_path: Path
) -> None:
    path = tmp_path / collector.addresses(3)[2]

    client("logger", "-u", str(path), "-t", "it", "from here")

    collector.wait_for(LINE.format("it.*from here"))
