"""Dialling a backend: how the unit proves itself, and in which words a refusal comes back."""

from __future__ import annotations

import asyncio
import base64
import http
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from app.bridge.dialling import dial
from app.bridge.target import Target
from app.errors import (
    AppError,
    AuthFailed,
    Busy,
    Garbled,
    NotReachable,
    Refused,
    TimedOut,
    TlsRejected,
    ValueRejected,
)
from app.model.backend import SecurityProfile
from app.model.secret import Secret
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import central

PASSWORD = "s3cret-0123456789"


def target(url: str, **more: Any) -> Target:
    return Target(url=url, identity="BOX-1", subprotocol="ocpp1.6", **more)


@asynccontextmanager
async def backend(
    answer: Callable[[ServerConnection, Request], Response | None] | None = None,
    subprotocols: tuple[str, ...] = ("ocpp1.6",),
    select: Any = None,
) -> AsyncIterator[tuple[str, list[Request]]]:
    seen: list[Request] = []

    def look(link: ServerConnection, request: Request) -> Response | None:
        seen.append(request)
        return answer(link, request) if answer else None

    async def wait(link: ServerConnection) -> None:
        await link.wait_closed()

    offered = [Subprotocol(name) for name in subprotocols] or None
    async with serve(
        wait, "127.0.0.1", 0, process_request=look, subprotocols=offered, select_subprotocol=select, close_timeout=1
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp", seen


@pytest.mark.parametrize(
    ("profile", "is_hex", "sent"),
    [
        (SecurityProfile.NONE, False, None),
        (SecurityProfile.BASIC, False, b"BOX-1:00ff41"),
        (SecurityProfile.BASIC, True, b"BOX-1:\x00\xffA"),
    ],
)
async def test_the_login_is_the_passwords_bytes_and_goes_out_on_profiles_1_and_2_only(
    profile: SecurityProfile, is_hex: bool, sent: bytes | None
):
    async with backend() as (url, seen):
        link = await dial(target(url, security_profile=profile, secret=Secret("00ff41"), is_hex=is_hex))
        await link.close()
    assert seen[0].path == "/ocpp/BOX-1"
    assert seen[0].headers["Sec-WebSocket-Protocol"] == "ocpp1.6"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers
    told = seen[0].headers.get("Authorization")
    assert (base64.b64decode(told.removeprefix("Basic ")) if told else None) == sent


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, AuthFailed, "refuses the password of BOX-1"),
        (403, AuthFailed, "lets BOX-1 not in"),
        (404, Refused, "knows no BOX-1"),
        (503, Busy, "overloaded or closed"),
        (500, Refused, "refuses the connection (500)"),
        (302, Refused, "sends us elsewhere"),
    ],
)
async def test_a_refusal_comes_back_in_words_and_without_the_password(status: int, kind: type[AppError], words: str):
    def refuse(link: ServerConnection, _request: Request) -> Response:
        answer = link.respond(http.HTTPStatus(status), "no")
        answer.headers["Location"] = "ws://127.0.0.1:1/elsewhere"
        return answer

    async with backend(refuse) as (url, seen):
        with pytest.raises(kind) as caught:
            await dial(target(url, security_profile=SecurityProfile.BASIC, secret=Secret(PASSWORD)))
    assert words in caught.value.message
    assert caught.value.advice
    assert PASSWORD not in f"{caught.value.message} {caught.value.advice} {caught.value.__cause__!r}"
    assert len(seen) == 1  # a redirection is not followed: the password is not for others


@pytest.mark.parametrize("subprotocols", [("ocpp2.0.1",), ()])
async def test_a_backend_of_another_version_is_refused(subprotocols: tuple[str, ...]):
    async with backend(subprotocols=subprotocols, select=lambda *_: None) as (url, _):
        with pytest.raises(Refused, match="does not agree to"):
            await dial(target(url))


async def test_nobody_there_silence_and_no_websocket_are_told_apart(free_port: int):
    with pytest.raises(NotReachable, match="can't be reached"):
        await dial(target(f"ws://127.0.0.1:{free_port}"))
    with pytest.raises(NotReachable, match="can't be resolved"):
        await dial(target("ws://nobody.invalid/ocpp"))

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read(100)
        writer.close()

    over = asyncio.Event()
    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimedOut):
            await dial(target(f"ws://127.0.0.1:{port}"), limit_s=0.2)
        over.set()
    async with await asyncio.start_server(smtp, "127.0.0.1", 0) as server:
        with pytest.raises(Garbled):
            await dial(target(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"))


async def test_values_that_cannot_work_are_refused_before_anything_is_dialled():
    secret = Secret("not hex")
    with pytest.raises(ValueRejected, match="hexadecimal"):
        await dial(target("ws://127.0.0.1:1", security_profile=SecurityProfile.BASIC, secret=secret, is_hex=True))
    with pytest.raises(ValueRejected, match="wss://"):
        await dial(target("ws://127.0.0.1:1", security_profile=SecurityProfile.TLS_BASIC))
    with pytest.raises(ValueRejected, match="TLS"):
        await dial(target("wss://127.0.0.1:1", security_profile=SecurityProfile.TLS_BASIC, roots=("nonsense",)))
    with pytest.raises(ValueRejected, match="TLS"):
        await dial(target("wss://127.0.0.1:1", security_profile=SecurityProfile.TLS_CLIENT, chain="x", key=Secret("y")))
    with pytest.raises(ValueRejected, match="no address"):
        await dial(target("http://127.0.0.1:1"))


async def test_over_tls_the_backends_certificate_must_fit(wardrobe: Wardrobe, authority: Authority):
    async with central(wardrobe=lambda: wardrobe) as server:
        url = server.state.url.replace("ws:", "wss:")
        good = target(
            url, security_profile=SecurityProfile.TLS_BASIC, secret=Secret(PASSWORD), roots=(authority.root.pem,)
        )
        link = await dial(good)
        await link.close()
        with pytest.raises(TlsRejected, match="not trusted"):
            await dial(replace(good, roots=()))
        plain = replace(good, url=url.replace("127.0.0.1", "localhost.localdomain"))
        with pytest.raises(AppError):
            await dial(plain)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_on_profile_3_the_unit_shows_its_certificate(
    version: ssl.TLSVersion, authority: Authority, tmp_path: Path
):
    chain, key = authority.leaf("rsa", ("127.0.0.1", "localhost"))
    (tmp_path / "server.pem").write_text(key + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=authority.trusted_pem())
    context.verify_mode = ssl.CERT_REQUIRED
    shown: list[Any] = []

    async def look(link: ServerConnection) -> None:
        shown.append(link.transport.get_extra_info("peercert")["subject"])
        await link.wait_closed()

    papers = authority.client("BOX-1")
    async with serve(look, "127.0.0.1", 0, ssl=context, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        secured = target(
            url,
            security_profile=SecurityProfile.TLS_CLIENT,
            roots=(authority.root.pem,),
            chain=papers.chain_pem,
            key=papers.key_pem,
        )
        link = await dial(secured)
        await link.close()
        with pytest.raises(TlsRejected, match=r"hung up|failed"):
            await dial(replace(secured, security_profile=SecurityProfile.TLS_BASIC))
    assert shown == [((("organizationName", "Rehome"),), (("commonName", "BOX-1"),))]
