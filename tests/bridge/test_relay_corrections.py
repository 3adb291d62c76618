"""What the bridge does for a unit: each correction made on the wire, listed with its remedy, and able to be forbidden."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from app.bridge import corrections as made
from app.bridge.relay_desk import RelayDesk
from app.errors import PortInUse
from app.model.backend import SecurityProfile
from app.model.bridge import LineState
from app.model.secret import Secret
from tests.bridge.relay_kit import BOOT, Backend, backend, bridge, closed, order, told, unit, until
from tests.ocpp.endpoint_kit import upgrade

KEY = "0123456789abcdef0123456789abcdef01234567"
"""An AuthorizationKey as OCPP carries it: 40 hexadecimal digits of 20 bytes (SEC16 §7.2)."""
ACCEPTED = {"status": "Accepted", "interval": 300, "currentTime": "2026-11-22T12:00:00Z"}
BASIC = SecurityProfile.BASIC


def login(password: bytes | None, user: str = "CP-1") -> dict[str, str]:
    if password is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + password).decode()}


async def shown(csms: Backend) -> tuple[str, bytes] | None:
    """Return the login the backend saw."""
    line = await csms.line()
    assert line.request is not None
    header = line.request.headers.get("Authorization", "")
    if not header:
        return None
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).partition(b":")
    return user.decode(), password


@pytest.mark.parametrize(
    ("sent", "is_hex", "code", "wanted"),
    [
        (None, False, "PASSWORD-ADDED", KEY.encode()),
        (KEY.encode(), False, None, KEY.encode()),
        (bytes.fromhex(KEY), True, None, bytes.fromhex(KEY)),
        (KEY.encode(), True, "PASSWORD-RECODED", bytes.fromhex(KEY)),
        (KEY.upper().encode(), True, "PASSWORD-RECODED", bytes.fromhex(KEY)),
        (bytes.fromhex(KEY), False, "PASSWORD-RECODED", KEY.encode()),
        (b"the old operator's", False, "PASSWORD-CHANGED", KEY.encode()),
    ],
)
@pytest.mark.parametrize("is_allowed", [True, False])
async def test_the_backend_gets_the_password_it_wants(
    sent: bytes | None, is_hex: bool, code: str | None, wanted: bytes, is_allowed: bool
) -> None:
    target = {"secret": Secret(KEY), "is_hex": is_hex, "security_profile": BASIC}
    without = () if is_allowed or code is None else (code,)
    async with (
        backend() as csms,
        bridge(order(csms.url, target=target, without=without)) as between,
        unit(between, additional_headers=login(sent)),
    ):
        expected = wanted if is_allowed or code is None else sent
        assert await shown(csms) == (("CP-1", expected) if expected is not None else None)
        listed = {one for one in between.codes if one.startswith("PASSWORD")}
        assert listed == ({code} if code and is_allowed else set())
        told_of = json.dumps([(one.before, one.after) for one in between.status.corrections])
        assert KEY not in told_of.lower()


async def test_a_unit_must_show_the_password_the_plan_asks_of_it() -> None:
    async with backend() as csms, bridge(order(csms.url, unit_secret=Secret("right-one"))) as between:
        async with unit(between, additional_headers=login(b"wrong-one")) as link:
            assert (await closed(link))[0] == 1008
            assert "password" in between.status.trouble
            assert between.desk.knocking[0].name == "CP-1"
        async with unit(between, additional_headers=login(b"right-one")):
            assert await shown(csms) is None
            assert "PASSWORD-REMOVED" in between.codes


async def test_the_units_own_password_goes_through_where_the_plan_has_none() -> None:
    async with (
        backend() as csms,
        bridge(order(csms.url, target={"security_profile": BASIC})) as between,
        unit(between, additional_headers=login(b"\xff\x00raw")),
    ):
        assert await shown(csms) == ("CP-1", b"\xff\x00raw")


async def test_identity_and_path_are_corrected_and_a_user_name_is_enough_to_be_known() -> None:
    target = {"secret": Secret("pass-word"), "security_profile": BASIC}
    async with (
        backend() as csms,
        bridge(order(csms.url, "OLD", identity="NEW 7", target=target)) as between,
        unit(between, "ocpp/ws", additional_headers=login(b"pass-word", "OLD")),
    ):
        line = await csms.line()
        assert line.request is not None
        assert line.request.path == "/ocpp/NEW%207"
        assert between.codes >= {"IDENTITY-CHANGED", "URL-CHANGED", "USER-CHANGED"}
        assert (between.correction("IDENTITY-CHANGED").before, between.correction("IDENTITY-CHANGED").after) == (
            "“OLD”",
            "“NEW 7”",
        )
        assert between.correction("URL-CHANGED").before.endswith("/ocpp/ws")


async def test_a_unit_without_any_name_is_known_by_its_address() -> None:
    async with (
        backend() as csms,
        bridge(order(csms.url, "127.0.0.1", identity="CP-9")) as between,
        unit(between, ""),
    ):
        line = await csms.line()
        assert line.request is not None
        assert line.request.path == "/ocpp/CP-9"


async def test_a_unit_that_offers_several_versions_gets_that_of_its_backend() -> None:
    async with (
        backend() as csms,
        bridge(order(csms.url)) as between,
        unit(between, subprotocols=["ocpp2.0.1", "ocpp1.6"]) as link,
    ):
        assert link.subprotocol == "ocpp1.6"
        assert (await csms.line()).subprotocol == "ocpp1.6"
        assert "SUBPROTOCOL-ADDED" not in between.codes


async def test_a_unit_of_another_version_is_held_off_in_words() -> None:
    async with bridge(order("ws://127.0.0.1:9/ocpp")) as between, unit(between, subprotocols=["ocpp2.0.1"]) as link:
        assert await closed(link) == (1008, "it speaks OCPP 2.0.1, and its backend OCPP 1.6")
        assert "2.0.1" in between.status.trouble


async def test_without_leave_a_missing_subprotocol_stays_missing() -> None:
    async with (
        backend(subprotocols=None) as csms,
        bridge(order(csms.url, without=("SUBPROTOCOL-ADDED",))) as between,
        unit(between, subprotocols=None),
    ):
        assert (await csms.line()).subprotocol is None
        assert "SUBPROTOCOL-ADDED" not in between.codes


async def test_a_broken_upgrade_request_is_mended() -> None:
    async with backend() as csms, bridge(order(csms.url)) as between:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.desk.port)
        writer.write(upgrade("/CP-1", skip=("Connection", "Host")))
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 101")
        await csms.line()
        assert "HANDSHAKE-MENDED" in between.codes
        writer.close()
        await writer.wait_closed()


async def test_a_unit_that_sends_no_boot_gets_the_one_it_sent_last() -> None:
    memory: dict[str, Any] = {}

    class Kept:
        def get(self, key: str) -> str | None:
            return memory.get(key)

        def put(self, key: str, value: str | None) -> None:
            memory[key] = value

    async with backend() as old, backend() as new:
        old.answers["BootNotification"] = new.answers["BootNotification"] = ACCEPTED
        new.answers["Heartbeat"] = {"currentTime": "2026-11-22T12:00:00Z"}
        async with bridge(order(old.url), memory=lambda _: Kept()) as between, unit(between) as link:
            await link.send(json.dumps([2, "1", "BootNotification", {**BOOT, "firmwareVersion": "7"}]))
            await told(link)
        async with bridge(order(new.url), memory=lambda _: Kept()) as between:
            async with unit(between) as link:
                await link.send(json.dumps([2, "2", "Heartbeat", {}]))
                boot = await new.next()
                assert boot[2:] == ["BootNotification", {**BOOT, "firmwareVersion": "7"}]
                assert (await new.next())[1:3] == ["2", "Heartbeat"], "and after it what the unit said"
                assert (await told(link))[3] == {"requestedMessage": "StatusNotification"}
                assert (await told(link))[:2] == [3, "2"], "the answer to the bridge's Boot is nobody's"
                assert "as it last told" in between.correction("BOOT-ADDED").after
            async with unit(between) as link:
                await link.send(json.dumps([2, "3", "Heartbeat", {}]))
                assert (await new.next())[1] == "3", "the backend knows it now: no Boot on a mere reconnect"


async def test_a_unit_nothing_is_known_of_is_asked_for_its_boot() -> None:
    async with backend() as csms, bridge(order(csms.url)) as between, unit(between) as link:
        await link.send(json.dumps([2, "1", "Heartbeat", {}]))
        assert (await told(link))[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
        assert (await csms.next())[2] == "Heartbeat"


async def test_the_plan_may_say_who_a_unit_is() -> None:
    async with backend() as csms:
        plan = order(csms.url, vendor="Acme", model="Wall 2", version="2.0.1")
        async with bridge(plan) as between, unit(between, subprotocols=["ocpp2.0.1"]) as link:
            await link.send(json.dumps([2, "1", "Heartbeat", {}]))
            station = {"vendorName": "Acme", "model": "Wall 2"}
            assert (await csms.next())[3] == {"reason": "Unknown", "chargingStation": station}


async def test_a_boot_that_is_not_accepted_lets_nothing_through() -> None:
    async with backend() as csms, bridge(order(csms.url, vendor="A", model="B")) as between, unit(between) as link:
        csms.answers["BootNotification"] = {**ACCEPTED, "status": "Rejected"}
        await link.send(json.dumps([2, "1", "Heartbeat", {}]))
        code, reason = await closed(link)
        assert (code, "Rejected" in reason) == (1001, True)
        assert [message[2] for message in map(json.loads, csms.texts)] == ["BootNotification"]


async def test_commands_wait_until_the_unit_has_booted() -> None:
    async with backend() as csms, bridge(order(csms.url)) as between, unit(between) as link:
        line = await csms.line()
        await line.send('[2,"early","GetConfiguration",{}]')
        await until(lambda: "COMMANDS-HELD" in between.codes)
        csms.answers["BootNotification"] = ACCEPTED
        await link.send(json.dumps([2, "1", "BootNotification", BOOT]))
        assert (await told(link))[:2] == [3, "1"]
        assert await told(link) == [2, "early", "GetConfiguration", {}]


async def test_a_binary_frame_becomes_text_unless_forbidden() -> None:
    for without, kind in (((), str), (("BINARY-FRAME",), bytes)):
        async with backend() as csms:
            plan = order(csms.url, without=("BOOT-ADDED", *without))
            async with bridge(plan) as between, unit(between) as link:
                await link.send(b'[2,"1","Heartbeat",{}]')
                await csms.next()
                assert isinstance(csms.texts[0], kind)
                assert ("BINARY-FRAME" in between.codes) == (kind is str)


async def test_a_watching_bridge_changes_nothing_and_lets_commands_through() -> None:
    plan_target = {"secret": Secret("not-the-units"), "security_profile": BASIC}
    async with backend() as csms:
        plan = order(csms.url, watches_only=True, target=plan_target)
        async with bridge(plan) as between, unit(between, additional_headers=login(b"its-own")) as link:
            assert await shown(csms) == ("CP-1", b"its-own")
            await csms.connected[0].send('[2,"c","Reset",{"type":"Soft"}]')
            assert (await told(link))[1] == "c"
            await link.send(json.dumps([2, "1", "Heartbeat", {}]))
            assert (await csms.next())[2] == "Heartbeat"
            assert between.codes == {"URL-CHANGED"}
            assert between.status.is_watch_only
            csms.connected[0].transport.abort()
            assert (await closed(link))[0] == 1001, "and a lost line is lost on both sides"


async def test_secrets_stand_in_no_frame_of_the_recording() -> None:
    target = {"secret": Secret("pass-word-1"), "security_profile": BASIC}
    async with backend() as csms, bridge(order(csms.url, target=target, without=("COMMANDS-HELD",))) as between:
        async with unit(between) as link:
            line = await csms.line()
            key = {"key": "AuthorizationKey", "value": "bmV3LWtleQ"}
            await line.send(json.dumps([2, "c", "ChangeConfiguration", key]))
            assert (await told(link))[3] == key, "the unit gets it as it is"
            await link.send(json.dumps([2, "1", "DataTransfer", {"vendorId": "x", "data": "pass-word-1 bmV3LWtleQ"}]))
            await until(lambda: len([frame for frame in between.frames if frame.action == "DataTransfer"]))
        recorded = " ".join(frame.text for frame in between.frames)
        assert "bmV3LWtleQ" not in recorded
        assert "pass-word-1" not in recorded


def test_every_correction_has_words() -> None:
    codes = {value for name, value in vars(made).items() if name.isupper() and isinstance(value, str)}
    assert codes == set(made.catalogue())
    assert codes >= made.UNAVOIDABLE


async def test_a_taken_port_is_told_in_words() -> None:
    async with bridge() as between:
        other = RelayDesk()
        with pytest.raises(PortInUse):
            await other.open("127.0.0.1", between.desk.port)
        await other.close()


async def test_a_backend_that_says_pending_may_ask_meanwhile() -> None:
    plan = {"vendor": "A", "model": "B"}
    async with backend() as csms, bridge(order(csms.url, **plan)) as between, unit(between) as link:
        csms.answers["BootNotification"] = {**ACCEPTED, "status": "Pending"}
        line = await csms.line()
        await link.send(json.dumps([2, "1", "Heartbeat", {}]))
        assert (await csms.next())[2] == "BootNotification"
        await line.send('[2,"g","GetConfiguration",{}]')
        assert (await told(link))[1] == "g"
        await link.send('[3,"g",{"unknownKey":[]}]')
        assert await csms.next() == [3, "g", {"unknownKey": []}]
        assert between.status.line is LineState.PENDING
        assert "Pending" in between.status.trouble


async def test_a_unit_that_says_no_name_gets_the_version_of_its_backend_too() -> None:
    async with (
        backend() as csms,
        bridge(order(csms.url, "127.0.0.1", identity="CP-9")) as between,
        unit(between, "", subprotocols=["ocpp2.0.1", "ocpp1.6"]) as link,
    ):
        assert link.subprotocol == "ocpp1.6"
