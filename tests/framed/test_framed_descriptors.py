"""How many connections can be held: as many as the process may open, unless the limits say less."""

import resource
import subprocess
import sys

import pytest

from tests.support import PATIENCE

# Prints how many it would hold, in a process that may open 300 descriptors, or be allowed 4,096.
PROGRAM = """\
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4096))
from acceptor import ServerBuilder, lines

stage = ServerBuilder().tcp(("127.0.0.1", 0)).framed(lines()){limits}
with stage.handler(lambda message, peer, server: None).build() as server:
    print(server._loop.intake.admission.limit)
"""


def held_at_most(limits: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(limits=limits)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return int(ended.stdout)


pytestmark = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096, reason="needs a limit of 4096"
)


def test_framed_server_leaves_descriptors_for_its_handlers() -> None:
    assert 200 < held_at_most("") < 300 - 64


def test_framed_server_holds_what_the_limit_may_be_raised_for() -> None:
    raised = held_at_most(".limits(max_connections=2000, raise_descriptor_limit=True)")

    assert raised == 2000


def test_framed_server_holds_no_more_than_it_is_told() -> None:
    assert held_at_most(".limits(max_connections=20)") == 20
