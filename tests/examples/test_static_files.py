"""The static file server, with curl."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, client, example, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "www"
    path.mkdir()
    (path / "page.txt").write_bytes(b"hello " * 100_000)
    return path


@pytest.fixture
def files(folder: Path, tmp_path: Path) -> Generator[Program, None, None]:
    with running(example("static_files.py", "0", str(folder)), tmp_path) as program:
        yield program
        assert program.end() == 0
        assert "Traceback" not in program.output


def curl(files: Program, path: str, *options: str) -> bytes:
    [address] = files.addresses(1)
    return client("curl", "--silent", "--show-error", *options, f"http://{address}/{path}")


def test_static_file_server_serves_a_file_to_curl(files: Program) -> None:
    body = curl(files, "page.txt", "--fail")

    assert body == b"hello " * 100_000
    files.wait_for(r'.*"GET /page.txt HTTP/1.1" 200 -')


def test_static_file_server_lists_its_folder(files: Program) -> None:
    assert b'<a href="page.txt">' in curl(files, "", "--fail")


def test_static_file_server_does_not_find_what_is_not_there(files: Program) -> None:
    assert curl(files, "nothing", "--write-out", "%{http_code}", "--output", "-").endswith(b"404")
