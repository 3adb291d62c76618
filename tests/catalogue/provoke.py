"""How each of the forty failures is brought about, as on a site: by a peer, a backend, an adapter, a setting."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve

from app import resources
from app.discovery.noticing import Notices
from app.driver.capability import ReportsStatus, Status
from app.driver.registry import load_profiles
from app.drivers.openevse_wifi import open_session
from app.errors import AppError
from app.feed import Feed
from app.jobs.checking import ask as dial_backend
from app.links.real import RealLinks
from app.model.frame import Adapter
from app.model.secret import Secret
from app.ocpp.manner import Manner
from app.sim.backend import NewBackend
from app.sim.chargepoint import ConfigKey
from app.sim.openevse import OpenEvseGateway
from app.sim.station import URL_KEY, Behaviour, OcppStation
from tests.catalogue.kit import Provocation, Rig, Where
from tests.catalogue.peers import DROP, SILENT, boot_frame, pongless, scripted, spoken, tls_hello, tls_last_words
from tests.ocpp.endpoint_kit import BOOT, HOST, QUICK, ask, masked, raw, rest, unit, upgrade

BASIC_WRONG = {"Authorization": "Basic U0VDUkVULTE6bm90LXRoZS1wYXNzd29yZA=="}
OLD = "2024-03-01T10:00:00Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
OPENEVSE = next(item for item in load_profiles(resources.texts("profiles", ".toml")) if item.id == "openevse-wifi")
ALL: list[Provocation] = []


def provokes(code: str, **more: Any) -> Any:
    """Enter an act in the table."""

    def enter(act: Any) -> Any:
        ALL.append(Provocation(code=code, act=act, **more))
        return act

    return enter


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


# Speaking


@provokes("CLOCK")
async def lives_in_1970(rig: Rig) -> None:
    async with unit(rig.site) as link:
        await ask(link, "StatusNotification", {**STATUS, "timestamp": "1970-01-01T00:00:42Z"})


@provokes("BOOT-SCHEMA", case="empty")
async def boots_without_a_vendor(rig: Rig) -> None:
    async with unit(rig.site, boots=False) as link:
        await ask(link, "BootNotification", {**BOOT, "chargePointVendor": ""})


@provokes("BOOT-SCHEMA")
async def boots_with_a_long_serial(rig: Rig) -> None:
    async with unit(rig.site, boots=False) as link:
        await ask(link, "BootNotification", {**BOOT, "chargePointSerialNumber": "S" * 40})


@provokes("JSON-BROKEN")
async def forgets_a_bracket(rig: Rig) -> None:
    async with unit(rig.site) as link:
        await link.send('[2,"1","Heartbeat",{}')
        await link.recv()


@provokes("ID-TWIN")
async def has_a_twin(rig: Rig) -> None:
    for serial in ("SN-1", "SN-2"):
        async with unit(rig.site, boots=False) as link:
            await ask(link, "BootNotification", {**BOOT, "chargePointSerialNumber": serial})


@provokes("NO-BOOT-ON-RECONNECT", times=replace(QUICK, trigger_boot_s=0.05))
async def returns_without_a_boot(rig: Rig) -> None:
    async with unit(rig.site, boots=False) as link:
        await ask(link, "Heartbeat", {})
        await rig.named("NO-BOOT-ON-RECONNECT")


@provokes("STATUS-MISSING", times=replace(QUICK, status_s=0.05))
async def tells_no_status(rig: Rig) -> None:
    async with unit(rig.site):
        await rig.named("STATUS-MISSING")


@provokes("BOOT-PENDING")
async def waits_to_be_let_in(rig: Rig) -> None:
    rig.server.manners["CP-1"] = Manner(boot_status="Pending", boot_interval_s=60)
    async with unit(rig.site, boots=False) as link:
        for number in ("1", "2"):
            await ask(link, "BootNotification", BOOT, uid=number)


@provokes("PAST-QUEUE")
async def replays_its_past(rig: Rig) -> None:
    async with unit(rig.site) as link:
        await ask(link, "StopTransaction", {"transactionId": 4711, "meterStop": 12, "timestamp": OLD})


@provokes("VERSION-MIX", case="spoken")
async def agrees_on_2_and_speaks_1(rig: Rig) -> None:
    async with unit(rig.site, boots=False, subprotocols=["ocpp2.0.1"]) as link:
        await link.send(json.dumps([2, "1", "BootNotification", BOOT]))
        await link.recv()


@provokes("COMPRESS")
async def compresses_unasked(rig: Rig) -> None:
    async with pongless(rig, "CP-1") as (reader, writer):
        frame = bytearray(masked(b"[2]"))
        frame[0] |= 0x40
        writer.write(bytes(frame))
        await rest(reader)
    await rig.gone("CP-1")


# Coming and going


@provokes("PING-MISMATCH", case="no-pong")
async def never_answers_a_ping(rig: Rig) -> None:
    rig.server.manners["CP-1"] = Manner(ping_s=0.02)
    async with pongless(rig, "CP-1") as (reader, writer):
        writer.write(boot_frame())
        pings = 0
        while pings < 3:
            head = await reader.readexactly(2)
            size = head[1] if head[1] < 126 else int.from_bytes(await reader.readexactly(2), "big")
            await reader.readexactly(size)
            pings += head[0] & 0x0F == 9
        writer.write(spoken("h1", "Heartbeat", {}))
        await rig.site.frame(action="Heartbeat")
    await rig.gone("CP-1")


@provokes("PING-MISMATCH", limits="[drops]\nshortest_s = 0\nspread = 1000")
async def vanishes_in_a_rhythm(rig: Rig) -> None:
    for _ in range(3):
        await vanish(rig)


@provokes("WIFI", limits="[drops]\nshortest_s = 0\nspread = 0.000001", case="drops")
async def vanishes_without_a_rhythm(rig: Rig) -> None:
    for _ in range(3):
        await vanish(rig)


@provokes("ZOMBIE-SESSION")
async def comes_back_beside_itself(rig: Rig) -> None:
    async with unit(rig.site), unit(rig.site):
        pass


@provokes("ZOMBIE-SESSION", where=Where.BACKEND, case="backend")
async def is_held_by_a_dead_connection(rig: Rig) -> None:
    async def refuse(link: ServerConnection) -> None:
        await link.close(1008, "a connection with this ID already exists")

    async with serve(refuse, HOST, 0, subprotocols=["ocpp1.6"]) as backend:
        port = next(iter(backend.sockets)).getsockname()[1]
        await check(rig, f"ws://{HOST}:{port}/CP-1")


@provokes("OLD-PROFILE", limits="[visits]\naway_s = 0")
async def visits_and_leaves(rig: Rig) -> None:
    for _ in range(3):
        async with unit(rig.site):
            pass
        await rig.gone("CP-1")


@provokes("SLOW-RETURN", limits="[return]\nslow_s = 0", case="returned")
async def stays_away_long(rig: Rig) -> None:
    await vanish(rig)
    async with unit(rig.site):
        pass


@provokes("BOOT-LOOP-EARLYCMD")
async def stumbles_over_an_early_command(rig: Rig) -> None:
    rig.server.manners["CP-1"] = Manner(speaks_early=True)
    for _ in range(2):
        async with scripted(rig, "CP-1", {"GetConfiguration": DROP}, boots=False):
            await told(rig, "CP-1", "GetConfiguration", {"key": ["HeartbeatInterval"]})
        await rig.gone("CP-1")


# Commands


@provokes("NOT-APPLIED", where=Where.ENDPOINT)
async def takes_every_value_and_keeps_none(rig: Rig) -> None:
    async with station(rig, behaviour=Behaviour.LIES) as endpoint:
        assert await endpoint.set_setting("HeartbeatInterval", "77") == "Accepted"
        await endpoint.get_settings()


@provokes("VENDOR-LOCK")
async def refuses_another_address(rig: Rig) -> None:
    async with station(rig, behaviour=Behaviour.REFUSES) as endpoint:
        assert await endpoint.set_setting(URL_KEY, "wss://new.example/ocpp") == "Rejected"


@provokes("PROFILE-RATCHET")
async def refuses_a_lower_profile(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"ChangeConfiguration": {"status": "Rejected"}}):
        await told(rig, "CP-1", "ChangeConfiguration", {"key": "SecurityProfile", "value": "1"})


@provokes("ROOT-RATCHET")
async def refuses_a_new_root(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"InstallCertificate": {"status": "Rejected"}}):
        await told(rig, "CP-1", "InstallCertificate", certificate(rig, is_root=True))


@provokes("CERT-STORE")
async def stores_a_leaf_as_a_root(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"InstallCertificate": {"status": "Accepted"}}):
        await told(rig, "CP-1", "InstallCertificate", certificate(rig, is_root=False))


@provokes("CERT-STORE", case="full")
async def has_no_room_for_a_root(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"InstallCertificate": {"status": "Failed"}}):
        await told(rig, "CP-1", "InstallCertificate", certificate(rig, is_root=True))


@provokes("PROBE-CRASH")
async def drops_out_on_a_write(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"ChangeConfiguration": DROP}):
        await told(rig, "CP-1", "ChangeConfiguration", {"key": "MeterValuesSampledData", "value": "Everything"})
    await rig.gone("CP-1")


@provokes("BIG-MESSAGE")
async def never_finishes_its_settings(rig: Rig) -> None:
    async with scripted(rig, "CP-1", {"GetConfiguration": SILENT}):
        await told(rig, "CP-1", "GetConfiguration", {}, timeout_s=0.05)


@provokes("BIG-MESSAGE")
async def cuts_its_settings_off(rig: Rig) -> None:
    async with unit(rig.site, "CP-1") as link:
        asking = asyncio.ensure_future(told(rig, "CP-1", "GetConfiguration", {}, timeout_s=0.3))
        uid = json.loads(await link.recv())[1]
        await link.send(f'[3,"{uid}",{{"configurationKey":[{{"key":"A","readonly":true,"value":"1"}}')
        await asking


@provokes("DEAD-LIMIT")
async def gives_nothing_without_a_backend(rig: Rig) -> None:
    async with station(rig, {"OfflineCurrentLimit": ConfigKey("0")}) as endpoint:
        await endpoint.get_settings()


@provokes("SIM-APN")
async def has_a_sim_without_an_access_point(rig: Rig) -> None:
    keys = {"ModemAPN": ConfigKey(""), "SimICCID": ConfigKey("8949020000012345678", readonly=True)}
    async with station(rig, keys) as endpoint:
        await endpoint.get_settings()


@provokes("SETTING-RISK", case="attempts")
async def throws_session_data_away(rig: Rig) -> None:
    async with station(rig, {"TransactionMessageAttempts": ConfigKey("0")}) as endpoint:
        await endpoint.get_settings()


# This computer


@provokes("LAPTOP-WALL", where=Where.LAPTOP)
async def is_kept_out_by_this_computer(rig: Rig) -> None:
    await rig.server.self_test("127.0.0.77")


@provokes("AP-DROP", where=Where.LAPTOP)
async def leaves_the_chargers_network(rig: Rig) -> None:
    present = [Adapter(name="wlan0", address="192.168.4.2")]
    notices = noticing(rig, present)
    async with unit(rig.site):
        notices.look()
        present.clear()
        notices.look()


@provokes("WIFI", where=Where.SETTINGS)
async def hangs_far_from_its_access_point(rig: Rig) -> None:
    statuses: Feed[tuple[str, Status]] = Feed()
    async with OpenEvseGateway(time_scale=0.05) as far:
        far.rssi_dbm = -82
        async with open_session(far.address, OPENEVSE, RealLinks()) as session:
            status = await session.ask(ReportsStatus).status()
    following = asyncio.ensure_future(noticing(rig, []).follow(statuses))
    await asyncio.sleep(0)  # it listens from here on
    statuses.publish(("far", status))
    await rig.named("WIFI")
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


# Parts of the acts


def noticing(rig: Rig, present: list[Adapter]) -> Notices:
    """Notices of a laptop with these adapters."""
    return Notices(
        rig.server.observed,
        adapters=lambda: present,
        address=lambda: present[0].address if present else "127.0.0.1",
        is_busy=lambda: bool(rig.server.endpoints),
        now=rig.server.now,
    )


async def check(rig: Rig, url: str) -> None:
    """Dial a backend as the guided job does, with a password it does not know."""
    answer = await dial_backend(url, identity="CP-1", secret=Secret("open:sesame/1"))
    rig.found.extend(answer.findings(url, "CP-1"))


async def told(rig: Rig, identity: str, action: str, payload: dict[str, Any], *, timeout_s: float = 5.0) -> None:
    """Send a command as the console does; how it ends is the unit's business."""
    endpoint = await rig.endpoint(identity)
    with suppress(AppError):
        await endpoint.call(action, payload, timeout_s=timeout_s)


async def vanish(rig: Rig) -> None:
    """Connect, boot, and lose power."""
    async with unit(rig.site) as link:
        link.transport.abort()
    await rig.gone("CP-1")


async def dial_secure(rig: Rig, context: ssl.SSLContext) -> None:
    """Connect over wss and boot."""
    url = f"wss://{HOST}:{rig.site.port}/CP-1"
    async with websockets.connect(
        url,
        ssl=context,
        server_hostname="rehome.local",
        subprotocols=["ocpp1.6"],
        compression=None,  # type: ignore[list-item]
    ) as link:
        await ask(link, "BootNotification", BOOT)


def certificate(rig: Rig, *, is_root: bool) -> dict[str, Any]:
    authority = rig.wardrobe.authority
    pem = authority.export("pem").decode() if is_root else authority.leaf("rsa", ("rehome.local",))[0]
    return {"certificateType": "CentralSystemRootCertificate", "certificate": pem[: pem.index("-----END") + 25]}


@asynccontextmanager
async def station(
    rig: Rig, keys: dict[str, ConfigKey] | None = None, *, behaviour: Behaviour = Behaviour.HEALTHY
) -> AsyncIterator[Any]:
    """Let a simulated station dial in."""
    async with OcppStation("SIM-1", rig.site.url, behaviour=behaviour, time_scale=0.05) as dialled:
        dialled.configuration.update(keys or {})
        yield await rig.endpoint("SIM-1")


@asynccontextmanager
async def upgrading(subprotocol: str) -> AsyncIterator[str]:
    """A backend that takes every WebSocket, but speaks another version."""

    async def take(link: ServerConnection) -> None:
        await link.wait_closed()

    async with serve(take, HOST, 0, select_subprotocol=lambda *_: None) as backend:
        assert subprotocol
        yield f"ws://{HOST}:{next(iter(backend.sockets)).getsockname()[1]}"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every request with these bytes."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(reply, HOST, 0)
    async with server:
        yield f"ws://{HOST}:{server.sockets[0].getsockname()[1]}"


PROVOCATIONS = tuple(ALL)
