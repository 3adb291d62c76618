"""The engine: gentle, bounded, restoring, resumable, and judged on frames alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from app.acceptance.case import FULL, Case, cases
from app.acceptance.desk import AcceptanceDesk
from app.acceptance.judging import again
from app.acceptance.junit import junit
from app.acceptance.run import Run
from app.acceptance.shelf import Shelf, load
from app.acceptance.stage import Stage
from app.acceptance.suites import suites
from app.acceptance.take import Take
from app.acceptance.tempo import Tempo
from app.errors import Busy, NotReachable, StoreError
from app.model.acceptance import Answer, Check, Progress, RunResult, Verdict, must, should, verdict_of
from app.model.coding import decode, encode
from app.scope import Scope, Trouble
from app.sim.chargepoint import standard_keys
from tests.acceptance.kit import TEMPO, central, known, plan, run_cases, run_one, station, told
from tests.acceptance.people import helpful

QUICK = Tempo(pace=0.01, least_s=0.3, returns_s=40.0, restores_s=40.0)


def made(steps, judge=lambda _: (), budget_s: float = 30.0, case_id: str = "A16-TEST-01") -> Case:
    return Case(
        id=case_id,
        title="A test",
        clause="none",
        versions=frozenset({"1.6"}),
        suites=frozenset({FULL}),
        steps=steps,
        judge=judge,
        budget_s=budget_s,
    )


# Suites ---------------------------------------------------------------------------------------------------------------


def test_commissioning_is_done_in_less_than_ten_minutes():
    suite = suites()["commissioning"]
    assert 0 < suite.budget_s("1.6") < 600 == suite.limit_s
    assert suites()["after-repair"].budget_s("1.6") <= suites()["after-repair"].limit_s


def test_there_are_forty_cases_with_ids_clauses_and_words():
    chosen = [case for case in cases() if "1.6" in case.versions]
    assert len(chosen) >= 40
    for case in chosen:
        assert case.id.startswith("A16-")
        assert case.clause
        assert case.text.endswith(".")
        assert case.budget_s > 0
        assert case.id.split("-")[1] in suites()["full"].subjects


def test_restarts_into_the_unknown_and_updates_are_only_in_the_full_suite():
    for suite in ("commissioning", "after-repair"):
        subjects = {case.id.split("-")[1] for case in suites()[suite].cases("1.6")}
        assert not subjects & {"FW", "CERT", "SEC", "LIST", "QUEUE"}


# Gentleness -----------------------------------------------------------------------------------------------------------


async def test_what_a_unit_does_not_claim_is_never_sent():
    async with central() as server, station(server) as unit:
        unit.configuration = standard_keys()
        unit.configuration["SupportedFeatureProfiles"].value = "Core"
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        slow = ("A16-BOOT", "A16-RESET", "A16-CONN", "A16-PING", "A16-QUEUE", "A16-BEAT", "A16-METER", "A16-AUTH")
        chosen = [case for case in suites()["full"].cases("1.6") if not case.id.startswith(slow)]
        result = await run_cases(server, chosen, person=helpful(unit), tempo=QUICK)
        sent = {action for action, _ in unit.heard}
        foreign = {
            "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule", "SendLocalList", "GetLocalListVersion",
            "ReserveNow", "CancelReservation", "TriggerMessage", "GetDiagnostics", "UpdateFirmware", "GetLog",
            "InstallCertificate", "ExtendedTriggerMessage", "SignedUpdateFirmware", "GetInstalledCertificateIds",
        }  # fmt: skip
        assert not sent & foreign
        left_out = [item for item in result.results if item.verdict is Verdict.NOT_APPLICABLE]
        assert len(left_out) > 25
        assert all(item.reason and not item.frames for item in left_out)


async def test_with_nobody_there_no_session_is_begun():
    async with central() as server, station(server) as unit:
        result = await run_one(server, "A16-METER-02")
        assert result.verdict is Verdict.NOT_ASKED
        assert "skipped" in result.reason
        assert not [action for action, _ in unit.heard if action == "RemoteStartTransaction"]


# Prompts --------------------------------------------------------------------------------------------------------------


async def test_a_person_who_can_not_leaves_the_case_open():
    async with central() as server, station(server):
        result = await run_one(server, "A16-SESS-01", person=lambda _: Answer.CANNOT)
        assert (result.verdict, result.reason) == (Verdict.NOT_ASKED, "The person can't do this here.")


async def test_a_countdown_that_runs_out_leaves_the_case_open():
    async with central() as server, station(server):
        result = await run_one(server, "A16-SESS-01", person=lambda _: None, tempo=QUICK)
        assert (result.verdict, result.reason) == (Verdict.NOT_ASKED, "Nobody answered the prompt in time.")


async def test_a_prompt_tells_what_to_do_and_closes_by_itself_when_it_is_done():
    async with central() as server, station(server) as unit:
        seen: list[Progress] = []
        run = Run(plan([known("A16-SESS-01")]), server=server, tempo=TEMPO)
        async with Scope("test") as scope:

            async def follow() -> None:
                with run.progress.subscribe() as feed:
                    async for progress in feed:
                        seen.append(progress)
                        if progress.prompt is not None:
                            unit.plug_in(1)

            scope.required("follow", follow())
            result = await run.go()
        prompt = next(progress.prompt for progress in seen if progress.prompt)
        assert (prompt.kind, prompt.within_s) == ("plug-in", 45.0)
        assert "connector 1" in prompt.text
        assert run.latest.prompt is None
        assert run.latest.is_over
        assert result.results[0].verdict is Verdict.PASS
        assert not run.answer(prompt.number, Answer.DONE)


async def test_a_car_that_is_plugged_in_already_needs_no_person_even_if_its_state_was_never_told():
    async with central() as server, station(server) as unit:
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        unit.plug_in(1)
        endpoint = server.endpoint("CP-1")
        assert endpoint is not None
        await endpoint.trigger("StatusNotification", 1)
        endpoint.ledger.statuses.clear()
        result = await run_one(server, "A16-SESS-01")
        assert result.verdict is Verdict.PASS, told(result)


# Restoring ------------------------------------------------------------------------------------------------------------


async def test_what_a_case_changed_is_put_back_even_when_it_is_stopped():
    async with central() as server, station(server) as unit:
        reached = asyncio.Event()

        async def steps(stage: Stage) -> None:
            stage.treat(answer_delay_s=0.001, withheld={"Heartbeat"})
            await stage.set("MeterValueSampleInterval", "44")
            await stage.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})

            async def back() -> str:
                return (await stage.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"})).status * 0

            stage.undo("operative", back)
            reached.set()
            await stage.pause(10_000)

        run = Run(plan([made(steps), made(steps, case_id="A16-TEST-02")]), server=server, tempo=TEMPO)
        async with Scope("test") as scope:
            task = scope.required("run", run.go())
            await asyncio.wait_for(reached.wait(), 5)
            assert unit.configuration["MeterValueSampleInterval"].value == "44"
            run.stop("The technician had lunch.")
            result = await task
        assert unit.configuration["MeterValueSampleInterval"].value == "10"
        assert unit.outlets[0].is_available
        assert server.manner("CP-1").is_usual
        assert [item.verdict for item in result.results] == [Verdict.NOT_ASKED]
        assert result.stopped == result.results[0].reason == "The technician had lunch."
        assert result.verdict is Verdict.NOT_ASKED


async def test_ending_the_program_in_a_case_puts_back_what_it_can_within_seconds():
    async with central() as server, station(server) as unit:
        reached = asyncio.Event()

        async def steps(stage: Stage) -> None:
            await stage.set("MeterValueSampleInterval", "44")
            reached.set()
            await stage.pause(10_000)

        run = Run(plan([made(steps)]), server=server, tempo=TEMPO)
        scope = Scope("program")
        scope.isolated("run", run.go())
        await asyncio.wait_for(reached.wait(), 5)
        await asyncio.wait_for(scope.close(), 4)
        assert unit.configuration["MeterValueSampleInterval"].value == "10"
        assert run.is_over


async def test_what_can_not_be_put_back_is_told():
    async with central() as server, station(server) as unit:

        async def steps(stage: Stage) -> None:
            await stage.set("MeterValueSampleInterval", "44")
            unit.answers["ChangeConfiguration"] = lambda _point, _payload: {"status": "Rejected"}

        result = (await run_cases(server, [made(steps, lambda _: [must("ok", True)])])).results[0]
        assert result.verdict is Verdict.PASS
        assert result.unrestored == ("setting MeterValueSampleInterval to “10”: the unit said Rejected",)


async def test_cleaning_up_is_no_part_of_the_judgement():
    async with central() as server, station(server):

        async def steps(stage: Stage) -> None:
            await stage.set("MeterValueSampleInterval", "44")

        def judge(take: Take) -> Iterator[Check]:
            yield must("One write is judged", len(take.asked("ChangeConfiguration")) == 1)

        result = (await run_cases(server, [made(steps, judge)])).results[0]
        assert result.verdict is Verdict.PASS
        assert sum("ChangeConfiguration" in frame.text for frame in result.frames) == 2
        assert again(_run_of(result)).results[0] == result


def _run_of(result):
    return replace(plan([]).run, results=(result,))


# Trouble --------------------------------------------------------------------------------------------------------------


async def test_a_case_that_takes_too_long_is_cut_and_judged():
    async with central() as server, station(server):

        async def steps(stage: Stage) -> None:
            await stage.pause(10_000)

        result = (
            await run_cases(server, [made(steps, lambda _: [must("ok", True)], 1.0)], tempo=Tempo(pace=0.05))
        ).results[0]
        assert result.verdict is Verdict.FAIL
        assert result.checks[-1].text == "The case is over within 1 s"


async def test_a_unit_that_goes_away_in_a_case_fails_it_and_the_run_goes_on_when_it_returns():
    async with central() as server, station(server, redial_s=30.0) as unit:

        async def steps(stage: Stage) -> None:
            assert unit._link is not None
            unit._link.transport.abort()
            await stage.until(lambda: stage.connection is None, 30)
            await stage.endpoint(within_s=1)

        first = made(steps, lambda _: [must("ok", True)])
        result = await run_cases(server, [first, known("A16-CONF-02")], tempo=QUICK)
        assert [item.verdict for item in result.results] == [Verdict.FAIL, Verdict.PASS], told(result.results[1])
        assert "away for 1 s" in result.results[0].checks[-1].seen


async def test_a_fault_of_ours_in_a_case_leaves_it_open_and_is_reported():
    troubles: list[Trouble] = []
    async with central() as server, station(server):

        async def steps(_: Stage) -> None:
            raise KeyError("bug")

        run = Run(plan([made(steps), known("A16-CONF-02")]), server=server, tempo=TEMPO, report=troubles.append)
        result = await run.go()
    assert [item.verdict for item in result.results] == [Verdict.NOT_ASKED, Verdict.PASS]
    assert "KeyError" in result.results[0].reason
    assert [type(trouble.error) for trouble in troubles] == [KeyError]


async def test_a_unit_that_offers_less_than_it_claims_says_so():
    async with central() as server, station(server):

        async def steps(stage: Stage) -> None:
            await stage.offered("RehomeNothing", {})
            raise AssertionError

        result = await run_cases(server, [made(steps)])
        assert result.results[0].verdict is Verdict.NOT_APPLICABLE
        assert result.results[0].reason == "The unit answers RehomeNothing with NotImplemented."


async def test_a_unit_that_answers_nothing_is_bounded():
    from app.sim.fault import Fault

    async with central() as server, station(server) as unit:
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        unit.faults.add(Fault.SILENT)
        chosen = ["A16-CONF-01", "A16-WIRE-01", "A16-CLOCK-01"]
        result = await run_cases(server, chosen, tempo=QUICK)
        verdicts = {item.case_id: item.verdict for item in result.results}
        assert verdicts["A16-CONF-01"] is Verdict.FAIL
        assert verdicts["A16-WIRE-01"] is Verdict.FAIL


# Judging and keeping --------------------------------------------------------------------------------------------------


def test_the_worst_sentence_makes_the_verdict():
    assert verdict_of([must("a", True), should("b", True)]) is Verdict.PASS
    assert verdict_of([must("a", True), should("b", False)]) is Verdict.PARTIAL
    assert verdict_of([must("a", False), should("b", True)]) is Verdict.FAIL
    assert verdict_of([]) is Verdict.NOT_ASKED


async def test_a_stored_run_judges_itself_again_from_its_frames_alone(tmp_path: Path):
    async with central() as server, station(server) as unit:
        chosen = ["A16-BOOT-01", "A16-CONF-01", "A16-SESS-01", "A16-RESET-01", "A16-CONN-01", "A16-PING-01"]
        result = await run_cases(server, chosen, person=helpful(unit))
    assert result.verdict is Verdict.PASS, [told(item) for item in result.results]
    shelf = Shelf(tmp_path / "runs")
    shelf.store(result)
    kept = shelf.load("test")
    assert kept == result
    assert again(kept) == result
    falls = [
        replace(frame, text=frame.text.replace('"status":"Accepted"', '"status":"Rejected"'))
        for frame in kept.results[2].frames
    ]
    forged = replace(kept, results=(replace(kept.results[2], frames=tuple(falls)),))
    assert again(forged).results[0].verdict is Verdict.FAIL


def test_foreign_files_are_no_runs(tmp_path: Path):
    shelf = Shelf(tmp_path)
    for name, text in {"a": "{", "b": "[]", "c": '{"id": 1}', "d": "[" * 100_000, "e": "\0"}.items():
        (tmp_path / f"{name}.acceptance.json").write_text(text)
        with pytest.raises(StoreError):
            shelf.load(name)
    assert shelf.runs() == ()
    for name in ("../a", "", "nobody"):
        with pytest.raises(StoreError):
            shelf.load(name)


def test_junit_holds_whatever_a_charger_says():
    evil = "<&\x00\x1b]]>\ud800" + "\ufffe"
    bad = must(evil, False, evil, 7)
    from app.model.acceptance import CaseResult

    base = plan([]).run
    moment = base.started_at
    results = tuple(
        CaseResult(
            case_id=f"A16-X-{number}", title=evil, clause=evil, verdict=verdict, reason=evil, checks=(bad,),
            started_at=moment, ended_at=moment, unrestored=(evil,),
        )
        for number, verdict in enumerate(Verdict)
    )  # fmt: skip
    text = junit(replace(base, results=results, unit={"vendor": evil}, stopped=evil))
    suite = Xml.fromstring(text.encode())[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "2")
    assert [len(case.findall("failure")) for case in suite.findall("testcase")] == [0, 1, 1, 0, 0]
    assert decode(RunResult, json.loads(json.dumps(encode(base)))) == base


# The desk -------------------------------------------------------------------------------------------------------------


async def test_one_run_per_unit_and_a_history(tmp_path: Path):
    async with central() as server, station(server), Scope("bench") as scope:
        desk = AcceptanceDesk(server=server, folder=tmp_path / "acceptance", scope=scope, tempo=TEMPO)
        with pytest.raises(NotReachable):
            desk.start("NOBODY", "full")
        run = desk.start("CP-1", "commissioning", skips_prompts=True, only=frozenset({"A16-CONF-01", "A16-CONF-05"}))
        with pytest.raises(Busy):
            desk.start("CP-1", "full")
        with run.progress.subscribe() as feed:
            async with asyncio.timeout(10):
                async for progress in feed:
                    if progress.is_over:
                        break
        assert desk.running("CP-1") is None
        assert [item.case_id for item in run.result.results] == ["A16-CONF-01", "A16-CONF-05"]
        assert desk.history("CP-1") == await desk.read_history("CP-1") == (run.result,)
        assert desk.latest("CP-1") == run.result
        assert desk.latest("OTHER") is None
        assert load(tmp_path / "acceptance" / f"{run.id}.acceptance.json").unit["vendor"] == "Simulated"


# Headless -------------------------------------------------------------------------------------------------------------


async def test_headless_with_a_real_process(tmp_path: Path, free_port: int):
    command = [
        sys.executable, "-m", "app", "accept", "CP-1", "--home", str(tmp_path / "home"), "--host", "127.0.0.1",
        "--port", str(free_port), "--case", "A16-BOOT-01", "--case", "A16-CONF-01", "--case", "A16-SESS-01",
        "--suite", "full", "--answer-prompts", "skip", "--json", "--junit", str(tmp_path / "a.xml"),
        "--out", str(tmp_path / "a.json"),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    from app.sim.station import OcppStation

    async with OcppStation("CP-1", f"ws://127.0.0.1:{free_port}/", time_scale=0.02, redial_s=5):
        out, errors = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, errors.decode()
    result = json.loads(out)
    assert [(item["case_id"], item["verdict"]) for item in result["results"]] == [
        ("A16-BOOT-01", "PASS"), ("A16-CONF-01", "PASS"), ("A16-SESS-01", "NOT ASKED"),
    ]  # fmt: skip
    suite = Xml.parse(tmp_path / "a.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "0", "1")
    judging = [sys.executable, "-m", "app", "accept", "--judge", str(tmp_path / "a.json"), "--answer-prompts", "skip"]
    judge = await asyncio.create_subprocess_exec(*judging, stdout=subprocess.PIPE)
    told_again, _ = await asyncio.wait_for(judge.communicate(), 20)
    assert judge.returncode == 0
    assert b"PASS" in told_again


async def test_headless_takes_answers_from_the_terminal(tmp_path: Path, free_port: int):
    command = [
        sys.executable, "-m", "app", "accept", "CP-1", "--home", str(tmp_path / "home"), "--host", "127.0.0.1",
        "--port", str(free_port), "--case", "A16-SESS-01", "--suite", "full", "--answer-prompts", "ask",
    ]  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, **pipes)
    from app.sim.station import OcppStation

    async with OcppStation("CP-1", f"ws://127.0.0.1:{free_port}/", time_scale=0.02, redial_s=5):
        assert process.stderr is not None
        assert process.stdin is not None
        async with asyncio.timeout(20):
            while b">>> Plug in a car (45 s)" not in await process.stderr.readline():
                pass
        process.stdin.write(b"c\n")
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 5
    assert b"The person can't do this here." in out
