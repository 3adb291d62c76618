"""All services at the simulated stations of both generations, which do what they are told and answer by the book."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.model.card import Card, Mode
from app.model.transfer import Carrier
from app.ocpp.endpoint import Endpoint
from app.ocpp.services import certificates, limits, locallist, messages, monitoring, reservations, transfer
from app.ocpp.services.reconcile import Result, reconcile
from app.ocpp.services.schedule import Period, Profile
from app.ocpp.services.transfer import Image, Patience
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from app.standin import testimage
from tests.services.kit import Bench, bench

SCALE = 0.02
PATIENCE = Patience(quiet_s=8.0, away_s=10.0, settle_s=0.5)
VERSIONS = ("1.6", "2.0.1", "2.1")


@asynccontextmanager
async def station(here: Bench, version: str) -> AsyncIterator[tuple[Any, Endpoint]]:
    """Run a station of that version against the server."""
    base = here.site.url.rstrip("/")
    if version == "1.6":
        async with OcppStation("CP-1", time_scale=SCALE) as old:
            old.dial(base)
            yield old, (endpoint := await _booted(here))
            _is_sound(endpoint)
    else:
        async with Station2(base, "CP-1", version, time_scale=SCALE) as new:
            yield new, (endpoint := await _booted(here))
            _is_sound(endpoint)


def _is_sound(endpoint: Endpoint) -> None:
    """A healthy station that is served raises no finding."""
    told = [(item.code, [proof.text for proof in item.evidence]) for item in endpoint.findings]
    assert not told, told


async def _booted(here: Bench) -> Endpoint:
    endpoint: Endpoint = await here.server.arrival("CP-1", timeout_s=10)
    async with asyncio.timeout(10):
        while endpoint.boot is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return endpoint


@pytest.mark.parametrize("version", VERSIONS)
async def test_logs_come_over_both_ways(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        for carrier in Carrier:
            outcome = await transfer.fetch_diagnostics(
                endpoint, here.desk.site(endpoint), carrier=carrier, patience=PATIENCE
            )
            assert outcome.is_done, outcome
            assert not outcome.oddities
        assert [item.carrier for item in here.files.received("CP-1")] == [Carrier.FTP, Carrier.HTTP]


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_image_with_a_wrong_signature_is_refused(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        made = testimage.make(tmp_path / "images", size=20_000, is_signed=True)
        wrong = base64.b64encode(b"no signature").decode()
        image = Image(path=made.path, signature=wrong, certificate=made.certificate)
        outcome = await transfer.update_firmware(endpoint, here.desk.site(endpoint), image, patience=PATIENCE)
        assert not outcome.is_done
        assert outcome.statuses[-1].status == "InvalidSignature"
        assert outcome.fetched == 20_000


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_unit_that_installs_what_nobody_it_knows_signed_is_named(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        made = testimage.make(tmp_path / "images", size=20_000, is_signed=True)
        image = Image(path=made.path, signature=made.signature, certificate=made.certificate, is_test=True)
        outcome = await transfer.update_firmware(endpoint, here.desk.site(endpoint), image, patience=PATIENCE)
        assert outcome.statuses[-1].status == "Installed"
        assert transfer.UNCHECKED in outcome.oddities


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_local_list_arrives(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        cards = here.desk.cards
        cards.put([Card(uid=f"CARD{number}") for number in range(7)], datetime.now(UTC))
        sent = await locallist.send_list(endpoint, cards.cards, cards.shelf)
        assert sent.is_done, sent
        cards.remove(["CARD0"])
        again = await locallist.send_list(endpoint, cards.cards, cards.shelf)
        assert (again.is_done, again.update.value) == (True, "Differential")
        assert (await locallist.clear_cache(endpoint))[0] in ("Accepted", "Rejected")


@pytest.mark.parametrize("version", VERSIONS)
async def test_root_and_own_certificate_are_taken(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        steps = await certificates.hand_over(endpoint, here.desk.certificates, wait_s=8)
        assert [step.is_done for step in steps] == [True, True], steps
        held = await certificates.installed(endpoint, [here.authority.root])
        assert any(item.certificate is not None for item in held)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_limit_is_obeyed_as_the_composer_says(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        now = datetime.now(UTC)
        profiles = [
            Profile(profile_id=1, connector=1, stack_level=0, purpose="TxDefaultProfile", kind="Absolute", unit="A",
                    periods=(Period(start_s=0, limit=13), Period(start_s=1200, limit=8)), start_at=now),
            Profile(profile_id=2, connector=0, stack_level=0, purpose="ChargePointMaxProfile", kind="Absolute",
                    unit="A", periods=(Period(start_s=0, limit=10),), start_at=now),
        ]  # fmt: skip
        for profile in profiles:
            assert (await limits.set_limit(endpoint, profile))[0] == "Accepted"
        judged = await limits.judge(endpoint, profiles, 1)
        assert not judged.disagreements, judged
        if version != "1.6":
            assert {item.profile_id for item in await limits.get_limits(endpoint)} == {1, 2}
        assert (await limits.clear_limits(endpoint))[0] == "Accepted"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_reservation_is_held_and_cancelled(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        made = await reservations.reserve(endpoint, 1, "CARD1", datetime.now(UTC) + timedelta(minutes=5))
        assert made.status == "Accepted"
        assert (await reservations.cancel(endpoint, made.reservation_id))[0] == "Accepted"
        assert (await reservations.cancel(endpoint, made.reservation_id))[0] == "Rejected"


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_texts_and_watches_are_kept_by_the_station(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (_, endpoint):
        message, status, _ = await messages.show(endpoint, "Hello")
        assert status == "Accepted"
        assert [item.text for item in await messages.shown(endpoint)] == ["Hello"]
        assert (await messages.clear(endpoint, message.message_id))[0] == "Accepted"
        assert await monitoring.watched(endpoint) is not None


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_refused_card_charges_nothing_and_a_listed_one_reconciles(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, station(here, version) as (unit, endpoint):
        here.desk.cards.put([Card(uid="04A2B3C4")], datetime.now(UTC))
        here.desk.cards.choose(Mode.LIST)
        unit.plug_in(1)
        with here.desk.cards.decisions.subscribe() as decisions:
            unit.swipe("NOBODY")
            async with asyncio.timeout(5):
                assert (await anext(aiter(decisions))).status.value == "Unknown"
            unit.swipe("c4b3a204")
            async with asyncio.timeout(5):
                assert (await anext(aiter(decisions))).status.value == "Accepted"
        async with asyncio.timeout(10):
            while not any(item.is_running for item in endpoint.transactions.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        unit.swipe("c4b3a204")
        async with asyncio.timeout(10):
            while any(item.is_running for item in endpoint.transactions.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        (session,) = endpoint.transactions.values()
        readings = [item for item in here.site.samples.take() if hasattr(item, "__iter__")]
        found = reconcile(session, [reading for sampled in readings for reading in sampled])
        assert Result.WRONG not in {check.result for check in found.checks}, found
