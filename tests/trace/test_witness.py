"""What is kept beside the frames while the program works."""

from __future__ import annotations

from datetime import timedelta

from app.diagnosis.watch import Watch
from app.model.acceptance import Progress, Prompt, RunResult
from app.model.frame import Handshake, Knock
from app.model.observation import Drift, SelfTested
from app.model.trace import HumanStep
from app.trace.witness import KNOCK_LIMIT, Witness
from tests.trace.trace_kit import BEGIN, handshake


def knock(seq: int) -> Knock:
    return Knock(seq=seq, at=BEGIN, remote="10.0.0.1:1", verdict="garbage", text="noise", first_bytes=b"x")


def test_a_flood_of_knocks_is_bounded_and_said_so():
    witness = Witness(lambda: BEGIN)
    judge = witness.judging(Watch())
    for seq in range(10_000):
        judge(knock(seq))
    shake = handshake().evidence
    assert isinstance(shake, Handshake)
    judge(shake)
    taken = witness.take()
    assert sum(isinstance(record.evidence, Knock) for record in taken) == KNOCK_LIMIT
    assert any(isinstance(record.evidence, Handshake) for record in taken)
    (said,) = [record.evidence for record in taken if isinstance(record.evidence, HumanStep)]
    assert "9,800" in said.text
    judge(knock(1))
    assert len(witness.take()) == 1


def test_what_the_frames_tell_themselves_is_not_kept_twice():
    witness = Witness(lambda: BEGIN)
    judge = witness.judging(Watch())
    judge(Drift(action="Heartbeat", stamp="", drift_s=500.0, at=BEGIN))
    judge(SelfTested(address="10.0.0.1", problem="", at=BEGIN))
    assert [type(record.evidence) for record in witness.take()] == [SelfTested]


def test_a_handshake_learns_which_connection_it_became():
    witness = Witness(lambda: BEGIN)
    shake = handshake().evidence
    assert isinstance(shake, Handshake)
    witness.judging(Watch())(shake)
    witness.arrived(shake, 7)
    (record,) = witness.take()
    assert (record.identity, record.connection) == ("CP-1", 7)


def test_an_acceptance_prompt_is_kept_once():
    witness = Witness(lambda: BEGIN)
    run = RunResult(id="1", identity="CP-1", suite="full", suite_title="Full", version="1.6", started_at=BEGIN)
    prompt = Prompt(
        number=1, kind="card", title="Hold any card", text="now", until=BEGIN + timedelta(seconds=45), within_s=45.0
    )
    for _ in range(5):
        witness.acceptance_stands(Progress(run=run, planned=(), prompt=prompt))
    (record,) = witness.take()
    assert record.evidence == HumanStep(source="acceptance full", title="Hold any card", text="now")
    assert record.identity == "CP-1"
