"""The OpenEVSE gateway driver against a gateway of every firmware generation, healthy and not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from app import resources
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
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import openevse_wifi
from app.drivers.openevse_wifi.authkey import KeyForm, key_form, read_key, stored_key
from app.errors import AppError, AuthFailed, Garbled, LinkLost, NotSupported, TimedOut, Unexpected, ValueRejected
from app.links.link import Credentials
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change
from app.model.unit import Adoption, ClaimKind, adoption
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from tests.conftest import TIME_UNIT_S

PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "openevse-wifi")
FIRMWARES = ["4.1.7", "v4.1.9", "v5.1.0", "v5.1.2", "v5.1.5", "head"]
WAIT_S = 5.0


class OneLogin(RealLinks):
    """Links that know a login, as the vault would give it."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self._login = Credentials(user=user, password=Secret(password))

    def credentials(self, address: NetAddress) -> Credentials | None:
        return self._login


@asynccontextmanager
async def gateway(firmware: str = "v5.1.5", **options: Any) -> AsyncIterator[OpenEvseGateway]:
    async with OpenEvseGateway(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: OpenEvseGateway, links: RealLinks | None = None) -> Session:
    return openevse_wifi.open_session(unit.address, PROFILE, links or RealLinks())


def backend(secret: str = "", **changes: Any) -> Backend:
    profile = SecurityProfile.BASIC if secret else SecurityProfile.NONE
    fields = {"url": "ws://127.0.0.1:9/ocpp", "identity": "CP-1", "secret": Secret(secret), "security_profile": profile}
    return Backend(**(fields | changes))


async def repoint(session: Session, wanted: Backend) -> None:
    snapshot = await session.ask(ReadsSettings).read_settings()
    for change in await session.ask(SetsBackend).plan_backend(wanted, snapshot):
        await session.ask(WritesSettings).write_setting(change)


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
