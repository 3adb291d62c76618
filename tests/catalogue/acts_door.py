"""Provocations before a connection: dialling, TLS, and the check of a backend."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from typing import Any

from app.sim.backend import NewBackend
from tests.catalogue.acts import (
    BASIC_WRONG,
    answering,
    check,
    dial_secure,
    provokes,
    upgrading,
)
from tests.catalogue.kit import Rig, Where
from tests.catalogue.peers import tls_hello, tls_last_words
from tests.ocpp.endpoint_kit import raw, rest, unit, upgrade

# Dialling


@provokes("URL-COMPOSE")
async def doubles_its_identity(rig: Rig) -> None:
    async with unit(rig.site, path="/ocpp/CP-1/CP-1"):
        pass


@provokes("URL-COMPOSE")
async def glues_its_identity(rig: Rig) -> None:
    async with unit(rig.site, path="/ocppCP-1"):
        pass


@provokes("URL-COMPOSE", where=Where.BACKEND, case="backend")
async def dials_a_wrong_path(rig: Rig) -> None:
    async with NewBackend({"CP-1": ""}) as backend:
        await check(rig, f"{backend.url}/astray/CP-1")


@provokes("SUBPROTO-NONE")
async def offers_no_version(rig: Rig) -> None:
    async with unit(rig.site, subprotocols=None):
        pass


@provokes("SUBPROTO-NONE", where=Where.BACKEND, case="backend")
async def meets_a_backend_of_another_version(rig: Rig) -> None:
    async with upgrading("ocpp9") as url:
        await check(rig, f"{url}/CP-1")


@provokes("ID-UNKNOWN", where=Where.BACKEND)
async def is_not_registered(rig: Rig) -> None:
    async with NewBackend({"OTHER": ""}) as backend:
        await check(rig, f"{backend.url}/CP-1")


@provokes("ID-UNKNOWN", where=Where.BACKEND)
async def meets_an_old_backend_that_fails(rig: Rig) -> None:
    async with answering(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n") as url:
        await check(rig, f"{url}/CP-1")


@provokes("AUTH-401")
async def sends_another_password(rig: Rig) -> None:
    async with unit(rig.site, "SECRET-1", additional_headers=BASIC_WRONG):
        pass


@provokes("AUTH-401", where=Where.BACKEND, case="backend")
async def is_refused_by_its_password(rig: Rig) -> None:
    async with NewBackend({"CP-1": "another-word-16b"}) as backend:
        await check(rig, f"{backend.url}/CP-1")


@provokes("SCHEME-PORT", plan={"tls": False})
async def speaks_tls_to_a_plain_port(rig: Rig) -> None:
    await tls_hello(rig, rig.trusting())


@provokes("SCHEME-PORT", case="foreign")
async def speaks_a_protocol_of_its_own(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(b"\x00\x01\x02\x03JUICE")
        await rest(reader)


@provokes("SCHEME-PORT", case="port-twice")
async def types_the_port_twice(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade().replace(b"Host: here", b"Host: csms.example:8180:443"))
        await reader.readuntil(b"\r\n\r\n")


@provokes("SCHEME-PORT", case="empty")
async def knocks_without_a_word(rig: Rig) -> None:
    for _ in range(3):
        async with raw(rig.site) as (reader, writer):
            writer.write_eof()
            await rest(reader)


@provokes("SCHEME-PORT", where=Where.BACKEND, case="backend")
async def speaks_tls_to_a_plain_backend(rig: Rig) -> None:
    async with NewBackend({"CP-1": ""}) as backend:
        await check(rig, f"{backend.url.replace('ws://', 'wss://')}/CP-1")


@provokes("HS-HEADER")
async def forgets_the_connection_header(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade(skip=("Connection",)))
        await reader.readuntil(b"\r\n\r\n")


@provokes("HS-HEADER", case="refused")
async def stops_in_the_middle_of_its_request(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(b"GET /CP-1 HTTP/1.1\r\nHost: here\r\nUpgr")
        writer.write_eof()
        await rest(reader)


@provokes("HS-HEADER", case="refused", plan={"is_strict": True})
async def forgets_the_key_at_a_strict_door(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade(skip=("Key",)))
        await rest(reader)


@provokes("AUTH-401", plan={"is_strict": True, "security_profile": 1})
async def comes_without_a_login_to_a_strict_door(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade())
        await rest(reader)


@provokes("SCHEME-PORT", case="plain", plan={"is_strict": True, "security_profile": 2})
async def comes_plain_to_a_secure_door(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade())
        await rest(reader)


@provokes("URL-COMPOSE", plan={"is_strict": True})
async def names_nobody_at_a_strict_door(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade("/ocpp"))
        await rest(reader)


@provokes("SUBPROTO-NONE", plan={"is_strict": True})
async def offers_nothing_at_a_strict_door(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade(skip=("Protocol",)))
        await rest(reader)


@provokes("ID-SPELLING")
async def has_a_blank_in_its_name(rig: Rig) -> None:
    async with unit(rig.site, path="/CP%201"):
        pass


@provokes("ID-SPELLING", case="look-alike")
async def looks_like_its_neighbour(rig: Rig) -> None:
    async with unit(rig.site, "CP-O1"), unit(rig.site, "CP-01"):
        pass


@provokes("SOAP-LEGACY")
async def speaks_soap(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        body = b"<soap:Envelope/>"
        head = b"POST /ocpp HTTP/1.1\r\nHost: here\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await rest(reader)


@provokes("PROXY-CDN", where=Where.BACKEND)
async def meets_a_proxy_without_websocket(rig: Rig) -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.25\r\nContent-Length: 0\r\n\r\n") as url:
        await check(rig, f"{url}/CP-1")


@provokes("PROXY-CDN", case="here")
async def comes_through_a_proxy(rig: Rig) -> None:
    async with unit(rig.site, additional_headers={"X-Forwarded-For": "198.51.100.7"}):
        pass


@provokes("DNS-FAIL", where=Where.BACKEND)
async def dials_a_name_that_is_gone(rig: Rig) -> None:
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def gone(host: Any, port: Any, **more: Any) -> Any:
        if host == "csms.closed-network.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await real(host, port, **more)

    loop.getaddrinfo = gone  # type: ignore[method-assign]  # the one thing that can't be had on loopback
    try:
        await check(rig, "ws://csms.closed-network.example/CP-1")
    finally:
        loop.getaddrinfo = real  # type: ignore[method-assign]


@provokes("DNS-FAIL", case="local")
async def dials_a_local_name(rig: Rig) -> None:
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade().replace(b"Host: here", b"Host: rehome.local"))
        await reader.readuntil(b"\r\n\r\n")


# TLS


@provokes("TLS-TRUST")
async def does_not_know_our_authority(rig: Rig) -> None:
    await tls_hello(rig, ssl.create_default_context())


@provokes("TLS-TRUST")
async def says_certificate_unknown(rig: Rig) -> None:
    await tls_last_words(rig, 46)


@provokes("TLS-TRUST", case="anything")
async def takes_a_certificate_of_nobody(rig: Rig) -> None:
    await rig.server.adopt(replace(rig.server.plan, personality="rogue"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await dial_secure(rig, context)


@provokes("TLS-NAME")
async def says_unrecognized_name(rig: Rig) -> None:
    await tls_last_words(rig, 112)


@provokes("TLS-NAME", case="proved")
async def reads_the_common_name_only(rig: Rig) -> None:
    await rig.server.adopt(replace(rig.server.plan, personality="rsa"))
    await tls_last_words(rig, 46)
    await rig.server.adopt(replace(rig.server.plan, personality="cn"))
    context = rig.trusting()
    context.check_hostname = False
    await dial_secure(rig, context)


@provokes("TLS-SUITE")
async def knows_ecdsa_only(rig: Rig) -> None:
    await rig.server.adopt(replace(rig.server.plan, personality="rsa"))
    context = rig.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    await tls_hello(rig, context)


@provokes("CLOCK", case="tls")
async def thinks_our_certificate_has_expired(rig: Rig) -> None:
    await tls_last_words(rig, 45)
