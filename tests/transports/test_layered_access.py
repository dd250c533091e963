"""Policies at each place on a connection's way: who is judged, in which order, and what follows."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Closed,
    ConfigurationError,
    HandshakeFailed,
    Outcome,
    ProxiedPeer,
    RefusalReason,
    Refused,
    Reply,
    Reset,
    Secured,
    allow_certificates,
    allow_networks,
)
from tests.core.access_kit import Fails, Remembers
from tests.core.kit import ending, leave, wait_for_active
from tests.support import PATIENCE, Recorder, connect, serving
from tests.tls_files import URI, pki
from tests.transports.tls_kit import STRATEGIES, begin, enter, layered, told


def _greet(request: Any, client_address: object, server: object) -> None:
    request.sendall(b"hello")


def _visit(
    address: Any, way: str, context: ssl.SSLContext | None = None, *, bare: bool = False
) -> Any:
    """Go that way; return what came back, or how it broke off.

    Of a reset TLS may tell as of an end; so one can look at the bare connection.
    """
    try:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(enter(address, way, context))
            if bare:
                client = stack.enter_context(socket.socket(fileno=client.detach()))
                client.settimeout(PATIENCE)
            got = ending(client)
            leave(client)
            return got
    except ConnectionError as error:
        return type(error)


def test_each_policy_judges_what_is_known_at_its_place_in_the_order_of_the_chain(
    tmp_path: Path,
) -> None:
    judged: list[tuple[str, Any]] = []

    def note(where: str) -> Any:
        def judge(subject: Any) -> bool:
            judged.append((where, subject))
            return True

        return judge

    stage = (
        begin("tcp", "threaded", tmp_path)
        .access(note("hop"))
        .proxy_protocol(trusted="127.0.0.0/8")
        .access(note("client"))
        .access(note("client again"))
        .tls(pki().server.cert, pki().server.key, client_ca=pki().ca)
        .access(note("certificate"))
        .access(allow_networks("192.0.2.0/24"))  # by the peer, behind TLS as well
    )

    with serving(stage.handler(_greet)) as server:
        answer = _visit(server.address, "proxy+tls", pki().trusting(pki().client))

    assert answer == b"hello"
    assert [where for where, _ in judged] == ["hop", "client", "client again", "certificate"]
    hop, client, again, secured = (subject for _, subject in judged)
    assert hop.host == "127.0.0.1"
    assert isinstance(client, ProxiedPeer)
    assert (client.host, client.hop) == ("192.0.2.1", hop)
    assert client == again
    assert isinstance(secured, Secured)
    assert secured.peer == client
    assert secured.tls.certificate is not None


def _placed(place: str, strategy: str, folder: Path, policy: Any, refusal: Any) -> Any:
    way = {"accept": "", "hop": "proxy", "client": "proxy", "tls": "proxy+tls"}[place]
    if place in ("accept", "hop"):
        stage = begin("tcp", strategy, folder).access(policy, refusal=refusal)
        return stage if place == "accept" else stage.proxy_protocol(trusted="127.0.0.0/8")
    return layered(way, "tcp", strategy, folder).access(policy, refusal=refusal)


def _nobody(subject: object) -> bool:
    return False


@pytest.mark.parametrize(
    "refusal", [None, Reply(b"no\n"), Reset()], ids=["close", "reply", "reset"]
)
@pytest.mark.parametrize("place", ["client", "tls"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_refusal_in_the_worker_is_as_it_was_asked_for(
    strategy: str, place: str, refusal: Any, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = _placed(place, strategy, tmp_path, _nobody, refusal).observe(recorder)

    with told() as hears, serving(stage.observe(hears).handler(_greet)) as server:
        way, bare = "proxy+tls" if place == "tls" else "proxy", refusal == Reset()
        answer = _visit(server.address, way, bare=bare)

        assert hears.hear() == "Refused DENIED 1"
        (closed,) = recorder.wait_for(Closed)
        wait_for_active(server, 0)

    expected = {None: b"", Reset(): ConnectionResetError}.get(refusal, b"no\n")
    assert answer == expected
    assert closed.outcome is Outcome.DENIED
    assert (closed.received, closed.sent) == (0, 0)
    assert (server.stats.denied, server.stats.refused, server.stats.accepted) == (1, 0, 1)
    assert recorder.of(HandshakeFailed) == []


@pytest.mark.parametrize("place", ["accept", "hop"])
def test_a_refusal_in_the_accept_thread_has_no_id_and_no_end(place: str, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = _placed(place, "threaded", tmp_path, _nobody, Reply(b"no\n")).observe(recorder)

    with serving(stage.handler(_greet)) as server, connect(server.address) as client:
        answer = ending(client)
        (refused,) = recorder.wait_for(Refused)

    assert answer == b"no\n"
    assert refused.id is None
    assert recorder.of(Closed) == []
    assert (server.stats.denied, server.stats.refused, server.stats.accepted) == (0, 1, 0)


def test_the_event_of_a_refusal_names_the_client_and_the_rule(tmp_path: Path) -> None:
    recorder = Recorder()
    stage = layered("proxy", "tcp", "threaded", tmp_path).access(allow_networks("10.0.0.0/8"))

    with serving(stage.observe(recorder).handler(_greet)) as server:
        _visit(server.address, "proxy")
        (refused,) = recorder.wait_for(Refused)
        (closed,) = recorder.wait_for(Closed)

    assert refused.reason is RefusalReason.DENIED
    assert refused.id == closed.id == 1
    assert getattr(refused.peer, "host", None) == "192.0.2.1"
    assert closed.peer == refused.peer
    assert "10.0.0.0/8" in refused.detail


def test_a_large_reply_to_who_does_not_read_ends_with_the_handshakes_time(tmp_path: Path) -> None:
    recorder = Recorder()
    refusal = Reply(bytes(2**25))
    stage = layered("tls", "tcp", "threaded", tmp_path).access(_nobody, refusal=refusal)

    with (
        serving(stage.timeouts(handshake=0.5).observe(recorder).handler(_greet)) as server,
        pki().connect(server.address),
    ):
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.DENIED


@pytest.mark.parametrize("place", ["client", "tls"])
@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_a_policy_that_raises_denies(strategy: str, place: str, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = _placed(place, strategy, tmp_path, Fails(), None).observe(recorder)

    with told() as hears, serving(stage.observe(hears).handler(_greet)) as server:
        answer = _visit(server.address, "proxy+tls" if place == "tls" else "proxy")
        assert hears.hear() == "Refused POLICY_FAILED 1"
        (closed,) = recorder.wait_for(Closed)

    assert answer == b""
    assert closed.outcome is Outcome.DENIED


@pytest.mark.parametrize(
    ("policy", "whose", "allowed"),
    [
        (allow_certificates(), "client", True),
        (allow_certificates(), None, False),
        (allow_certificates(common_names=["device-7"]), "client", True),
        (allow_certificates(common_names=["device-8"]), "client", False),
        (allow_certificates(uris=[URI], dns_names=["other.example.org"]), "client", False),
        (allow_certificates(email_addresses=["seven@example.org"]), "client", True),
        (~allow_certificates(common_names=["device-7"]), "client", False),
        (~allow_certificates(), None, True),
    ],
)
def test_certificates_are_judged_behind_tls(
    policy: Any, whose: str | None, allowed: bool, tmp_path: Path
) -> None:
    stage = begin("tcp", "threaded", tmp_path).tls(
        *(pki().server.cert, pki().server.key), client_ca=pki().ca, client_certificate="optional"
    )
    own = [getattr(pki(), whose)] if whose else []

    with serving(stage.access(policy).handler(_greet)) as server:
        answer = _visit(server.address, "tls", pki().trusting(*own))

    assert answer == (b"hello" if allowed else b"")


@pytest.mark.parametrize("outcome", [Outcome.FINISHED, Outcome.DENIED, Outcome.HANDSHAKE_FAILED])
def test_a_policy_that_remembers_is_told_exactly_once_how_it_ended(
    outcome: Outcome, tmp_path: Path
) -> None:
    recorder, remembers = Recorder(), Remembers()
    stage = layered("proxy", "tcp", "threaded", tmp_path).access(remembers)
    if outcome is Outcome.DENIED:
        stage = stage.access(_nobody)
    if outcome is Outcome.HANDSHAKE_FAILED:
        stage = stage.tls(pki().server.cert, pki().server.key)

    with serving(stage.observe(recorder).handler(_greet)) as server:
        with enter(server.address, "proxy") as client:
            with contextlib.suppress(OSError):
                client.sendall(b"no TLS\r\n")
            ending(client)
        recorder.wait_for(Closed)
        wait_for_active(server, 0)

    assert len(remembers.entered) == 1
    assert remembers.left == [outcome]


def test_one_behind_a_step_that_reads_is_refused_under_fork(tmp_path: Path) -> None:
    stage = layered("proxy", "tcp", "forked", tmp_path)

    assert begin("tcp", "forked", tmp_path).access(Remembers()).handler(_greet).build()
    for policy in (Remembers(), Remembers() & allow_networks("::/0")):
        with pytest.raises(ConfigurationError, match="remembers"):
            stage.access(policy).handler(_greet).build()
