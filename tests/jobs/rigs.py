"""What the job tests share: simulated units in known states, and driving a job like a person would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, JobState, StepKind, StepState
from app.model.secret import Secret
from app.sim.openevse import OpenEvseGateway
from tests.jobs.minibench import MiniBench

PASSWORD = "w0rd-for-9!"
OLD = {
    "ocpp_server": "ws://127.0.0.1:1/dead",
    "ocpp_chargeBoxId": "OLD-1",
    "ocpp_authkey": b"old-pass".hex(),
    "ocpp_enabled": True,
    "ocpp_auth_auto": False,
}


def gateway(**changes: Any) -> OpenEvseGateway:
    """An OpenEVSE that dials a dead backend, a hundred times as fast as a real one."""
    return OpenEvseGateway(time_scale=0.01, config={**OLD, **changes})


def wanted(url: str, identity: str = "NEW-1", password: str = PASSWORD) -> Backend:
    profile = SecurityProfile.BASIC if password else SecurityProfile.NONE
    return Backend(url=url, identity=identity, security_profile=profile, secret=Secret(password))


async def drive(bench: MiniBench, job_id: str, backend: Backend, *, skips: Sequence[StepKind] = ()) -> Job:
    """Answer what a job asks until it is over or stands for another reason."""
    skips = list(skips)
    while True:
        job = await bench.done(job_id)
        current = job.current
        if job.state is not JobState.ACTIVE or current is None:
            return job
        step = job.step(current)
        if current is StepKind.CHOOSE and step.state is StepState.NEEDS_INPUT:
            bench.desk.choose(job_id, backend)
        elif job.open_doors and current is StepKind.PLAN:
            bench.desk.acknowledge(job_id, [door.id for door in job.open_doors])
        elif current in skips:
            skips.remove(current)
            bench.desk.skip(job_id, current, "not possible in this test")
        else:
            return job


def told(job: Job, kind: StepKind) -> str:
    """Everything a step says, as one text."""
    step = job.step(kind)
    return "\n".join([step.note, step.advice, *(f"{proof.text} {proof.detail}" for proof in step.proofs)])


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
