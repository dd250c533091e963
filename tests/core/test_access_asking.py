"""What is asked of any policy: who comes in, who has left, which policies remember."""

import functools
from typing import Any

import pytest

from acceptor import AccessPolicy, AllowAll, ConfigurationError, Leave, Outcome, allow_networks
from acceptor.core.access import AllOf, AnyOf, Not, enter, parts, remembers
from acceptor.core.asking import nothing_to_leave
from acceptor.core.dry_run import DryRun
from acceptor.core.proxied_access import of_client, of_hop
from tests.core.access_kit import PEER, Fails, Remembers, Says, at, behind


class Plain:
    """Only has the protocol."""

    def allows(self, peer: object, /) -> bool:
        return True


class PlainRemembering(Plain):
    def __init__(self) -> None:
        self.left: list[Outcome] = []

    def enter(self, peer: object, /) -> Leave | None:
        return self.left.append


def leave(policy: AccessPolicy[Any], outcome: Outcome) -> None:
    """Enter and leave at once."""
    entered = enter(policy, PEER)
    assert entered is not None
    entered(outcome)


@pytest.mark.parametrize(
    "policy",
    [AllowAll(), Plain(), Says(True), AllOf((Plain(), Says(True))), AnyOf((Says(False), Plain()))],
    ids=repr,
)
def test_enter_leaves_nothing_where_nobody_remembers(policy: AccessPolicy[object]) -> None:
    assert enter(policy, PEER) is nothing_to_leave


@pytest.mark.parametrize(
    "policy",
    [
        Says(False),
        Remembers(answer=False),
        AllOf((Plain(), Says(False))),
        AnyOf((Says(False), Remembers(answer=False))),
    ],
    ids=repr,
)
def test_enter_is_none_where_the_policy_denies(policy: AccessPolicy[object]) -> None:
    assert enter(policy, PEER) is None


def test_enter_asks_a_plain_policy_once() -> None:
    policy = Says(True)

    enter(policy, PEER)

    assert policy.asked == 1


@pytest.mark.parametrize("kind", [Remembers, PlainRemembering])
@pytest.mark.parametrize("others", [(), (Plain(), AllowAll())], ids=["alone", "with others"])
def test_all_of_tells_its_remembering_part_how_it_ended(
    kind: type[Remembers | PlainRemembering], others: tuple[AccessPolicy[object], ...]
) -> None:
    remembering = kind()

    leave(AllOf((*others, remembering, *others)), Outcome.TIMED_OUT)

    assert remembering.left == [Outcome.TIMED_OUT]


def test_all_of_tells_each_of_its_remembering_parts_once_the_last_first() -> None:
    told: list[int] = []
    parts_of_it = [Remembers(on_leave=functools.partial(told.append, n)) for n in range(3)]

    leave(AllOf((*parts_of_it,)), Outcome.FINISHED)

    assert told == [2, 1, 0]
    assert [part.left for part in parts_of_it] == [[Outcome.FINISHED]] * 3


def test_all_of_gives_back_what_was_entered_when_a_later_part_denies() -> None:
    first, second, last = Remembers(), Remembers(), Remembers()

    entered = enter(AllOf((first, second, Says(False), last)), PEER)

    assert entered is None
    assert first.left == second.left == [Outcome.DENIED]
    assert last.entered == last.left == []


def test_all_of_gives_back_what_was_entered_when_a_later_part_fails() -> None:
    first = Remembers()

    with pytest.raises(RuntimeError, match="no idea"):
        enter(AllOf((first, Fails())), PEER)

    assert first.left == [Outcome.DENIED]


def test_all_of_tells_the_other_parts_when_one_raises_on_leaving() -> None:
    first, second = Remembers(), Remembers(on_leave=lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        leave(AllOf((first, second)), Outcome.FINISHED)

    assert first.left == [Outcome.FINISHED]


def test_any_of_enters_only_the_first_part_that_says_yes() -> None:
    no, yes, later = Remembers(answer=False), Remembers(), Remembers()

    leave(AnyOf((Says(False), no, yes, later)), Outcome.FAILED)

    assert yes.entered == [PEER]
    assert yes.left == [Outcome.FAILED]
    assert no.entered == later.entered == []


def test_combinations_nest_and_give_back_through_every_level() -> None:
    deep, shallow = Remembers(), Remembers()

    entered = enter(
        AllOf((AnyOf((Says(False), AllOf((deep, AllowAll())))), shallow, ~AllowAll())), PEER
    )

    assert entered is None
    assert deep.left == shallow.left == [Outcome.DENIED]


def test_parts_are_the_policy_itself_and_all_that_it_asks() -> None:
    a, b, c = Says(True), Plain(), Remembers()
    hop, dry = of_hop(a), DryRun(c)
    either = AnyOf((Not(b), dry))
    whole = AllOf((hop, either))

    found = list(parts(whole))

    assert [id(part) for part in found] == [
        id(part) for part in (whole, hop, a, either, either.policies[0], b, dry, c)
    ]


def test_parts_pass_over_what_is_no_policy() -> None:
    class Odd(Plain):
        policies = 3
        policy = "strict"

    odd = Odd()

    assert list(parts(odd)) == [odd]


def test_remembers_is_true_only_where_some_part_must_hear_of_ends() -> None:
    of_nobody: tuple[AccessPolicy[Any], ...] = (Plain(), Says(True), allow_networks("::/0"))
    nobody = AllOf((AnyOf(of_nobody), Not(Plain()), of_hop(Plain()), of_client(Plain())))

    assert not remembers(nobody)
    for policy in (Remembers(), PlainRemembering(), DryRun(Plain())):
        assert remembers(policy)
        assert remembers(AllOf((nobody, policy)))
        assert remembers(AnyOf((nobody, AllOf((policy,)))))
        assert remembers(of_hop(policy))
        assert remembers(of_client(policy))


@pytest.mark.parametrize(
    "policy",
    [Remembers(), AllOf((AllowAll(), Remembers())), AnyOf((Remembers(), Plain())), DryRun(Plain())],
    ids=["alone", "all", "any", "dry run"],
)
def test_not_refuses_what_remembers_where_it_is_made(policy: Any) -> None:
    for turn_round in (Not, type(policy).__invert__):
        with pytest.raises(ConfigurationError, match=r"~ cannot turn .* round"):
            turn_round(policy)


def test_wrappers_enter_and_leave_with_client_and_hop() -> None:
    of_clients, of_hops = Remembers(), Remembers()
    client, hop = at("192.0.2.1"), at("10.0.0.1")

    entered = enter(of_client(of_clients) & of_hop(of_hops), behind(hop, client))

    assert entered is not None
    entered(Outcome.CUT)
    assert of_clients.entered == [client]
    assert of_hops.entered == [hop]
    assert of_clients.left == of_hops.left == [Outcome.CUT]
