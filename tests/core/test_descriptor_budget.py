"""Descriptors for all connections there may be: checked before the first client comes."""

import pytest

from tests.programs import program

# Interpreter, test and server have some of the 64 already.
SOURCE = """
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
stage = {stage}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        server = stage.handler(hold).build().listen()
    except AcceptorError as error:
        say("error", type(error).__name__, isinstance(error, OSError), error)
    else:
        say("listens", server.phase.name)
        server.stop()
for warning in caught:
    say("warning", warning.category.__name__, warning.message)
say("soft", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def outcome(stage: str, hard: str = "most") -> tuple[list[str], int]:
    """Listen with a soft limit of 64; return what was said, and the soft limit after it."""
    with program(SOURCE.format(stage=stage, hard=hard)) as it:
        code, output = it.end()
    assert code == 0, output
    *said, soft = output.splitlines()
    return said, int(soft.removeprefix("soft "))


def test_too_low_a_limit_is_warned_of_and_the_server_listens() -> None:
    said, soft = outcome("tcp().threaded().limits(max_connections=1000)")

    assert said[0] == "listens LISTENING"
    [warning] = said[1:]
    assert warning.startswith("warning DescriptorBudgetWarning ")
    assert "1000" in warning
    assert "64" in warning
    assert soft == 64


def test_too_low_a_limit_is_an_error_when_strict() -> None:
    said, soft = outcome("tcp().threaded().limits(max_connections=1000, strict=True)")

    [error] = said
    assert error.startswith("error DescriptorBudgetError True ")
    assert "1000" in error
    assert "64" in error
    assert soft == 64


@pytest.mark.parametrize("strict", [False, True])
def test_soft_limit_is_raised_when_asked_for(strict: bool) -> None:
    said, soft = outcome(
        "tcp().threaded().limits("
        f"max_connections=200, raise_descriptor_limit=True, strict={strict})"
    )

    assert said == ["listens LISTENING"]
    assert soft >= 200


def test_hard_limit_is_not_raised() -> None:
    said, soft = outcome(
        "tcp().threaded().limits(max_connections=1000, raise_descriptor_limit=True)", hard="100"
    )

    assert [line.split()[0] for line in said] == ["listens", "warning"]
    assert 64 <= soft <= 100


def test_hard_limit_that_is_too_low_is_an_error_when_strict() -> None:
    said, soft = outcome(
        "tcp().threaded().limits(max_connections=1000, raise_descriptor_limit=True, strict=True)",
        hard="100",
    )

    assert [line.split()[:2] for line in said] == [["error", "DescriptorBudgetError"]]
    assert soft <= 100


def test_enough_descriptors_are_nothing_to_talk_about() -> None:
    assert outcome("tcp().threaded().limits(max_connections=10, strict=True)") == (
        ["listens LISTENING"],
        64,
    )


def test_what_the_handler_opens_for_each_connection_counts() -> None:
    said, _ = outcome(
        "tcp().threaded().limits(max_connections=10, descriptors_per_connection=10, strict=True)"
    )

    assert said[0].startswith("error DescriptorBudgetError ")


def test_strategys_own_bound_counts_where_it_is_lower() -> None:
    said, _ = outcome("tcp().threaded(10).limits(max_connections=1000, strict=True)")

    assert said == ["listens LISTENING"]


def test_server_without_limits_says_nothing() -> None:
    for strategy in ("sync", "threaded", "pooled", "forked"):
        said, soft = outcome(f"tcp().{strategy}()")

        assert said == ["listens LISTENING"]
        assert soft == 64


def test_error_leaves_nothing_open() -> None:
    source = """
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        before = len(os.listdir("/proc/self/fd"))
        stage = tcp().threaded()
        server = stage.limits(max_connections=1000, strict=True).handler(hold).build()
        try:
            server.listen()
        except DescriptorBudgetError:
            say("open", len(os.listdir("/proc/self/fd")) - before, server.phase.name)
        server.limits = Limits(max_connections=10, strict=True)
        with server:
            say("then", server.phase.name)
    """
    with program(source) as it:
        assert it.hear("open") == ["0", "NEW"]
        assert it.hear("then") == ["LISTENING"]
        assert it.end() == (0, "")
