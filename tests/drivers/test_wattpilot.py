"""Fronius Wattpilot: the greeting, the login, sealed orders, and every way they go wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time

import pytest
from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from websockets.asyncio.client import connect

from app.driver.capability import Identifies, Meters, ReadsSettings, ReportsStatus, SetsBackend
from app.drivers.goe.login import key_of, proof, sealed
from app.errors import AppError, AuthFailed, Busy, Garbled, LinkLost, NotSupported, ProtocolError, TimedOut
from app.errors import ValueRejected as Rejected
from app.links.real import RealLinks
from app.model.reading import Reading
from app.model.secret import Secret
from app.scope import Scope
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.sim.wattpilot import WattpilotUnit, derived
from tests.drivers.goe_kit import WAIT_S, backend, goe, plan, probe, repoint, served, session_of, wattpilot, write
from tests.drivers.rigs_goe import PASSWORD, Knowing


async def told_by(*messages: object, links: RealLinks | None = None) -> Exception:
    """Open a session with somebody who says these things and then nothing; return the error."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in messages:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        async for _ in socket:
            pass
        return socket

    async with WattpilotUnit() as model, served(answer) as address:
        model.port = address.port
        with pytest.raises(AppError) as caught:
            async with session_of(model, links):
                pass
    assert caught.value.advice
    return caught.value


HELLO = {"type": "hello", "serial": "10056789", "manufacturer": "fronius", "devicetype": "wattpilot", "secured": True}
CHALLENGE = {"type": "authRequired", "token1": "1" * 32, "token2": "2" * 32}


async def test_it_is_known_by_its_greeting_without_a_password() -> None:
    async with wattpilot(serial="10011122") as unit:
        found = await probe(unit.address, "wattpilot")
        assert found is not None
        assert (found.vendor, found.model, found.serial) == ("Fronius", "wattpilot", "10011122")
        assert (found.firmware, found.name) == ("36.3", "Wattpilot_10011122")
        async with session_of(unit) as session:
            inside = await session.ask(Identifies).identify()
            assert (inside.serial, inside.claims) == (found.serial, found.claims)


async def test_without_a_password_it_says_which_one_it_needs() -> None:
    async with wattpilot() as unit:
        with pytest.raises(AuthFailed, match="asks for its password") as caught:
            async with session_of(unit, RealLinks()):
                pass
        assert "Solar.wattpilot app" in caught.value.advice


async def test_a_wrong_password_is_named_in_the_chargers_words() -> None:
    async with wattpilot() as unit:
        with pytest.raises(AuthFailed, match="Wrong password") as caught:
            async with session_of(unit, Knowing("not-this-one")):
                pass
        assert "Solar.wattpilot app" in caught.value.advice
        assert "not-this-one" not in f"{caught.value!r} {caught.value.message} {caught.value.advice}"


async def test_a_flex_is_recognised_and_says_that_its_login_is_not_known() -> None:
    async with wattpilot("43.4", typ="wattpilot_flex", hash_kind="bcrypt") as unit:
        found = await probe(unit.address, "wattpilot")
        assert found is not None
        assert found.model == "wattpilot_flex"
        with pytest.raises(NotSupported, match="bcrypt") as caught:
            async with session_of(unit):
                pass
        assert "app" in caught.value.advice


@pytest.mark.parametrize("is_secured", [True, False])
async def test_it_dials_the_new_backend_with_the_identity_in_the_address(is_secured: bool) -> None:
    async with NewBackend({"CP-1": ""}) as new, wattpilot(is_secured=is_secured) as unit, session_of(unit) as session:
        assert await repoint(session, backend(new.url)) == ["ocppe", "ocppu"]
        assert unit.held["ocppu"] == f"{new.url.rstrip('/')}/CP-1"
        assert unit.point is not None
        await asyncio.wait_for(unit.point.booted.wait(), WAIT_S)
        async with asyncio.timeout(WAIT_S):
            stream = session.ask(Meters).watch()
            while not (await session.ask(ReportsStatus).status()).link.is_connected:
                await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]
        found = await session.ask(SetsBackend).read_backend()
        assert found is not None
        assert found.same_target(backend(new.url))


async def test_as_it_leaves_the_box_it_has_a_foreign_address_and_ocpp_off() -> None:
    async with wattpilot() as unit, session_of(unit) as session:
        found = await session.ask(SetsBackend).read_backend()
        assert found is not None
        assert (found.url, found.identity) == ("ws://echo.websocket.org", "")
        assert (await session.ask(ReportsStatus).status()).link.is_enabled is False


async def test_a_password_for_the_backend_has_no_place() -> None:
    async with wattpilot() as unit, session_of(unit) as session:
        with pytest.raises(Rejected, match="no place for a backend password"):
            await plan(session, backend(secret="w0rd-for-9!"))
        assert unit.sets == []


async def test_a_refusal_and_a_key_it_never_told() -> None:
    async with wattpilot() as unit, session_of(unit) as session:
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(Rejected, match="not allowed"):
            await write(session, "fna", "Garage")
        with pytest.raises(NotSupported):
            await write(session, "ocppg", "true")
        assert unit.held["fna"] == "Wattpilot_10056789"


async def test_a_unit_that_answers_no_order_is_timed_out_and_lost_in_one_is_lost() -> None:
    class Mute(WattpilotUnit):
        def take(self, key: str, text: str) -> bool | str:
            self.faults.add(Fault.DROPS_MID_WRITE)
            return super().take(key, text)

    async with Mute() as unit, session_of(unit) as session:
        with pytest.raises(LinkLost) as caught:
            await write(session, "ocppu", "ws://h/CP-1")
        assert caught.value.advice
        with pytest.raises(LinkLost):
            await session.ask(ReportsStatus).status()


async def test_a_restart_of_the_unit_ends_the_stream_and_a_new_session_reads_on() -> None:
    async with wattpilot() as unit:
        async with session_of(unit) as session:
            await session.ask(ReadsSettings).read_settings()
            await unit.power_off()
            with pytest.raises(LinkLost):
                async with asyncio.timeout(WAIT_S):
                    async for _ in session.ask(Meters).watch():
                        pass
        await unit.power_on()
        async with session_of(unit) as session:
            assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_readings_are_told_not_asked_for() -> None:
    async with NewBackend({"CP": ""}) as new:
        keys = {"ocppe": True, "ocppu": f"{new.url.rstrip('/')}/CP"}
        async with wattpilot(keys=keys) as unit, session_of(unit) as session:
            assert unit.point is not None
            await asyncio.wait_for(unit.point.booted.wait(), WAIT_S)
            unit.plug_in()
            async with asyncio.timeout(WAIT_S):
                stream = session.ask(Meters).watch()
                seen = {
                    item.measurand.value
                    for item in [await anext(stream) for _ in range(12)]
                    if isinstance(item, Reading)
                }
                await stream.aclose()  # type: ignore[attr-defined]
            assert "Energy.Active.Import.Register" in seen


async def test_deriving_the_key_leaves_the_loop_free() -> None:
    key_of.cache_clear()
    async with wattpilot() as unit:
        derived(PASSWORD, "10056789")
        longest, seen = 0.0, time.perf_counter()
        stop = asyncio.Event()

        async def tick() -> None:
            nonlocal longest, seen
            while not stop.is_set():
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                longest, seen = max(longest, now - seen), now

        async with Scope("clock") as scope:
            scope.required("tick", tick())
            async with session_of(unit):
                stop.set()
    assert longest < 0.05, f"the loop stood still for {longest * 1000:.0f} ms"


def test_the_key_is_the_one_the_app_derives() -> None:
    raw = PBKDF2HMAC(SHA512(), 256, b"10056789", 100_000).derive(PASSWORD.encode())
    expected = base64.b64encode(raw)[:32]
    assert key_of(Secret(PASSWORD), "10056789") == expected == derived(PASSWORD, "10056789")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_derives_the_same_key() -> None:
    options = ["digest:SHA512", f"pass:{PASSWORD}", "salt:10056789", "iter:100000"]
    command = ["openssl", "kdf", "-keylen", "24", "-binary"]
    for option in options:
        command += ["-kdfopt", option]
    raw = subprocess.run([*command, "PBKDF2"], check=True, capture_output=True).stdout
    assert base64.b64encode(raw) == key_of(Secret(PASSWORD), "10056789")


def test_proof_and_seal_are_what_the_protocol_says() -> None:
    key = key_of(Secret(PASSWORD), "10056789")
    said = proof(key, "one", "two", "3" * 32)
    inner = hashlib.sha256(b"one" + key).hexdigest()
    assert said == {
        "type": "auth",
        "token3": "3" * 32,
        "hash": hashlib.sha256(("3" * 32 + "two" + inner).encode()).hexdigest(),
    }
    order = sealed(key, {"type": "setValue", "requestId": 7, "key": "fna", "value": "x"})
    assert order["requestId"] == "7sm"
    assert order["hmac"] == hmac.new(key, order["data"].encode(), "sha256").hexdigest()
    assert proof(key, "one", "two")["token3"] != proof(key, "one", "two")["token3"]


async def test_a_foreign_client_meets_the_same_login_at_the_simulator() -> None:
    async with wattpilot() as unit, connect(f"ws://{unit.address}/ws") as client:
        hello, challenge = json.loads(await client.recv()), json.loads(await client.recv())
        raw = PBKDF2HMAC(SHA512(), 256, hello["serial"].encode(), 100_000).derive(PASSWORD.encode())
        key, token3 = base64.b64encode(raw)[:32], "ab" * 16
        inner = hashlib.sha256(challenge["token1"].encode() + key).hexdigest()
        outer = hashlib.sha256((token3 + challenge["token2"] + inner).encode()).hexdigest()
        await client.send(json.dumps({"type": "auth", "token3": token3, "hash": outer}))
        assert json.loads(await client.recv())["type"] == "authSuccess"
        values: dict[str, object] = {}
        while (message := json.loads(await client.recv())).get("partial"):
            values |= message["status"]
        assert values["oem"] == "fronius"
        forged = {
            "type": "securedMsg",
            "data": json.dumps({"type": "setValue", "requestId": 1, "key": "fna", "value": "x"}),
            "requestId": "1sm",
            "hmac": "00",
        }
        await client.send(json.dumps(forged))
        while (message := json.loads(await client.recv()))["type"] != "response":
            pass
        assert message["success"] is False
        assert unit.held["fna"] != "x"


async def test_garbage_in_the_greeting_is_named() -> None:
    assert isinstance(await told_by("not JSON"), Garbled)
    assert isinstance(await told_by("[1, 2]"), Garbled)
    assert isinstance(await told_by({"type": "hello", "devicetype": "toaster", "serial": "1"}), ProtocolError)
    assert isinstance(await told_by(HELLO, CHALLENGE, '{"type": "authSucc'), Garbled)
    assert isinstance(await told_by(HELLO, *[{"type": "noise"}] * 30), ProtocolError)
    assert isinstance(await told_by(HELLO, {**CHALLENGE, "token1": {"a": 1}}, {"type": "authError"}), AuthFailed)
    assert isinstance(await told_by("[" * 50_000), Garbled)


async def test_garbage_after_the_login_ends_the_session_as_a_lost_line() -> None:
    error = await told_by(HELLO, CHALLENGE, {"type": "authSuccess"}, "]broken[")
    assert isinstance(error, LinkLost)


async def test_a_unit_that_stops_in_the_middle_of_its_values_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.drivers.goe.wattpilot.LOGIN_S", 0.5)
    part = {"type": "fullStatus", "partial": True, "status": {"fna": "x"}}
    assert isinstance(await told_by(HELLO, CHALLENGE, {"type": "authSuccess"}, part), TimedOut)
    assert isinstance(await told_by(HELLO), TimedOut)


async def test_ever_new_keys_are_not_kept() -> None:
    flood = [
        {"type": "fullStatus", "partial": True, "status": {f"k{n}{m}": "x" * 100 for m in range(100)}}
        for n in range(50)
    ]

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in [
            HELLO,
            {"type": "authSuccess"},
            *flood,
            {"type": "fullStatus", "partial": False, "status": {"fna": "x", "sse": "10056789"}},
        ]:
            await socket.send_str(json.dumps(message))
        async for message in socket:
            if message.type is WSMsgType.CLOSE:
                break
        return socket

    async with WattpilotUnit() as model, served(answer) as address:
        model.port = address.port
        async with session_of(model) as session:
            snapshot = await session.ask(ReadsSettings).read_settings()
            assert [setting.key for setting in snapshot.settings] == ["fna"]


async def test_nobody_else_is_taken_for_a_wattpilot() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="a page")

    async def silent(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    for answer in (page, silent):
        async with served(answer) as address:
            assert await probe(address, "wattpilot") is None
    async with OpenEvseGateway() as gateway, goe() as charger, wattpilot() as unit:
        assert await probe(gateway.address, "wattpilot") is None
        assert await probe(charger.address, "wattpilot") is None
        assert await probe(unit.address, "go-e") is None
        assert await probe(unit.address, "openevse-wifi") is None


async def test_a_running_transaction_of_a_unit_that_tells_no_acceptance_does_not_bar_the_way() -> None:
    async with wattpilot(keys={"ocppti": 7}) as unit, session_of(unit) as session:
        assert (await write(session, "ocppu", "ws://h/CP-1")).is_accepted


async def test_a_transaction_that_runs_keeps_the_backend() -> None:
    class Running(WattpilotUnit):
        def live(self) -> dict[str, object]:
            return {**super().live(), "ocppa": True, "ocppti": 7, "car": 2}

    async with Running() as unit, session_of(unit) as session:
        with pytest.raises(Busy, match="Transaction 7"):
            await write(session, "ocppu", "ws://h/CP-1")
        assert unit.sets == []
