"""The driver contract (docs/adding-a-charger.md) over every profile: on simulators, recordings, and real units."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app import drivers, resources
from app.driver.capability import CAPABILITIES, ReadsSettings, SetsBackend, WritesSettings
from app.driver.registry import Driver, Registry, load_drivers, load_profiles
from app.driver.session import Session
from app.errors import LinkError, LinkLost, NotSupported, ProtocolError, TimedOut, Unexpected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.links.replay import ReplayLinks
from app.model.address import Address, BleAddress, NetAddress, SerialAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind
from tests.drivers import contract
from tests.drivers.quickclock import Stopwatch, quicken
from tests.drivers.rigs import RIGS, Bench, Rig

REGISTRY = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))
PROFILES = [
    pytest.param(profile, id=profile.id)
    for profile in REGISTRY.profiles.values()
    if profile.driver != "ocpp-local" or profile.backend_keys or profile.id == "ocpp-generic"
]
"""Over OCPP, families without address keys of their own are one and the same to the driver: the generic one stands for
them, and tests/unit/test_guided_profiles.py looks at what a person is told."""
ONE_PER_DRIVER = [
    pytest.param(next(p for p in REGISTRY.profiles.values() if p.driver == id_), id=id_)
    for id_ in REGISTRY.drivers
    if any(p.driver == id_ for p in REGISTRY.profiles.values()) and (id_ not in RIGS or RIGS[id_].speaks)
]
RECORDINGS = [
    pytest.param(file, id=file.stem) for file in sorted((Path(__file__).parents[1] / "recordings").glob("*.jsonl"))
]


def rig_of(profile: Profile) -> Rig:
    assert profile.driver in RIGS, f"register a simulator for {profile.driver} in tests/drivers/rigs.py"
    return RIGS[profile.driver]


def driver_of(profile: Profile) -> Driver:
    return REGISTRY.driver_of(profile)


def new_session(profile: Profile, bench: Bench) -> Session:
    return driver_of(profile).open(bench.address, profile, bench.links)


@asynccontextmanager
async def opened(profile: Profile) -> AsyncIterator[tuple[Session, Bench]]:
    async with rig_of(profile).good(profile, None) as bench, new_session(profile, bench) as session:
        yield session, bench


async def open_and_ask(profile: Profile, bench: Bench) -> None:
    async with new_session(profile, bench) as session:
        asked = rig_of(profile).asked
        if asked is not None:
            await contract.CALLS[asked](session)


def test_every_driver_has_a_profile_and_a_rig():
    assert {profile.driver for profile in REGISTRY.profiles.values()} == set(REGISTRY.drivers)
    assert set(REGISTRY.drivers) <= set(RIGS)


@pytest.mark.parametrize("profile", PROFILES)
async def test_opens_and_offers_what_it_proved(profile: Profile):
    async with opened(profile) as (session, _):
        assert session.is_open
        assert session.offers
        assert session.offers <= driver_of(profile).capabilities


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_claimed_capability_answers(profile: Profile):
    async with opened(profile) as (session, bench):
        bench.plug_in()
        for capability, use in contract.READING.items():
            if session.has(capability):
                await use(session)
        for capability, touch in contract.TOUCHING.items():
            if session.has(capability):
                await touch(session, rig_of(profile))


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_unclaimed_capability_is_absent(profile: Profile):
    async with opened(profile) as (session, _):
        for capability in set(CAPABILITIES) - session.offers:
            assert not session.has(capability)
            with pytest.raises(NotSupported):
                session.ask(capability)


@pytest.mark.parametrize("profile", PROFILES)
async def test_close_is_idempotent_and_a_later_call_raises_link_lost(profile: Profile):
    async with opened(profile) as (session, _):
        offers = session.offers
        await session.close()
        await session.close()
        for capability in offers:
            with pytest.raises(LinkLost):
                await asyncio.wait_for(contract.CALLS[capability](session), 5)


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_session_that_never_opened_closes(profile: Profile):
    async with rig_of(profile).good(profile, None) as bench:
        session = new_session(profile, bench)
        await session.close()
        with pytest.raises(LinkLost):
            await contract.CALLS[next(iter(driver_of(profile).capabilities))](session)


@pytest.mark.parametrize("profile", PROFILES)
async def test_two_callers_at_once_are_served_in_turn(profile: Profile):
    async with opened(profile) as (session, _):
        call = contract.READING[next(c for c in contract.READING if session.has(c))]
        async with asyncio.timeout(20):
            await asyncio.gather(*(call(session) for _ in range(5)))


@pytest.mark.parametrize("profile", ONE_PER_DRIVER)
async def test_probe_names_the_unit_and_repeats(profile: Profile):
    async with rig_of(profile).good(profile, None) as bench:
        first = await driver_of(profile).probe(bench.address, profile, bench.links)
        again = await driver_of(profile).probe(bench.address, profile, bench.links)
        assert isinstance(first, Identity)
        assert first == again


@pytest.mark.parametrize("profile", ONE_PER_DRIVER)
async def test_garbage_raises_protocol_error_and_is_not_probed_as_a_unit(profile: Profile):
    async with rig_of(profile).garbage() as bench:
        quicken()
        with pytest.raises(ProtocolError) as caught:
            await open_and_ask(profile, bench)
        assert caught.value.advice
        if rig_of(profile).probes:
            assert await driver_of(profile).probe(bench.address, profile, bench.links) is None


@pytest.mark.parametrize("profile", ONE_PER_DRIVER)
async def test_silence_raises_timed_out_within_the_deadline(profile: Profile):
    async with rig_of(profile).silent() as bench:
        watch = Stopwatch()
        with pytest.raises(TimedOut) as caught:
            await open_and_ask(profile, bench)
        assert watch.is_within(new_session(profile, bench).deadline_s)
        assert caught.value.advice


@pytest.mark.parametrize("profile", ONE_PER_DRIVER)
async def test_probing_silence_raises_link_error_in_time(profile: Profile):
    if not rig_of(profile).probes:
        pytest.skip("a unit that dials us has told who it is")
    async with rig_of(profile).silent() as bench:
        watch = Stopwatch()
        with pytest.raises(LinkError):
            await driver_of(profile).probe(bench.address, profile, bench.links)
        assert watch.is_within(10.0)


@pytest.mark.parametrize("profile", ONE_PER_DRIVER)
async def test_secrets_are_in_no_log_and_no_recording(
    profile: Profile, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "recording.jsonl"
    with Recorder(file) as recorder:
        async with rig_of(profile).good(profile, recorder) as bench, new_session(profile, bench) as session:
            bench.plug_in()
            for capability, use in contract.READING.items():
                if session.has(capability):
                    await use(session)
            if session.offers >= {SetsBackend, ReadsSettings, WritesSettings}:
                await contract.repoints(session)
    written = file.read_text() if file.exists() else ""
    for secret in bench.secrets:
        for spelling in secret.spellings():
            assert spelling not in written
            assert spelling not in caplog.text


@pytest.mark.parametrize("file", RECORDINGS)
async def test_recording(file: Path):
    profile = next(p for p in REGISTRY.profiles.values() if file.stem.startswith(p.id + "-"))
    bench = Bench(_some_address(driver_of(profile)), ReplayLinks.of(file))
    assert await driver_of(profile).probe(bench.address, profile, bench.links) is not None
    async with new_session(profile, bench) as session:
        for capability, use in contract.READING.items():
            if session.has(capability):
                await use(session)
        await session.close()
        for capability in session.offers:
            with pytest.raises(LinkLost):
                await asyncio.wait_for(contract.CALLS[capability](session), 5)


@pytest.mark.parametrize("file", RECORDINGS)
def test_recording_holds_no_login(file: Path):
    text = file.read_text().lower()
    assert "basic " not in text
    shown = text.replace('"authorizationkey":"•••"', "")  # MicroOcpp's own name for a backend's password
    assert '"authorization":"•••"' in shown or "authorization" not in shown


def _some_address(driver: Driver) -> Address:
    if SourceKind.SERIAL in driver.sources:
        return SerialAddress(port="recorded")
    if SourceKind.BLUETOOTH in driver.sources:
        return BleAddress(device="recorded")
    return NetAddress(host="recorded")


@pytest.mark.hardware
async def test_real_unit(request: pytest.FixtureRequest):
    host = request.config.getoption("--host", default=None)
    if not host:
        pytest.skip("needs --host ADDRESS --profile ID")
    profile = REGISTRY.profiles[request.config.getoption("--profile")]
    name, _, port = host.partition(":")
    is_serial = SourceKind.SERIAL in driver_of(profile).sources
    address: Address = SerialAddress(port=host) if is_serial else NetAddress(host=name, port=int(port or 80))
    bench = Bench(address, RealLinks())
    assert await driver_of(profile).probe(address, profile, bench.links) is not None
    async with new_session(profile, bench) as session:
        for capability, use in contract.READING.items():
            if session.has(capability):
                await use(session)


def test_unexpected_is_a_protocol_error():
    assert issubclass(Unexpected, ProtocolError)
