"""What the acceptance tests share: our server, a simulated station that lives faster, a person who does as asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from app.acceptance.case import Case, find
from app.acceptance.run import Plan, Run
from app.acceptance.tempo import Tempo
from app.acceptance.tools import NO_TOOLS, Tools
from app.diagnosis.watch import Watch
from app.feed import Feed
from app.model.acceptance import Answer, CaseResult, Progress, Prompt, RunResult
from app.model.frame import Frame
from app.ocpp.host import Times
from app.ocpp.server import OcppServer
from app.scope import Scope
from app.sim.station import OcppStation

PACE = 0.02
"""A second of a case is 20 ms."""
TEMPO = Tempo(pace=PACE, least_s=0.8, returns_s=100.0, restores_s=100.0)
TIMES = Times(command_gate_s=0.3, trigger_boot_s=None, status_s=30.0, queue_s=10.0, key_s=0.5)

Person = Callable[[Prompt], Answer | None]
"""Does what a prompt asks; ``None`` = the prompt is left alone (it closes by itself, or runs out)."""


@asynccontextmanager
async def central(**options: Any) -> AsyncIterator[OcppServer]:
    server = OcppServer(
        frames=Feed[Frame](), samples=Feed(), sighted=lambda _: None, judge=Watch(), times=TIMES, **options
    )
    async with server:
        await server.start("127.0.0.1", 0)
        yield server


@asynccontextmanager
async def station(server: OcppServer, identity: str = "CP-1", **options: Any) -> AsyncIterator[OcppStation]:
    options.setdefault("time_scale", PACE)
    url = server.state.url.replace("ws:", "wss:") if options.get("tls") else server.state.url
    async with OcppStation(identity, url, **options) as unit:
        unit.pings = True
        await server.arrival(identity, timeout_s=10)
        yield unit


def plan(cases: Sequence[Case], identity: str = "CP-1", *, skips: bool = False, version: str = "1.6") -> Plan:
    run = RunResult(
        id="test", identity=identity, suite="full", suite_title="Full", version=version, started_at=datetime.now(UTC)
    )
    return Plan(run=run, cases=tuple(cases), skips_prompts=skips)


async def run_cases(
    server: OcppServer,
    cases: Sequence[Case | str],
    *,
    person: Person | None = None,
    tempo: Tempo = TEMPO,
    tools: Tools = NO_TOOLS,
    identity: str = "CP-1",
    version: str = "1.6",
) -> RunResult:
    chosen = [item if isinstance(item, Case) else known(item) for item in cases]
    planned = plan(chosen, identity, skips=person is None, version=version)
    run = Run(planned, server=server, tempo=tempo, tools=tools)
    async with Scope("person") as scope:
        if person is not None:
            scope.required("person", obey(run, person))
        return await run.go()


async def run_one(server: OcppServer, case_id: str, **options: Any) -> CaseResult:
    result = await run_cases(server, [case_id], **options)
    assert result.results, result.stopped
    return result.results[0]


async def obey(run: Run, person: Person) -> None:
    with run.progress.subscribe() as feed:
        done = 0
        async for progress in feed:
            prompt = progress.prompt
            if prompt is not None and prompt.number > done:
                done = prompt.number
                answer = person(prompt)
                if answer is not None:
                    run.answer(prompt.number, answer)


def known(case_id: str) -> Case:
    found = find(case_id)
    assert found is not None, case_id
    return found


def told(result: CaseResult) -> str:
    """Write a result so that a failing test says everything."""
    lines = [f"{result.case_id} {result.verdict.value} {result.reason}"]
    lines += [f"  {'ok' if check.is_met else 'NOT'} {check.sentence} {check.seqs}" for check in result.checks]
    lines += [f"  unrestored: {text}" for text in result.unrestored]
    lines += [f"  {f.seq} {f.at:%S.%f} {f.direction.value} {f.text[:160]}" for f in result.frames]
    lines += [f"  * {mark.at:%S.%f} {mark.name} {mark.text}" for mark in result.marks]
    return "\n".join(lines)


def step_of(progress: Progress) -> str:
    return progress.step
