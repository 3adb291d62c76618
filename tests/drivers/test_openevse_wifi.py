"""The OpenEVSE gateway driver against a gateway of every firmware generation, healthy and not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WritesSettings,
)
from app.driver.session import Session
from app.drivers.openevse_wifi.authkey import KeyForm, key_form, read_key, stored_key
from app.errors import AppError, LinkLost, NotSupported, TimedOut, ValueRejected
from app.model.backend import SecurityProfile
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change
from app.model.unit import Adoption, ClaimKind, adoption
from app.sim.fault import Fault
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import WAIT_S, backend, gateway, repoint, session_of

FIRMWARES = ["4.1.7", "v4.1.9", "v5.1.0", "v5.1.2", "v5.1.5", "head"]


class Backends:
    """A central system that accepts everybody and notes who knocked with what."""

    def __init__(self) -> None:
        self.knocks: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()
        self.boots: asyncio.Queue[str] = asyncio.Queue()
        self.url = ""

    async def serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        self.knocks.put_nowait((link.request.path, link.request.headers.get("Authorization")))
        async for text in link:
            message = str(text)
            if '"BootNotification"' in message:
                self.boots.put_nowait(message)
                uid = message.split('"')[1]
                await link.send(
                    f'[3,"{uid}",{{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}}]'
                )


@asynccontextmanager
async def central_system() -> AsyncIterator[Backends]:
    system = Backends()

    async def quiet(link: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await system.serve(link)
        except ConnectionClosed:
            return

    async with serve(quiet, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        system.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        yield system


async def knock(system: Backends) -> tuple[str, str | None]:
    return await asyncio.wait_for(system.knocks.get(), WAIT_S)


# Identity, status, metering


@pytest.mark.parametrize("firmware", FIRMWARES)
async def test_identity_names_gateway_and_controller(firmware: str):
    async with gateway(firmware) as unit, session_of(unit) as session:
        identity = await session.ask(Identifies).identify()
        assert identity.vendor == "OpenEVSE"
        assert identity.serial == "240AC411A7D4"
        assert identity.mac == "24:0A:C4:11:A7:D4"
        kinds = {claim.kind: claim.value for claim in identity.claims}
        assert kinds[ClaimKind.MAC] == kinds[ClaimKind.SERIAL] == "240AC411A7D4"
        assert kinds[ClaimKind.MCU] == unit.config["evse_serial"]


async def test_values_are_si_units():
    async with gateway() as unit, session_of(unit) as session:
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        values = {reading.measurand: reading.value for reading in status.readings}
        assert status.state == "Charging"
        assert values[Measurand.CURRENT] == 32.0
        assert values[Measurand.VOLTAGE] == 230.0
        assert values[Measurand.POWER] == 7360.0
        assert values[Measurand.TEMPERATURE] == 28.2
        assert values[Measurand.ENERGY] == pytest.approx(unit.point.outlet(1).energy_wh, rel=0.01)
        assert values[Measurand.SIGNAL] == -61.0


async def test_old_firmware_without_power_has_it_computed():
    async with gateway("4.1.7") as unit, session_of(unit) as session:
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        assert next(r.value for r in status.readings if r.measurand is Measurand.POWER) == 7360.0


@pytest.mark.parametrize(("state", "words"), [(6, "Residual"), (7, "earth"), (10, "hot"), (17, "memory")])
async def test_faults_are_named(state: int, words: str):
    async with gateway() as unit, session_of(unit) as session:
        unit.trip(state)
        status = await session.ask(ReportsStatus).status()
        assert status.has_fault
        assert status.state == "Faulted"
        assert words in status.detail


async def test_the_stream_shows_a_car_that_arrives_and_an_energy_that_rises():
    async with gateway() as unit, session_of(unit) as session:
        states: list[str] = []
        energies: list[float] = []
        stream = session.ask(Meters).watch()
        async with asyncio.timeout(WAIT_S):
            async for item in stream:
                if isinstance(item, StateChange):
                    states.append(item.state)
                    unit.plug_in()
                elif item.measurand is Measurand.ENERGY:
                    energies.append(item.value)
                if len(energies) > 3 and states[-1] == "Charging":
                    break
        await stream.aclose()
        assert states == ["Available", "Charging"]
        assert energies == sorted(energies)


async def test_where_the_stream_is_refused_the_status_is_asked():
    async with gateway() as unit, session_of(unit) as session:
        unit.web.refuses_stream = True
        stream = session.ask(Meters).watch()
        async with asyncio.timeout(WAIT_S):
            item = await anext(stream)
        await stream.aclose()
        assert isinstance(item, StateChange | Reading)


async def test_the_stream_of_a_unit_that_loses_power_ends_with_link_lost():
    async with gateway() as unit, session_of(unit) as session:
        stream = session.ask(Meters).watch()
        await anext(stream)
        await unit.power_off()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(WAIT_S):
                async for _ in stream:
                    pass


# Adoption


async def test_adoption_follows_what_the_unit_says_of_its_link():
    async with gateway() as unit, session_of(unit) as session:

        async def judged() -> Adoption:
            status = await session.ask(ReportsStatus).status()
            return adoption(await session.ask(SetsBackend).read_backend(), status.link, frozenset())

        assert await judged() is Adoption.FREE
        await repoint(session, backend())
        assert await judged() is Adoption.ORPHANED
        unit.faults.add(Fault.LIES_CONNECTED)
        assert await judged() is Adoption.MANAGED


# Repointing


@pytest.mark.parametrize("firmware", FIRMWARES)
async def test_repointed_without_password_it_dials_the_new_url(firmware: str):
    async with central_system() as system, gateway(firmware) as unit, session_of(unit) as session:
        await repoint(session, backend(url=system.url))
        assert await knock(system) == ("/ocpp/CP-1", None)


@pytest.mark.parametrize("firmware", ["v4.1.9", "v5.1.0", "v5.1.2", "v5.1.5", "head"])
async def test_the_password_arrives_as_typed_whatever_the_firmware(firmware: str):
    async with central_system() as system, gateway(firmware) as unit, session_of(unit) as session:
        await repoint(session, backend("secret12", url=system.url))
        token = base64.b64encode(b"CP-1:secret12").decode()
        path, header = await knock(system)
        while header != f"Basic {token}":
            path, header = await knock(system)
        assert path == "/ocpp/CP-1"
        read = await session.ask(SetsBackend).read_backend()
        assert read is not None
        assert read.secret.reveal() == "secret12"
        assert read.security_profile is SecurityProfile.BASIC


async def test_a_slash_at_the_end_of_the_url_is_not_doubled():
    async with central_system() as system, gateway() as unit, session_of(unit) as session:
        await repoint(session, backend(url=system.url + "/"))
        assert (await knock(system))[0] == "/ocpp/CP-1"


async def test_the_url_is_written_last_and_only_differences_are_written():
    async with gateway() as unit, session_of(unit) as session:
        unit.store.put("ocpp_chargeBoxId", "CP-1")
        snapshot = await session.ask(ReadsSettings).read_settings()
        plan = await session.ask(SetsBackend).plan_backend(backend("secret12"), snapshot)
        assert [change.key for change in plan] == ["ocpp_authkey", "ocpp_enabled", "ocpp_server"]
        await repoint(session, backend("secret12"))
        again = await session.ask(ReadsSettings).read_settings()
        assert await session.ask(SetsBackend).plan_backend(backend("secret12"), again) == ()


async def test_an_old_password_is_removed_when_the_new_backend_wants_none():
    config = {"ocpp_authkey": b"old".hex(), "ocpp_server": "ws://127.0.0.1:9/x", "ocpp_enabled": True}
    async with gateway(config=config) as unit, session_of(unit) as session:
        await repoint(session, backend())
        assert unit.config["ocpp_authkey"] == ""


@pytest.mark.parametrize("secret", ["x" * 21, "ü" * 11])
@pytest.mark.parametrize("firmware", ["v5.1.2", "v5.1.5", "head"])
async def test_a_password_it_would_silently_drop_is_refused_naming_the_limit(firmware: str, secret: str):
    async with gateway(firmware) as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected, match="20"):
            await session.ask(SetsBackend).plan_backend(backend(secret), snapshot)


async def test_a_login_line_that_overflows_the_buffer_is_refused():
    async with gateway("v5.1.0") as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        ask = session.ask(SetsBackend)
        assert await ask.plan_backend(backend("k" * 38, identity="I" * 39), snapshot)
        with pytest.raises(ValueRejected, match="77"):
            await ask.plan_backend(backend("k" * 39, identity="I" * 39), snapshot)


async def test_firmware_without_a_password_key_says_so():
    async with gateway("4.1.7") as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected, match=r"4\.1\.9|ocpp_authkey"):
            await session.ask(SetsBackend).plan_backend(backend("secret12"), snapshot)
        assert snapshot.get("ocpp_idTag") is not None


async def test_a_client_certificate_and_a_foreign_scheme_are_refused():
    async with gateway() as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        ask = session.ask(SetsBackend)
        with pytest.raises(NotSupported):
            await ask.plan_backend(backend(security_profile=SecurityProfile.TLS_CLIENT), snapshot)
        with pytest.raises(ValueRejected):
            await ask.plan_backend(backend(url="http://csms.example"), snapshot)


@pytest.mark.parametrize(
    ("version", "form"),
    [
        ("4.1.7", KeyForm.TEXT),
        ("v4.1.9", KeyForm.TEXT),
        ("v5.1.0", KeyForm.TEXT),
        ("v5.1.1", KeyForm.HEX_BLIND),
        ("v5.1.2", KeyForm.HEX_BLIND),
        ("v5.1.3", KeyForm.HEX_CHECKED),
        ("v5.1.5_dev", KeyForm.HEX_CHECKED),
        ("local_master_1797b7a", KeyForm.HEX_CHECKED),
        ("", KeyForm.HEX_CHECKED),
    ],
)
def test_the_form_of_the_key_by_firmware(version: str, form: KeyForm):
    assert key_form(version, {"ocpp_authkey": ""}) is form
    assert key_form(version, {}) is KeyForm.ABSENT


def test_a_stored_key_that_is_no_hex_is_no_password_where_firmware_checks():
    assert not read_key("secret12!", KeyForm.HEX_CHECKED)
    assert read_key(stored_key(Secret("pässword"), KeyForm.HEX_CHECKED), KeyForm.HEX_CHECKED) == Secret("pässword")
    assert read_key("secret12", KeyForm.TEXT) == Secret("secret12")


# Settings


async def test_the_snapshot_names_what_it_can_not_bring_back():
    async with gateway(config={"ap_pass": "access-point"}) as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert {"pass", "ap_pass", "mqtt_pass", "max_current_hard"} <= set(snapshot.excluded)
        assert "ocpp_authkey" not in snapshot.excluded
        password = snapshot.get("pass")
        assert password is not None
        assert (password.value, password.is_readable) == (None, False)
        assert "_DUMMY_PASSWORD" not in str(snapshot)


async def test_a_write_is_read_back_in_its_own_type():
    async with gateway() as unit, session_of(unit) as session:
        write = session.ask(WritesSettings).write_setting
        result = await write(Change(key="max_current_soft", before="32", after="16"))
        assert (result.is_accepted, result.read_back) == (True, "16")
        assert unit.config["max_current_soft"] == 16
        await write(Change(key="rfid_enabled", before="false", after="true"))
        assert unit.config["rfid_enabled"] is True
        await write(Change(key="divert_PV_ratio", before="1.1", after="1.5"))
        assert unit.config["divert_PV_ratio"] == 1.5
        same = await write(Change(key="hostname", before="", after=unit.config["hostname"]))
        assert same.note == "no change"


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("max_current_hard", "80", ValueRejected),
        ("version", "v9", ValueRejected),
        ("max_current_soft", "500", ValueRejected),
        ("max_current_soft", "many", ValueRejected),
        ("rfid_enabled", "yes", ValueRejected),
        ("no_such_key", "1", NotSupported),
        ("time_zone", "x" * 9000, ValueRejected),
        ("time_zone", "x" * 4000, ValueRejected),
    ],
)
async def test_values_it_can_not_take_are_refused(key: str, value: str, error: type[AppError]):
    async with gateway() as unit, session_of(unit) as session:
        before = dict(unit.config)
        with pytest.raises(error) as caught:
            await session.ask(WritesSettings).write_setting(Change(key=key, before=None, after=value))
        assert caught.value.advice
        assert unit.config == before


async def test_a_restart_never_erases():
    for firmware in FIRMWARES:
        async with gateway(firmware) as unit, session_of(unit) as session:
            await session.ask(Reboots).restart()
            async with asyncio.timeout(WAIT_S):
                await unit.restarted.wait()
            assert not unit.was_erased


async def test_the_log_shows_no_password():
    config = {"ocpp_authkey": b"secret12".hex()}
    async with gateway(config=config) as unit, session_of(unit) as session:
        unit.note(f"auth Token=CP-1:{b'secret12'.hex().upper()}")
        text = await session.ask(ExportsLog).read_log()
        assert "auth Token=CP-1:•••" in text


# Faults


async def attempt(session: Session, change: Change) -> Any:
    return await session.ask(WritesSettings).write_setting(change)


URL = Change(key="ocpp_server", before="", after="ws://a-very-long-name.example/ocpp/central/system")


async def test_a_truncated_value_is_seen_in_the_read_back():
    async with gateway(faults={Fault.TRUNCATES}) as unit, session_of(unit) as session:
        result = await attempt(session, URL)
        assert result.read_back == URL.after[:24]


async def test_a_refusal_is_value_rejected():
    async with gateway(faults={Fault.REFUSES}) as unit, session_of(unit) as session:
        with pytest.raises(ValueRejected):
            await attempt(session, URL)
        assert unit.config["ocpp_server"] == ""


async def test_a_unit_that_dies_mid_write_is_link_lost_and_answers_again():
    async with gateway() as unit, session_of(unit) as session:
        unit.faults.add(Fault.DROPS_MID_WRITE)
        with pytest.raises(LinkLost):
            await attempt(session, URL)
        unit.faults.clear()
        assert (await session.ask(ReadsSettings).read_settings()).get("ocpp_server") is not None


async def test_a_value_that_reverts_is_old_after_the_restart():
    async with gateway(faults={Fault.REVERTS}) as unit:
        async with session_of(unit) as session:
            assert (await attempt(session, URL)).read_back == URL.after
            await session.ask(Reboots).restart()
        async with asyncio.timeout(WAIT_S):
            await unit.restarted.wait()
        async with session_of(unit) as session:
            read = await session.ask(SetsBackend).read_backend()
            assert read is not None
            assert read.url == ""


async def test_a_unit_that_falls_silent_times_out(monkeypatch: pytest.MonkeyPatch):
    async with gateway() as unit, session_of(unit) as session:
        monkeypatch.setattr(type(session), "deadline_s", 4 * TIME_UNIT_S)
        unit.faults.add(Fault.SILENT)
        with pytest.raises(TimedOut):
            await session.ask(ReportsStatus).status()


async def test_a_slow_unit_is_waited_for():
    async with gateway(faults={Fault.SLOW}) as unit, session_of(unit) as session:
        assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_after_a_restart_the_same_session_goes_on():
    async with gateway() as unit, session_of(unit) as session:
        await session.ask(Reboots).restart()
        async with asyncio.timeout(WAIT_S):
            await unit.restarted.wait()
        assert (await session.ask(ReportsStatus).status()).state == "Available"
