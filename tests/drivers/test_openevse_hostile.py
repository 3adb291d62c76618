"""The OpenEVSE gateway driver against logins of both eras and answers no gateway should give."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from app.driver.capability import (
    Identifies,
    ReadsSettings,
    ReportsStatus,
    WritesSettings,
)
from app.driver.session import Session
from app.drivers import openevse_wifi
from app.errors import AuthFailed, Garbled, Unexpected
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.setting import Change
from tests.drivers.openevse_kit import PROFILE, OneLogin, gateway, session_of

# Logins, both eras


@pytest.mark.parametrize(
    ("firmware", "config", "login"),
    [
        ("v5.1.5", {"www_username": "admin", "www_password": "pw"}, ("admin", "pw")),
        ("v5.1.5", {"www_username": "admin"}, ("admin", "")),
        ("head", {"www_username": "admin", "www_password": "pw"}, ("admin", "pw")),
        ("head", {"www_password": "pw"}, ("openevseadmin", "pw")),
    ],
)
async def test_the_login_of_both_eras(firmware: str, config: dict[str, str], login: tuple[str, str]):
    async with gateway(firmware, config=config) as unit:
        for links in (RealLinks(), OneLogin(login[0], "wrong")):
            with pytest.raises(AuthFailed) as caught:
                async with session_of(unit, links):
                    pass
            assert "openevseadmin" in caught.value.advice
        async with session_of(unit, OneLogin(*login)) as session:
            assert (await session.ask(Identifies).identify()).serial


@pytest.mark.parametrize(
    ("firmware", "config"), [("v5.1.5", {"www_password": "pw"}), ("head", {"www_username": "admin"})]
)
async def test_half_a_login_is_none(firmware: str, config: dict[str, str]):
    async with gateway(firmware, config=config) as unit, session_of(unit) as session:
        assert session.is_open


async def test_too_many_wrong_passwords_lock_head():
    async with gateway("head", config={"www_password": "pw"}) as unit:
        message = ""
        for _ in range(12):
            with pytest.raises(AuthFailed) as caught:
                async with session_of(unit, OneLogin("openevseadmin", "wrong")):
                    pass
            message = caught.value.message
        assert "locked" in message
        async with session_of(unit, OneLogin("openevseadmin", "pw")) as session:
            assert session.is_open


async def test_a_locked_unit_is_known_by_its_fingerprint():
    async with gateway(config={"www_username": "admin", "www_password": "pw"}) as unit:
        identity = await openevse_wifi.probe(unit.address, PROFILE, RealLinks())
        assert identity is not None
        assert identity.vendor == "OpenEVSE"
        assert identity.claims == ()


async def test_changing_the_login_is_no_failure():
    async with gateway() as unit, session_of(unit) as session:
        result = await session.ask(WritesSettings).write_setting(Change(key="www_username", before="", after="admin"))
        assert result.is_accepted
        assert "login" in result.note
        with pytest.raises(AuthFailed):
            await session.ask(ReadsSettings).read_settings()


# Hostile answers


async def answer_with(body: bytes, ask: Callable[[Session], Awaitable[Any]], *, status: str = "200 OK") -> None:
    """Open a session with a good gateway, then let every further answer be this body."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        address = NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        async with openevse_wifi.open_session(address, PROFILE, RealLinks()) as session:
            await ask(session)
    finally:
        server.close()
        await server.wait_closed()


async def nothing(session: Session) -> None:
    raise AssertionError("a session opened on garbage")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"wifi_serial": "24',
        b"[1,2,3]",
        b"null",
        b'"openevse"',
        b"\xff\xfe\x00",
        b"<html>login</html>",
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a":"' + b"x" * 10_000_000 + b'"}',
    ],
    ids=["empty", "open", "cut", "list", "null", "text", "bytes", "html", "deep list", "deep object", "10 MB"],
)
async def test_malformed_answers_are_garbled(body: bytes):
    with pytest.raises(Garbled) as caught:
        await answer_with(body, nothing)
    assert caught.value.advice


@pytest.mark.parametrize("status", ["301 Moved", "404 Not Found", "500 Oops"])
async def test_another_devices_answers_are_unexpected(status: str):
    with pytest.raises(Unexpected):
        await answer_with(b"{}", nothing, status=status)
    with pytest.raises(Unexpected):
        await answer_with(b'{"name":"printer"}', nothing)


async def test_absurd_values_are_left_out():
    body = (
        b'{"wifi_serial":"<b>x</b>","version":5,"hostname":null,"ocpp_server":7,"state":"3","amp":true,"voltage":1e400,'
        b'"power":"lots","temp":false,"total_energy":1e300,"srssi":[],"vehicle":{},"ocpp_connected":"yes"}'
    )

    async def ask(session: Session) -> None:
        identity = await session.ask(Identifies).identify()
        assert identity.serial == "<b>x</b>"
        assert identity.mac == ""
        status = await session.ask(ReportsStatus).status()
        assert status.readings == ()
        assert status.state == ""
        assert status.link.is_connected is None

    await answer_with(body.replace(b"1e400", b"1e30"), ask)


async def test_deep_long_and_many_values_are_bounded():
    deep = b"[" * 900 + b"]" * 900
    body = b'{"wifi_serial":"24","hostname":"' + b"h" * 100_000 + b'","odd":' + deep + b"}"

    async def ask(session: Session) -> None:
        snapshot = await session.ask(ReadsSettings).read_settings()
        odd = snapshot.get("odd")
        assert odd is not None
        assert odd.value == "…"
        assert len((await session.ask(Identifies).identify()).name) == 200

    await answer_with(body, ask)
    many = b",".join(b'"k%d":1' % number for number in range(5000))
    with pytest.raises(Garbled):
        await answer_with(b'{"wifi_serial":"24",' + many + b"}", nothing)


async def test_probe_of_another_web_server_is_none():
    for body in (b"hello", b"openevse2", b""):
        server = await asyncio.start_server(_says(body), "127.0.0.1", 0)
        address = NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        assert await openevse_wifi.probe(address, PROFILE, RealLinks()) is None
        server.close()
        await server.wait_closed()


def _says(body: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    return serve_one
