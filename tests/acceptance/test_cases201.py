"""A healthy 2.x station passes every case, in one run of the whole suite, in compressed time."""

from __future__ import annotations

from typing import Any

import pytest

from app.acceptance.case import cases
from app.acceptance.cases201 import moves
from app.acceptance.judging import again
from app.acceptance.suites import suites
from app.acceptance.take import Take
from app.acceptance.tools import Tools
from app.model.acceptance import RunResult, Verdict
from app.model.coding import decode, encode
from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.station2_evse import Json
from app.sim.station2_model import DeviceModel
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.acceptance.kit import central, run_cases, run_one, told
from tests.acceptance.kit2 import station2
from tests.acceptance.people import careful, helpful


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_healthy_station_passes_the_whole_suite(
    version: str, wardrobe: Wardrobe, authority: Authority, hands: Tools
):
    tls = DialTls(roots=(authority.root.pem,))
    async with (
        central(wardrobe=lambda: wardrobe) as server,
        station2(server, version, security_profile=2, password="0123456789abcdef", tls=tls) as unit,
    ):
        careful(unit)
        chosen = suites()["full"].cases(version)
        result = await run_cases(server, chosen, person=helpful(unit), tools=hands, version=version)
        assert not result.stopped
        bad = [told(item) for item in result.results if item.verdict is not Verdict.PASS or item.unrestored]
        assert not bad, "\n".join(bad)
        assert len(result.results) == len(chosen) >= 40
        assert result.verdict is Verdict.PASS


def test_the_short_suites_are_done_in_less_than_ten_minutes():
    for version in ("2.0.1", "2.1"):
        for name in ("commissioning", "after-repair"):
            suite = suites()[name]
            assert 0 < suite.budget_s(version) < suite.limit_s == 600, name


def test_every_case_has_an_id_a_clause_and_words():
    chosen = [case for case in cases() if "2.0.1" in case.versions]
    assert len(chosen) >= 40
    for case in chosen:
        assert case.versions == {"2.0.1", "2.1"}
        assert case.id.startswith("A201-")
        assert case.clause
        assert case.text.endswith(".")
        assert case.budget_s > 0
        assert case.id.split("-")[1] in suites()["full"].subjects


def test_what_changes_more_than_a_value_is_only_in_the_full_suite():
    for suite in ("commissioning", "after-repair"):
        subjects = {case.id.split("-")[1] for case in suites()[suite].cases("2.0.1")}
        assert not subjects & {"FW", "CERT", "SEC", "NET", "LIST", "QUEUE", "MON", "DISP"}


SPARE = frozenset(
    {"OCPPCommCtrlr", "SecurityCtrlr", "AuthCtrlr", "TxCtrlr", "DeviceDataCtrlr", "SampledDataCtrlr", "ClockCtrlr"}
)
"""The controllers every station has; all others are options."""


async def test_what_a_station_does_not_claim_is_never_sent():
    async with central() as server, station2(server) as unit:
        unit.model = DeviceModel(
            one for one in unit.model if not one.component.endswith("Ctrlr") or one.component in SPARE
        )
        chosen = [case for case in suites()["full"].cases("2.0.1") if case.id.split("-")[1] in OPTIONS]
        result = await run_cases(server, chosen, person=helpful(unit), version="2.0.1")
        sent = {action for action, _ in unit.heard} - {"GetBaseReport"}
        assert not sent
        assert len(result.results) > 20
        assert all(item.verdict is Verdict.NOT_APPLICABLE and item.reason for item in result.results)


OPTIONS = frozenset({"LIST", "CACHE", "SMART", "RES", "MON", "DISP"})
"""Subjects that a controller of its own claims."""


async def test_what_a_station_does_not_implement_is_not_applicable():
    async with central() as server, station2(server) as unit:
        for action in ("GetInstalledCertificateIds", "InstallCertificate", "CustomerInformation", "UnlockConnector"):
            del unit.answers[action]
        ids = ["A201-CERT-01", "A201-CERT-02", "A201-CERT-03", "A201-CUST-01", "A201-UNLOCK-01"]
        result = await run_cases(server, ids, version="2.0.1")
        assert {item.verdict for item in result.results} == {Verdict.NOT_APPLICABLE}
        assert all("NotImplemented" in item.reason for item in result.results)


async def test_what_a_case_changed_is_put_back_when_it_fails():
    async with central() as server, station2(server) as unit:
        before = unit.model.text("SampledDataCtrlr", "TxUpdatedInterval")
        unit.faults.add(Fault.REGISTER_FALLS)
        result = await run_one(server, "A201-METER-01", person=helpful(unit), version="2.0.1")
        assert result.verdict is Verdict.FAIL
        assert not result.unrestored
        assert unit.model.text("SampledDataCtrlr", "TxUpdatedInterval") == before
        assert all(evse.tx is None for evse in unit.evses)


async def test_no_certificate_of_ours_is_signed_or_left_behind(authority: Authority):
    signed = []
    async with central() as server, station2(server) as unit:
        server.repliers["SignCertificate"] = lambda _endpoint, payload: signed.append(payload)  # type: ignore[func-returns-value]
        for case_id in ("A201-CERT-03", "A201-CERT-05"):
            result = await run_one(server, case_id, version="2.0.1")
            assert result.verdict is Verdict.PASS, told(result)
        assert not signed
        assert len(unit.certificates) == 0
        assert not unit.certificates.has_client
        unit.security.sign("ChargingStationCertificate")
        await unit.until(lambda: bool(signed))


async def test_what_a_station_tells_just_before_the_end_does_not_hold_up_the_end():
    async with central() as server, station2(server) as unit:
        stop = unit.answers["RequestStopTransaction"]

        def measures_and_stops(payload: Json) -> Any:
            unit.transactions.metered(unit.evses[0], "MeterValuePeriodic", "Sample.Periodic")
            return stop(payload)

        unit.answers["RequestStopTransaction"] = measures_and_stops
        result = await run_one(server, "A201-QUEUE-02", person=helpful(unit), version="2.0.1")
        assert result.verdict is Verdict.PASS, told(result)
        kinds = [moves.kind_of(event) for event in moves.events(Take.of(result.frames))]
        assert kinds[-3:] == ["Updated", "Ended", "Ended"]


async def test_a_stored_run_is_judged_again_from_its_frames_alone():
    async with central() as server, station2(server) as unit:
        ids = ["A201-CONF-01", "A201-SESS-01", "A201-RESET-01"]
        result = await run_cases(server, ids, person=helpful(unit), version="2.0.1")
        stored: RunResult = decode(RunResult, encode(result))
        assert [item.checks for item in again(stored).results] == [item.checks for item in result.results]
