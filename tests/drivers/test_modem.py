"""Cellular modems as a technician meets them: which card, which network, what is missing; nothing is ever set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import resources
from app.diagnosis import thresholds
from app.diagnosis.mobile import at_mobile
from app.diagnosis.watch import Watch
from app.discovery.noticing import Notices
from app.driver.capability import ReadsSettings, ReportsStatus, Status
from app.driver.registry import load_profiles
from app.drivers.modem import ASKED, DRIVER
from app.errors import Garbled, LinkLost, TimedOut, Unexpected
from app.feed import Feed
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.finding import Finding, Severity
from app.model.mobile import MobileLink, Registration, Sim
from app.model.observation import MobileSeen
from app.model.profile import Verdict
from app.model.triage import Case
from app.model.unit import Claim, ClaimKind, Identity, Unit
from app.sim.fault import Fault
from app.sim.modem import DIALECTS, SimModem
from app.triage.desk import barring
from app.triage.judging import judge

PROFILE = next(item for item in load_profiles(resources.texts("profiles", ".toml")) if item.id == "modem")
WRITES = ("=", "+CPIN=", "&", "ATE", "ATZ", "ATD", "+CFUN", "+CIMI", "+CNUM")


async def status_of(modem: SimModem) -> Status:
    async with DRIVER.open(modem.address, PROFILE, RealLinks()) as session:
        return await session.ask(ReportsStatus).status()


async def link_of(modem: SimModem) -> MobileLink:
    link = (await status_of(modem)).mobile
    assert link is not None
    return link


def findings(link: MobileLink) -> list[Finding]:
    return list(at_mobile(MobileSeen(link=link, at=datetime.now(UTC)), thresholds.standard()))


def cases(link: MobileLink) -> list[str]:
    return [finding.details["case"] for finding in findings(link)]


def test_nothing_that_is_ever_sent_sets_anything_or_asks_for_a_subscriber():
    for command in ASKED:
        assert not any(mark in command for mark in WRITES), command


@pytest.mark.parametrize("is_chatty", [False, True], ids=["quiet", "chatty"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("echo", [False, True], ids=["no echo", "echo"])
async def test_every_dialect_is_understood(dialect: str, echo: bool, is_chatty: bool):
    async with SimModem(dialect, is_chatty=is_chatty) as modem:
        modem.echo = echo
        identity = await DRIVER.probe(modem.address, PROFILE, RealLinks())
        link = await link_of(modem)
    assert isinstance(identity, Identity)
    assert (identity.vendor, identity.model) == (DIALECTS[dialect].maker, DIALECTS[dialect].model)
    assert identity.firmware == DIALECTS[dialect].firmware.removeprefix("+CGMR: ")
    assert identity.claims == (Claim(ClaimKind.SERIAL, "356938035643809"),)
    assert (link.sim, link.iccid, link.registration) == (Sim.READY, "8944538532012345678", Registration.HOME)
    assert (link.pin_left, link.puk_left) == (3, 10)
    assert (link.operator, link.apn, link.address, link.is_attached) == (
        "Telekom.de",
        "internet.m2m",
        "10.54.3.2",
        True,
    )
    assert link.rssi_dbm == -73
    assert (link.rsrp_dbm, link.rsrq_db) == ((-86, -9) if DIALECTS[dialect].has_cesq else (None, None))
    assert cases(link) == []
    assert set(modem.heard) <= set(ASKED)


def said(text: str) -> Callable[[SimModem], None]:
    return lambda modem: setattr(modem, "cpin", text)


def stat(number: int) -> Callable[[SimModem], None]:
    return lambda modem: modem.register(number)


def weak(modem: SimModem) -> None:
    modem.rsrp, modem.csq = 20, 3


def no_apn(modem: SimModem) -> None:
    modem.apn = modem.address_told = ""


@pytest.mark.parametrize(
    ("spoil", "case", "is_fault"),
    [
        pytest.param(said("+CME ERROR: 10"), "no-sim", True, id="no card"),
        pytest.param(said("+CME ERROR: SIM not inserted"), "no-sim", True, id="no card, in words"),
        pytest.param(said("ERROR"), "no-sim", True, id="no card, no code"),
        pytest.param(said("+CME ERROR: 13"), "sim-failed", True, id="broken card"),
        pytest.param(said("+CPIN: SIM PIN"), "pin", True, id="PIN"),
        pytest.param(said("+CPIN: SIM PUK"), "puk", True, id="PUK"),
        pytest.param(said("+CPIN: PH-NET PIN"), "locked", True, id="locked to a network"),
        pytest.param(stat(0), "unregistered", False, id="not searching"),
        pytest.param(stat(2), "unregistered", False, id="searching"),
        pytest.param(stat(3), "denied", True, id="denied"),
        pytest.param(stat(8), "denied", False, id="emergency calls only"),
        pytest.param(stat(5), "roaming", False, id="roaming"),
        pytest.param(no_apn, "no-apn", False, id="no APN"),
        pytest.param(weak, "weak", False, id="weak"),
    ],
)
async def test_what_is_missing_is_named(spoil: Callable[[SimModem], None], case: str, is_fault: bool):
    async with SimModem() as modem:
        spoil(modem)
        status = await status_of(modem)
    assert status.mobile is not None
    assert cases(status.mobile)[0] == case
    assert status.has_fault == is_fault
    assert status.detail


async def test_a_pin_is_counted_and_never_tried():
    async with SimModem("quectel") as modem:
        modem.cpin, modem.pin_left = "+CPIN: SIM PIN", 1
        status = await status_of(modem)
    assert status.detail == "SIM: PIN wanted, 1 try left"
    assert status.mobile is not None
    assert "one try is left" in findings(status.mobile)[0].details["left"]
    assert not any("CPIN=" in command for command in modem.heard)


async def test_lte_alone_is_registration_enough():
    async with SimModem() as modem:
        modem.registered |= {"+CREG": 3, "+CGREG": 0, "+CEREG": 5}
        assert (await link_of(modem)).registration is Registration.ROAMING


async def test_what_the_modem_does_not_tell_is_no_finding():
    async with SimModem("simcom") as modem:
        modem.csq = 99
        modem.register(4)
        link = await link_of(modem)
    assert (link.rssi_dbm, link.registration) == (None, Registration.UNTOLD)
    assert cases(link) == []


def test_the_quality_of_lte_is_judged_like_its_strength():
    good = MobileLink(sim=Sim.READY, registration=Registration.HOME, rsrp_dbm=-90, rsrq_db=-9)
    fair = MobileLink(sim=Sim.READY, registration=Registration.HOME, rsrp_dbm=-90, rsrq_db=-11)
    bad = MobileLink(sim=Sim.READY, registration=Registration.HOME, rsrp_dbm=-111, rsrq_db=-9)
    assert findings(good) == []
    assert [item.severity for item in findings(fair) + findings(bad)] == [Severity.INFO, Severity.WARNING]
    assert findings(bad)[0].details["signal"] == "RSRP -111 dBm"


async def test_card_and_access_point_are_shown_and_can_not_be_written():
    async with SimModem() as modem, DRIVER.open(modem.address, PROFILE, RealLinks()) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
    values = {setting.key: setting.value for setting in snapshot.settings}
    assert values["iccid"] == "8944538532012345678"
    assert values["apn"] == "internet.m2m"
    assert values["rsrp"] == "-86"
    assert all(setting.is_readonly for setting in snapshot.settings)
    assert set(snapshot.excluded) == set(values)


async def test_a_silent_port_says_what_to_check():
    async with SimModem(faults={Fault.SILENT}) as modem:
        with pytest.raises(TimedOut) as caught:
            await status_of(modem)
    assert "several" in caught.value.advice


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(b"\xff\x00" * 2000, id="the wrong baud rate"),
        pytest.param(b"x\r\n" * 200, id="lines without end"),
        pytest.param(b"$OK 8.2.3^00\r", id="another protocol"),
    ],
)
async def test_noise_is_no_modem(noise: bytes):
    async with SimModem() as modem:
        modem.instead = noise
        assert await DRIVER.probe(modem.address, PROFILE, RealLinks()) is None
        with pytest.raises(Garbled) as caught:
            await status_of(modem)
    assert caught.value.advice


async def test_what_only_says_ok_is_no_modem():
    async with SimModem() as modem:
        modem.instead = b"\r\nOK\r\n"
        assert await DRIVER.probe(modem.address, PROFILE, RealLinks()) is None


async def test_a_modem_that_restarts_in_between_is_lost_or_late_and_says_so():
    async with SimModem() as modem, DRIVER.open(modem.address, PROFILE, RealLinks()) as session:
        modem.pull_cable()
        with pytest.raises((LinkLost, TimedOut)) as caught:
            await session.ask(ReportsStatus).status()
        assert caught.value.advice


async def test_another_modem_on_the_port_is_noticed():
    async with SimModem() as modem, DRIVER.open(modem.address, PROFILE, RealLinks()) as session:
        modem.imei = "490154203237518"
        with pytest.raises(Unexpected):
            await session.identify()  # type: ignore[attr-defined]


async def test_hostile_figures_are_left_out():
    async with SimModem() as modem:
        modem.csq, modem.rsrp, modem.rsrq = 9_999_999_999_999, 255, -3
        modem.operator = "A" * 400
        modem.apn = 'x","y' * 50
        link = await link_of(modem)
    assert (link.rssi_dbm, link.rsrp_dbm, link.rsrq_db) == (None, None, None)
    assert len(link.operator) <= 40
    assert len(link.apn or "") <= 100


async def test_a_caller_s_number_is_in_no_recording(tmp_path: Path):
    file = tmp_path / "modem.jsonl"
    with Recorder(file) as recorder:
        links = RealLinks(recorder=recorder)
        async with SimModem(is_chatty=True) as modem, DRIVER.open(modem.address, PROFILE, links) as session:
            await session.ask(ReportsStatus).status()
    assert "+CLIP" in file.read_text()
    assert "491701234567" not in file.read_text()


def verdict_of(link: MobileLink) -> Verdict:
    unit = Unit(unit_id="modem", identity=Identity(vendor="u-blox", profile_id="modem"))
    return judge(Case(unit=unit, codes=barring(findings(link))), PROFILE, {}, datetime.now(UTC)).verdict


@pytest.mark.parametrize(
    ("link", "verdict"),
    [
        pytest.param(MobileLink(sim=Sim.ABSENT), Verdict.SIM, id="no card"),
        pytest.param(MobileLink(sim=Sim.READY, registration=Registration.DENIED), Verdict.SIM, id="denied"),
        pytest.param(MobileLink(sim=Sim.READY, registration=Registration.HOME, apn=""), Verdict.SIM, id="no APN"),
        pytest.param(MobileLink(sim=Sim.READY, registration=Registration.HOME, apn="x"), Verdict.UNKNOWN, id="well"),
        pytest.param(MobileLink(sim=Sim.READY, registration=Registration.ROAMING), Verdict.UNKNOWN, id="a guest"),
        pytest.param(
            MobileLink(sim=Sim.READY, registration=Registration.HOME, rsrp_dbm=-120), Verdict.UNKNOWN, id="weak"
        ),
    ],
)
def test_a_new_card_is_the_verdict_where_the_card_is_the_trouble(link: MobileLink, verdict: Verdict):
    assert verdict_of(link) is verdict


async def test_what_a_modem_tells_reaches_the_judge_by_its_unit():
    told: list[object] = []
    arrived = asyncio.Event()

    def observed(seen: object) -> None:
        told.append(seen)
        arrived.set()

    statuses: Feed[tuple[str, Status]] = Feed()
    notices = Notices(
        observed, adapters=lambda: [], address=lambda: "", is_busy=lambda: False, now=lambda: datetime.now(UTC)
    )
    async with SimModem() as modem:
        modem.cpin = "+CME ERROR: 10"
        status = await status_of(modem)
    following = asyncio.create_task(notices.follow(statuses))
    await asyncio.sleep(0)
    statuses.publish(("unit-7", status))
    await asyncio.wait_for(arrived.wait(), 5)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    seen = told[0]
    assert isinstance(seen, MobileSeen)
    found = next(iter(Watch()(seen)))
    assert (found.code, seen.unit_id, found.details["case"]) == ("SIM-APN", "unit-7", "no-sim")
