"""Dialling a backend as a charger would: every answer has a name, and the password stands in none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from app.diagnosis.catalogue import explain
from app.jobs import checking
from app.jobs.checking import ask
from app.model.secret import Secret
from app.model.triage import Answering
from app.sim.backend import NewBackend
from tests.catalogue.kit import is_told_whole

SECRET = Secret("open:sesame/1")


@contextlib.asynccontextmanager
async def answering(answer: bytes, *, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that reads one request and answers these bytes."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


def http(status: str, headers: str = "", body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}".encode()


async def test_a_backend_that_knows_the_identity_takes_it_and_is_left_at_once() -> None:
    async with NewBackend({"CP1": SECRET.reveal()}) as new:
        answer = await ask(f"{new.url}/CP1", identity="CP1", secret=SECRET)
        assert answer.is_good
        assert answer.code == ""


async def test_a_backend_is_asked_in_the_version_the_charger_speaks() -> None:
    async with NewBackend() as new:
        new.provision("CS-1", SECRET.reveal(), version="2.0.1")
        good = await ask(f"{new.url}/CS-1", identity="CS-1", secret=SECRET, version="2.0.1")
        bad = await ask(f"{new.url}/CS-1", identity="CS-1", secret=SECRET, version="2.1")
    assert good.is_good
    assert bad.verdict == "refused"
    assert "SUBPROTO-NONE" in bad.alike


async def test_a_backend_that_agrees_on_another_version_than_asked_is_told_from_a_proxy() -> None:
    accept = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in request.splitlines() if line.startswith("Sec-WebSocket-Key"))
        writer.write(accept + f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await ask(f"ws://127.0.0.1:{port}/CS-1", identity="CS-1", secret=SECRET, version="2.0.1")
    assert (answer.verdict, answer.code) == ("refused", "SUBPROTO-NONE")
    assert "Sec-WebSocket-Protocol: ocpp1.6" in answer.lines
    (finding,) = answer.findings("ws://new.example/CS-1", "CS-1")
    assert "speaks ocpp2.0.1" in explain(finding).remedy
    is_told_whole(finding)


async def test_an_unknown_identity_is_told_from_a_wrong_path() -> None:
    async with NewBackend({"CP1": SECRET.reveal()}) as new:
        unknown = await ask(f"{new.url}/CP2", identity="CP2", secret=SECRET)
        astray = await ask(f"{new.url}x/CP1", identity="CP1", secret=SECRET)
    assert (unknown.code, astray.code) == ("ID-UNKNOWN", "URL-COMPOSE")
    (finding,) = unknown.findings(f"{new.url}/CP2", "CP2")
    assert "the path is right" in explain(finding).cause


async def test_telling_them_apart_takes_two_more_questions_and_never_the_password() -> None:
    async with answering(http("404 Not Found")) as (port, heard):
        await ask(f"ws://127.0.0.1:{port}/ocpp/CP1", identity="CP1", secret=SECRET)
    assert len(heard) == 3
    assert b"Authorization" in heard[0]
    assert b"Authorization" not in heard[1] + heard[2]
    assert heard[1].startswith(b"GET /ocpp/REHOME-TEST-")
    assert not heard[2].startswith(b"GET /ocpp/")


async def test_an_answer_that_repeats_the_question_is_no_difference() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        writer.write(http("404 Not Found", "", f"nothing at {path}, request 4711"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await ask(f"ws://127.0.0.1:{port}/ocpp/CP1", identity="CP1", secret=SECRET)
    assert answer.code == "URL-COMPOSE"
    assert answer.alike == ("ID-UNKNOWN",)


async def test_a_backend_that_takes_and_closes_at_once_is_told_by_its_close_code() -> None:
    async def refuse(link: ServerConnection) -> None:
        await link.close(1013, "already connected")

    async with serve(refuse, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        answer = await ask(f"ws://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert (answer.verdict, answer.code) == ("refused", "ZOMBIE-SESSION")
    assert "1013" in answer.text


async def test_a_backend_with_ipv6_alone_works_and_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def six(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        if host != "six.example":
            return await real(host, port, **more)  # type: ignore[arg-type]
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))]

    async def take(link: ServerConnection) -> None:
        await link.wait_closed()

    try:
        server = await serve(take, "::1", 0, subprotocols=["ocpp1.6"])
    except OSError:
        pytest.skip("no IPv6 here")
    async with server:
        port = next(iter(server.sockets)).getsockname()[1]
        monkeypatch.setattr(loop, "getaddrinfo", six)
        answer = await ask(f"ws://six.example:{port}/CP1", identity="CP1", secret=SECRET)
    assert answer.is_good
    (finding,) = answer.findings("ws://six.example/CP1", "CP1")
    assert finding.code == "DNS-FAIL"
    assert "IPv4" in explain(finding).cause


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        ("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n', "AUTH-401"),
        ("403 Forbidden", "", "AUTH-401"),
        ("404 Not Found", "", "URL-COMPOSE"),
        ("400 Bad Request", "", "ID-SPELLING"),
        ("400 Bad Request", "Server: nginx/1.18\r\n", "PROXY-CDN"),
        ("426 Upgrade Required", "", "PROXY-CDN"),
        ("500 Oops", "", "ID-UNKNOWN"),
        ("503 Busy", "", "ZOMBIE-SESSION"),
        ("302 Found", "Location: https://elsewhere.example/\r\n", ""),
    ],
)
async def test_every_refusal_has_a_name_and_shows_what_was_answered(status: str, headers: str, code: str) -> None:
    async with answering(http(status, headers, "why not")) as (port, _):
        answer = await ask(f"ws://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert (answer.verdict, answer.code) == ("refused", code)
    assert status.split()[0] in answer.text
    assert answer.lines[0] == f"HTTP {status}"
    assert "why not" in answer.lines
    for finding in answer.findings("ws://x/CP1", "CP1"):
        is_told_whole(finding)


async def test_the_request_is_that_of_a_charger() -> None:
    async with answering(http("404 Not Found")) as (port, heard):
        await ask(f"ws://127.0.0.1:{port}/ocpp/CP%201", identity="CP 1", secret=SECRET)
    request = heard[0].decode()
    assert request.startswith("GET /ocpp/CP%201 HTTP/1.1\r\n")
    assert "Sec-WebSocket-Protocol: ocpp1.6\r\n" in request
    assert "Authorization: Basic Q1AgMTpvcGVuOnNlc2FtZS8x\r\n" in request


async def test_a_password_sent_back_by_the_backend_is_masked() -> None:
    async with answering(http("401 No", "", f"wrong: {SECRET.reveal()}")) as (port, _):
        answer = await ask(f"ws://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert SECRET.reveal() not in repr(answer)


@pytest.mark.parametrize(
    "answer", [b"", b"\x15\x03\x01\x00\x02\x02\x46", b"SSH-2.0-x\r\n", b"HTTP/1.1 101 x\r\n\r\n", b"x" * 200_000]
)
async def test_what_is_no_backend_is_called_odd(answer: bytes) -> None:
    async with answering(answer) as (port, _):
        found = await ask(f"ws://127.0.0.1:{port}/CP1", identity="CP1", secret=Secret(""))
    assert found.verdict == "odd"
    assert found.code in ("SCHEME-PORT", "PROXY-CDN")


async def test_nobody_there_is_not_held_against_the_backend(free_port: int) -> None:
    answer = await ask(f"ws://127.0.0.1:{free_port}/CP1", identity="CP1", secret=SECRET)
    assert (answer.verdict, answer.code) == ("unreachable", "")


async def test_a_name_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_args: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    answer = await ask("ws://does-not-exist.invalid/CP1", identity="CP1", secret=SECRET)
    assert answer.verdict == "unreachable"
    assert answer.code == "DNS-FAIL"


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)], capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl program here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_nobody_knows_is_named(self_signed: ssl.SSLContext) -> None:
    async with answering(http("404 x"), context=self_signed) as (port, _):
        answer = await ask(f"wss://localhost:{port}/CP1", identity="CP1", secret=SECRET)
    assert (answer.verdict, answer.code) == ("refused", "TLS-TRUST")


@pytest.fixture
def short_lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS with a certificate that this computer trusts, for five days."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "5", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)], capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl program here")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_runs_out_soon_is_told_beside_a_good_answer(short_lived: ssl.SSLContext) -> None:
    async def take(link: ServerConnection) -> None:
        await link.wait_closed()

    async with serve(take, "127.0.0.1", 0, ssl=short_lived, subprotocols=["ocpp1.6"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        answer = await ask(f"wss://localhost:{port}/CP1", identity="CP1", secret=SECRET)
        elsewhere = await ask(f"wss://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert answer.is_good
    (finding,) = answer.findings("wss://localhost/CP1", "CP1")
    assert "valid for 4 more days" in explain(finding).cause or "valid for 5 more days" in explain(finding).cause
    assert (elsewhere.verdict, elsewhere.code) == ("refused", "TLS-NAME")


async def test_tls_to_a_plain_port_is_named() -> None:
    async with NewBackend({}) as new:
        port = new.url.rsplit(":", 1)[1].split("/")[0]
        answer = await ask(f"wss://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert (answer.verdict, answer.code) in (("odd", "SCHEME-PORT"), ("refused", "TLS-SUITE"))


async def test_the_login_stands_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("websockets", "websockets.client", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with answering(http("404 Not Found")) as (port, heard):
        await ask(f"ws://127.0.0.1:{port}/CP1", identity="CP1", secret=SECRET)
    assert b"Q1AxOm9wZW46c2VzYW1lLzE=" in heard[0]
    assert "Q1AxOm9wZW46c2VzYW1lLzE=" not in caplog.text


@pytest.mark.parametrize(
    ("bytes_", "verdict"),
    [
        (http("401 Unauthorized"), Answering.YES),
        (http("404 Not Found"), Answering.YES),
        (http("502 Bad Gateway"), Answering.REFUSES),
        (http("301 Moved", "Location: https://sale.example\r\n"), Answering.REFUSES),
        (b"SSH-2.0-OpenSSH\r\n", Answering.REFUSES),
        (b"", Answering.REFUSES),
    ],
)
async def test_what_answers_at_an_old_address_is_told_apart(bytes_: bytes, verdict: Answering) -> None:
    async with answering(bytes_) as (port, heard):
        assert await checking.answering(f"ws://127.0.0.1:{port}/ocpp") is verdict
    assert b"REHOME-TEST-" in heard[0]  # never under the charger's own identity


async def test_a_backend_that_lives_keeps_its_charger(free_port: int) -> None:
    async with NewBackend({"CP1": SECRET.reveal()}) as new:
        assert await checking.answering(new.url) is Answering.YES
        assert not new.stations
    assert await checking.answering(f"ws://127.0.0.1:{free_port}/ocpp") is Answering.NO
    assert await checking.answering("ws://no-such-host.invalid/ocpp") in (Answering.NO, Answering.CANT_TELL)
