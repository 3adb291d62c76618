"""Starting, following, stopping: whatever happens, the unit is treated as before."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import Busy, NotReachable
from app.experiment import run as running
from app.experiment.run import Run
from app.experiment.stage import Stage
from app.experiment.values import Progress, State, Subject, Tempo
from app.experiment.words import setting_words, told
from app.model.experiment import EXPERIMENTS, Ground
from tests.experiment.lab import Unit, healthy, lab, living


async def test_an_experiment_that_is_stopped_puts_everything_back() -> None:
    async with lab() as place, living(Unit(place, healthy)):
        run = place.desk.start("answer-delay", identity="CP-1")
        async with asyncio.timeout(5):
            await _until(run, lambda progress: progress.result.rounds[1].state is State.RUNNING)
            assert not place.server.manner("CP-1").is_usual
            run.stop()
            await _until(run, lambda progress: progress.is_over)
        place.is_put_back("CP-1")
    assert run.result.why == "Stopped by hand."
    assert run.result.outcome is None
    assert run.result.finding is None


async def test_an_experiment_ends_with_its_scope() -> None:
    async with lab() as place, living(Unit(place, healthy)):
        run = place.desk.start("hold", identity="CP-1")
        async with asyncio.timeout(5):
            await _until(run, lambda progress: progress.result.rounds[0].state is State.RUNNING)
            await place.desk._scope.close()
        place.is_put_back("CP-1")
    assert run.is_over
    assert (run.result.sign, run.result.why) == ("", "It was interrupted.")


async def test_an_experiment_that_fails_itself_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(stage: Stage) -> None:
        with stage.manners() as change, stage.personality() as show:
            for setting in stage.settings():
                change(boot_status="Rejected", refuses_upgrade=503)
                show("rogue")
                raise ZeroDivisionError(setting)

    monkeypatch.setattr(running, "PLAYS", {"hold": broken})
    troubles: list[object] = []
    async with lab() as place, living(Unit(place, healthy)):
        place.desk._report = troubles.append
        result = await place.run("hold")
    assert result.sign == ""
    assert "failed" in result.why
    assert len(troubles) == 1


async def test_a_manner_that_was_set_before_is_set_again() -> None:
    async with lab(tempo=Tempo(pace=0.001)) as place, living(Unit(place, healthy)):
        place.server.manner("CP-1").ping_s = 7.0
        place.server.manner("CP-1").withheld.add("DataTransfer")
        result = await place.desk.run("hold", identity="CP-1")
        assert result.sign == "stays"
        assert place.server.manner("CP-1").ping_s == 7.0
        assert place.server.manner("CP-1").withheld == {"DataTransfer"}


async def test_one_at_a_time_for_each_unit() -> None:
    async with lab() as place, living(Unit(place, healthy)), living(Unit(place, healthy, "CP-2")):
        run = place.desk.start("hold", identity="CP-1")
        with pytest.raises(Busy):
            place.desk.prepare("ping-rhythm", identity="CP-1")
        with pytest.raises(Busy):
            place.desk.prepare("certificate-personality", remote="127.0.0.1:5")
        other = place.desk.start("hold", identity="CP-2")
        assert place.desk.running("CP-1") is run
        assert place.desk.running("CP-2") is other
        assert place.desk.latest("hold", Subject(identity="CP-1")) is run
        for one in (run, other):
            one.stop()
            await _until(one, lambda progress: progress.is_over)
        assert place.desk.running("CP-1") is None


async def test_what_is_not_there_can_not_be_experimented_with() -> None:
    async with lab() as place:
        with pytest.raises(NotReachable):
            place.desk.prepare("hold", identity="CP-9")
        with pytest.raises(NotReachable):
            place.desk.prepare("certificate-personality", identity="CP-9")
        with pytest.raises(NotReachable):
            place.desk.prepare("nonsense-identity", identity="CP-9")
        place.desk._hindrance = lambda _: "It is being accepted."
        with pytest.raises(Busy, match="accepted"):
            place.desk.prepare("plain-instead-of-tls", identity="CP-9")


async def test_it_warns_of_a_charging_session() -> None:
    async def charging(unit: Unit) -> None:
        await unit.boot()
        start = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
        await unit.ask("StartTransaction", start)
        await unit.serve()

    async with lab() as place, living(Unit(place, charging)):
        await place.site.frame(action="StartTransaction", uid="1-2")
        subject = place.desk.subject("ping-rhythm", identity="CP-1")
        warnings = place.desk.warnings("big-answer", subject)
    assert len(warnings) == 2
    assert "session" in warnings[1]


async def test_progress_counts_down_and_ends() -> None:
    async with lab() as place, living(Unit(place, healthy)):
        run = place.desk.prepare("redial-rhythm", identity="CP-1")
        with run.progress.subscribe() as feed:
            result = await run.go()
            told_steps = feed.take()
    assert [item.is_over for item in told_steps].count(True) == 1
    assert told_steps[-1].is_over
    assert any(item.until is not None and "return" in item.step for item in told_steps)
    assert result.rounds == told_steps[-1].result.rounds


@pytest.mark.parametrize("experiment_id", list(EXPERIMENTS))
def test_every_round_and_result_has_words(experiment_id: str) -> None:
    experiment = EXPERIMENTS[experiment_id]
    names = [setting_words(experiment_id, setting) for setting in experiment.rounds]
    assert len(set(names)) == len(names) > 0
    assert experiment.ground is Ground.BACKEND or experiment_id in running.PLAYS


async def test_a_result_can_be_sent_on() -> None:
    async with lab(tempo=Tempo(pace=0.001)) as place, living(Unit(place, healthy)):
        text = told(await place.run("hold"))
    assert "Hold the line" in text
    assert "CP-1" in text
    assert "It stays." in text


async def _until(run: Run, wanted: object) -> Progress:
    async with asyncio.timeout(10):
        with run.progress.subscribe() as feed:
            if wanted(run.latest):  # type: ignore[operator]
                return run.latest
            async for progress in feed:
                if wanted(progress):  # type: ignore[operator]
                    return progress
    raise AssertionError(run.latest)
