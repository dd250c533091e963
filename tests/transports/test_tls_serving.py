"""What is said over TLS, and how it ends, through real servers."""

import hashlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from acceptor import Certificate, Closed, Outcome, Secured, TlsView, tls_view
from acceptor.core.baton import Baton
from tests.core.kit import Gate, leave, wait_for_active
from tests.support import Recorder, connect, read_all, serving
from tests.tls_files import URI, Files, handshake, pki
from tests.transports.tls_kit import (
    STRATEGIES,
    TRANSPORTS,
    begin,
    begin_tls,
    echo_line,
    say,
    tell_view,
)

_MUCH = bytes(range(256)) * 2**12  # 1 MiB, more than any buffer here


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_tls_serves_each_transport_with_each_strategy(
    strategy: str, transport: str, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = begin(transport, strategy, tmp_path).tls(pki().server.cert, pki().server.key)

    with serving(stage.observe(recorder).handler(echo_line)) as server:
        client = pki().connect(server.address, maximum_version=version)
        answer = say(client)
        (closed,) = recorder.wait_for(Closed)

    assert answer == b"hello\n"
    assert closed.outcome is Outcome.FINISHED
    assert (closed.received, closed.sent) == (6, 6)


def _view_of(stage: Any, *own: Files, name: str | None = "localhost", **settings: Any) -> str:
    with serving(stage.handler(tell_view)) as server:
        context = pki().trusting(*own, **settings)
        context.check_hostname = False
        with handshake(connect(server.address), context, name) as client:
            return read_all(client).decode()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_view_tells_what_was_agreed_on(strategy: str) -> None:
    names = {"elsewhere": (pki().other.cert, pki().other.key)}
    stage = begin_tls(strategy, client_ca=pki().ca, alpn=["h2", "http/1.1"], sni=names)
    context = pki().trusting(pki().client, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_alpn_protocols(["http/1.1", "ftp"])

    with (
        serving(stage.handler(tell_view)) as server,
        handshake(connect(server.address), context) as client,
    ):
        told = read_all(client)

    assert told == b"TLSv1.2 http/1.1 localhost device-7"


def test_the_view_has_nothing_that_was_not_agreed_on() -> None:
    assert _view_of(begin_tls(), name=None) == "TLSv1.3 None None None"


def test_an_optional_certificate_may_be_missing_or_given_but_not_be_bad() -> None:
    stage = begin_tls(client_ca=pki().ca, client_certificate="optional")

    assert _view_of(stage).endswith(" None")
    assert _view_of(stage, pki().client).endswith(" device-7")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _view_of(stage, pki().foreign)


def test_a_certificate_that_nobody_asked_for_is_not_in_the_view() -> None:
    assert _view_of(begin_tls(), pki().client).endswith(" None")


def test_the_certificate_is_told_in_full_to_policy_and_handler() -> None:
    seen: list[TlsView] = []

    def note(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        seen.append(tls_view(request))

    def judge(client: Secured[Any]) -> bool:
        seen.append(client.tls)
        return True

    stage = begin_tls(client_ca=pki().ca).access(judge).handler(note)
    with serving(stage) as server, pki().connect(server.address, pki().client) as client:
        assert client.recv(1) == b""

    der = ssl.PEM_cert_to_DER_cert(pki().client.cert.read_text())
    it = seen[0].certificate
    assert isinstance(it, Certificate)
    assert seen == [seen[0]] * 2
    assert it.subject == (("commonName", "device-7"),)
    assert it.issuer == (("commonName", "ca"),)
    assert it.dns_names == ("seven.example.org",)
    assert it.uris == (URI,)
    assert it.email_addresses == ("seven@example.org",)
    assert it.fingerprint == hashlib.sha256(der).hexdigest()
    assert it.der == der
    assert it.not_before < it.not_after


def test_tls_view_refuses_what_came_through_no_tls() -> None:
    with socket.socket() as plain, pytest.raises(TypeError, match=r"came through \.tls"):
        tls_view(plain)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["files", "contexts"])
@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("www.example.org", "www.example.org"),
        ("WWW.Example.ORG", "www.example.org"),
        ("a.example.org", "www.example.org"),  # by *.example.org
        ("a.b.example.org", "localhost"),
        ("nobody.test", "localhost"),
        (None, "localhost"),
    ],
)
def test_the_name_that_a_client_asks_for_chooses_the_certificate(
    name: str | None, subject: str, given: str
) -> None:
    other: Any = (pki().other.cert, pki().other.key)
    if given == "contexts":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*other)
        other = context
    stage = begin_tls(sni={"www.example.org": other, "*.Example.org": other})

    with serving(stage.handler(echo_line)) as server:
        context = pki().trusting(check_hostname=False)
        with handshake(connect(server.address), context, name) as client:
            certificate: Any = client.getpeercert()

    assert certificate["subject"] == ((("commonName", subject),),)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_large_reply_arrives_whole_though_more_was_sent_than_read(strategy: str) -> None:
    recorder = Recorder()

    def reply(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        request.recv(1)
        gate.wait()  # until all is here: a server that is sync waits for nothing when it closes
        request.sendall(memoryview(_MUCH))

    with Gate.shut() as gate, serving(begin_tls(strategy).handler(reply).observe(recorder)) as it:
        with pki().connect(it.address) as client:  # which raises if there is no close_notify
            client.sendall(bytes(100_000))
            gate.let(1)
            got = read_all(client)
            leave(client)
        (closed,) = recorder.wait_for(Closed)

    assert got == _MUCH
    assert closed.sent == len(_MUCH)
    assert closed.outcome is Outcome.FINISHED


def test_close_does_not_wait_for_ever_for_the_end_of_the_client() -> None:
    recorder = Recorder()

    with (
        serving(begin_tls().observe(recorder).handler(echo_line)) as server,
        pki().connect(server.address) as client,
    ):
        client.sendall(b"hello\n")
        recorder.wait_for(Closed)  # the client neither answers nor leaves
        wait_for_active(server, 0)


@pytest.mark.parametrize("way", ["sendall", "makefile", "sendfile", "send", "write"])
def test_every_way_to_send_counts_and_arrives(way: str, tmp_path: Path) -> None:
    recorder = Recorder()
    (tmp_path / "much").write_bytes(_MUCH)

    def reply(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        if way == "makefile":
            with request.makefile("wb") as file:
                file.write(_MUCH)
        elif way == "sendfile":
            with (tmp_path / "much").open("rb") as file:
                assert request.sendfile(file) == len(_MUCH)
        elif way == "sendall":
            request.sendall(_MUCH)
        else:
            assert getattr(request, way)(_MUCH) == len(_MUCH)

    with serving(begin_tls().observe(recorder).handler(reply)) as server:
        with pki().connect(server.address) as client:
            got = read_all(client)
        (closed,) = recorder.wait_for(Closed)

    assert got == _MUCH
    assert closed.sent == len(_MUCH)


def _untyped(request: Any) -> Any:
    return request  # the checkers know that it cannot


def test_flags_and_messages_are_refused_as_ssl_does() -> None:
    raised: list[type[Exception]] = []

    def try_all(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        calls: list[Any] = [
            lambda: request.recv(1, socket.MSG_PEEK),
            lambda: request.recv_into(bytearray(1), 1, socket.MSG_PEEK),
            lambda: request.send(b"x", socket.MSG_OOB),
            lambda: request.sendall(b"x", socket.MSG_OOB),
            lambda: request.recvfrom(1),
            lambda: _untyped(request).recvmsg(1),
            lambda: _untyped(request).sendmsg([b"x"]),
            request.dup,
        ]
        for call in calls:
            try:
                call()
            except (ValueError, NotImplementedError) as error:
                raised.append(type(error))

    with serving(begin_tls().handler(try_all)) as server, pki().connect(server.address) as client:
        assert client.recv(1) == b""

    assert raised == [ValueError] * 5 + [NotImplementedError] * 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_client_that_breaks_off_has_left(strategy: str) -> None:
    recorder = Recorder()

    def flood(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        request.sendall(b"!")
        while True:
            request.sendall(_MUCH)

    with serving(begin_tls(strategy).observe(recorder).handler(flood)) as server:
        with pki().connect(server.address) as client:
            assert client.recv(1) == b"!"
            leave(client)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT


def test_garbage_in_the_middle_is_the_clients_fault() -> None:
    recorder = Recorder()

    with (
        serving(begin_tls().observe(recorder).handler(echo_line)) as server,
        pki().connect(server.address) as client,
        socket.socket(fileno=client.detach()) as bare,
    ):
        bare.sendall(b"no TLS at all" * 10)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT


def test_an_error_of_the_handlers_own_tls_is_a_failure() -> None:
    recorder = Recorder()

    def fail(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        raise ssl.SSLError(1, "elsewhere")

    with serving(begin_tls().observe(recorder).handler(fail)) as server:
        with pki().connect(server.address) as client:
            assert client.recv(1) == b""
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FAILED


def test_tls_read_of_what_is_here_already_gives_no_turn_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up, counts = list[int](), list[int]()
    give_up = Baton.give_up

    def count(baton: Baton) -> bool:
        given_up.append(threading.get_ident())
        return give_up(baton)

    def read_one_by_one(request: socket.socket, peer: Any, server: Any) -> None:
        request.recv(1)
        before = given_up.count(threading.get_ident())
        request.recv(1)
        counts.append(given_up.count(threading.get_ident()) - before)

    monkeypatch.setattr(Baton, "give_up", count)
    ready = begin_tls().handler(read_one_by_one)
    with serving(ready) as server, pki().connect(server.address) as client:
        client.sendall(b"ab")
        read_all(client)

    assert counts == [0]
