"""A strict listener refuses what the standards refuse, and says where it lies; a tolerant one takes it in."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from app.model.listening import ListenPlan
from app.model.secret import Secret
from tests.ocpp.endpoint_kit import HOST, Site, masked, raw, rest, site, unit, upgrade

GOOD = upgrade().decode()


def strict(profile: int | None = None) -> dict[str, Any]:
    return {"plan": ListenPlan(host=HOST, port=0, is_strict=True, security_profile=profile)}


async def answer(here: Site, request: bytes) -> bytes:
    async with raw(here) as (reader, writer):
        writer.write(request)
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)


def changed(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


def place(request: bytes, text: bytes) -> str:
    return f"byte {request.index(text)}"


FAULTY = {
    "no host": (changed("Host: here\r\n", ""), 400, "Host header is missing (missing"),
    "two hosts": (
        changed("Host: here\r\n", "Host: here\r\nHost: there\r\n"),
        400,
        "Host stands there 2 times (byte 20)",
    ),
    "no upgrade": (changed("Upgrade: websocket\r\n", ""), 400, "“Upgrade: websocket” is missing"),
    "other connection": (
        changed("Connection: Upgrade", "Connection: keep-alive"),
        400,
        "Connection says “keep-alive” instead of Upgrade",
    ),
    "no key": (changed("Sec-WebSocket-Key", "X-Key"), 400, "Sec-WebSocket-Key is missing"),
    "short key": (changed("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: AAAA"), 400, "is not the base64 of 16 bytes"),
    "old version": (changed("Version: 13", "Version: 8"), 426, "“8” instead of 13"),
    "no version": (changed("Sec-WebSocket-Version: 13\r\n", ""), 400, "“” instead of 13"),
    "post": (changed("GET", "POST"), 400, "method POST instead of GET (byte 0)"),
    "http/1.0": (changed("HTTP/1.1", "HTTP/1.0"), 400, "HTTP/1.0 instead of HTTP/1.1"),
    "blank before colon": (changed("Host:", "Host :"), 400, "a blank before the colon of Host (byte 24)"),
    "cut line": (changed("Host: here", "Host: here\r\nSec-WebSo"), 400, "a header line without a colon: “Sec-WebSo”"),
    "raw umlaut": (changed("/CP-1", "/CPä1"), 400, "must be percent-encoded (byte 7)"),
    "no identity": (changed("/CP-1", "/ocpp/"), 404, "names no identity"),
    "carriage returns alone": (GOOD.replace("\r\n", "\r").encode(), 400, "without its line feed"),
}
LETS_PASS = {"no identity"}


@pytest.mark.parametrize("name", FAULTY)
async def test_a_strict_listener_refuses_as_the_standard_says_and_names_the_place(name: str):
    request, status, words = FAULTY[name]
    async with site(**strict()) as here:
        said = await answer(here, request)
        assert said.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"Sec-WebSocket-Version: 13" in said) == (status == 426)
        told = await here.knock("refused")
        assert words in told.text
        assert not here.server.endpoints
        codes = {finding.code for finding in here.server.findings_of(told)}
        assert ("URL-COMPOSE" if name == "no identity" else "HS-HEADER") in codes
        assert not here.server.manners, "who was not let in costs no memory"


@pytest.mark.parametrize("name", FAULTY)
async def test_a_tolerant_listener_takes_the_same_in_and_reports_it(name: str):
    request, _, _ = FAULTY[name]
    async with site() as here, raw(here) as (reader, writer):
        writer.write(request)
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(masked(b'[2,"1","Heartbeat",{}]'))
        assert b"currentTime" in await asyncio.wait_for(reader.read(1000), 5)
        (endpoint,) = here.server.endpoints.values()
        assert bool(endpoint.handshake.deviations) == (name not in LETS_PASS)
        assert not endpoint.handshake.is_strict


async def test_a_strict_listener_lets_a_good_unit_in():
    async with site(**strict()) as here, unit(here):
        assert here.server.endpoints["CP-1"].handshake.is_strict


@pytest.mark.parametrize("newline", ["\n", "\r\r\n"])
async def test_odd_line_ends_are_read(newline: str):
    async with site() as here:
        assert b" 101 " in await answer(here, upgrade(newline=newline))
        (endpoint,) = here.server.endpoints.values()
        assert endpoint.handshake.deviations


@pytest.mark.parametrize(
    ("offered", "is_let_in"), [([], False), (["chat"], False), (["ocpp2.0"], False), (["ocpp1.5", "ocpp1.6"], True)]
)
async def test_without_a_common_version_strict_answers_101_without_a_subprotocol_and_closes(
    offered: list[str], is_let_in: bool
):
    async with site(**strict()) as here:
        async with websockets.connect(here.url + "CP", subprotocols=offered or None) as link:
            assert link.subprotocol == ("ocpp1.6" if is_let_in else None)
            if is_let_in:
                return
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(link.recv(), 5)
        assert "OCPP" in (await here.knock("version")).text
        assert not here.server.endpoints


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        (None, b"", "no readable Authorization"),
        ("CP-2", b"right-password-1", "user name is “CP-2”"),
        ("CP-1", b"wrong", "its password is wrong"),
        ("CP-1", b"right-password-1".hex().encode(), "hexadecimal text"),
        ("CP-1", b"right-password-1", ""),
    ],
)
async def test_profile_one_wants_the_password(user: str | None, password: bytes, words: str):
    token = base64.b64encode(f"{user}:".encode() + password).decode()
    extra = f"Authorization: Basic {token}" if user else ""
    async with site(expected=lambda _: Secret("right-password-1"), **strict(1)) as here:
        said = await answer(here, upgrade(extra=extra))
        if not words:
            assert b" 101 " in said
            return
        assert said.startswith(b"HTTP/1.1 401 ")
        assert b'WWW-Authenticate: Basic realm="OCPP"' in said
        told = await here.knock("refused")
        assert words in told.text
        assert "right-password" not in repr(told)
        assert token not in repr(told)


async def test_profile_two_wants_tls():
    async with site(**strict(2)) as here:
        assert (await answer(here, upgrade())).startswith(b"HTTP/1.1 401 ")
        assert "wants TLS" in (await here.knock("refused")).text


async def test_a_unit_is_refused_as_an_experiment_asks():
    async with site() as here:
        for status in (503, 404, 499):
            here.server.manner("CP-1").refuses_upgrade = status
            assert (await answer(here, upgrade())).startswith(f"HTTP/1.1 {status} ".encode())
        here.server.manner("CP-1").refuses_upgrade = 0
        assert b" 101 " in await answer(here, upgrade())


async def test_what_is_no_upgrade_is_answered_the_same_way():
    async with site(**strict(2)) as here, raw(here) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 426 ")
