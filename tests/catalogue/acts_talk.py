"""Provocations on a connection: speaking, coming and going, commands; and those of this computer."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace

from websockets.asyncio.server import ServerConnection, serve

from app.driver.capability import ReportsStatus, Status
from app.drivers.openevse_wifi import open_session
from app.feed import Feed
from app.links.real import RealLinks
from app.model.frame import Adapter
from app.ocpp.manner import Manner
from app.sim.chargepoint import ConfigKey
from app.sim.openevse import OpenEvseGateway
from app.sim.station import URL_KEY, Behaviour
from tests.catalogue.acts import (
    OLD,
    OPENEVSE,
    STATUS,
    certificate,
    check,
    noticing,
    provokes,
    station,
    told,
    vanish,
)
from tests.catalogue.kit import Rig, Where
from tests.catalogue.peers import DROP, SILENT, boot_frame, pongless, scripted, spoken
from tests.ocpp.endpoint_kit import BOOT, HOST, QUICK, ask, masked, rest, unit

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
