"""The traces of this workbench: what goes into them while it works, and the way in and out of files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from app import __version__
from app.feed import Feed
from app.model.acceptance import Progress
from app.model.finding import Finding
from app.model.frame import Handshake
from app.model.job import Job
from app.model.trace import HumanStep, ProgramStart, TraceFormat
from app.storage.db import Store
from app.trace.exporting import Exported, export
from app.trace.merging import Selection
from app.trace.recording import Recording, Told
from app.trace.witness import Witness

if TYPE_CHECKING:
    from app.trace.judging import Judgement

DRAIN_S = 0.1
"""How often evidence goes to the storage writer, as frames do."""

QUEUE = 20_000


class Arrival(Protocol):
    """What a new connection tells (``app.ocpp.endpoint.Endpoint``)."""

    @property
    def handshake(self) -> Handshake:
        """Return how it began."""
        ...

    @property
    def connection(self) -> int:
        """Return its number."""
        ...


class Run(Protocol):
    """What an acceptance run tells (``app.acceptance.run.Run``)."""

    @property
    def latest(self) -> Progress:
        """Return how it stands."""
        ...


A = TypeVar("A", bound=Arrival)
R = TypeVar("R", bound=Run)


def program_start(*, adapter: str = "") -> ProgramStart:
    """Say which program records, on which adapter, by which clock."""
    here = datetime.now(UTC).astimezone()
    return ProgramStart(
        program=f"Rehome {__version__}", adapter=adapter, clock=here.isoformat(), zone=here.tzname() or ""
    )


class TraceDesk:
    """Keeps the evidence beside the frames, writes trace files and opens them."""

    def __init__(self, store: Store, *, now: Callable[[], datetime], adapter: Callable[[], str]) -> None:
        self.witness = Witness(now)
        self._store = store
        self._adapter = adapter
        self._runs: list[Run] = []

    async def keep(self, arrivals: Feed[A], findings: Feed[Finding], jobs: Feed[Job], runs: Feed[R]) -> None:
        """Write evidence down until cancelled."""
        with (
            arrivals.subscribe(QUEUE) as dialled,
            findings.subscribe(QUEUE) as found,
            jobs.subscribe(QUEUE) as worked,
            runs.subscribe() as begun,
        ):
            self.witness.started(program_start(adapter=self._adapter()))
            try:
                while True:
                    await asyncio.sleep(DRAIN_S)
                    self._drain(dialled.take(), found.take(), worked.take(), begun.take())
            finally:
                self._drain(dialled.take(), found.take(), worked.take(), begun.take())

    def _drain(self, dialled: Sequence[Arrival], found: list[Finding], worked: list[Job], begun: Sequence[Run]) -> None:
        for arrival in dialled:
            self.witness.arrived(arrival.handshake, arrival.connection)
        self.witness.found(found)
        for job in worked:
            self.witness.job_changed(job)
        self._runs = [run for run in (*self._runs, *begun) if not run.latest.is_over]
        for run in self._runs:
            self.witness.acceptance_stands(run.latest)
        self._store.evidence.add(self.witness.take())

    def note(self, step: HumanStep, *, identity: str = "") -> None:
        """Keep what a person was asked or did."""
        self.witness.step(step, identity=identity)

    async def export(
        self, path: Path, kind: TraceFormat, selection: Selection, *, told: Told = lambda _count, _part: None
    ) -> Exported:
        """Write recorded traffic to a file. Raises DiskFull, StoreError; cancelling leaves no file."""
        await asyncio.sleep(2 * DRAIN_S)  # what was heard until now is then with the writer
        self._store.traffic.flush()
        return await export(
            path,
            kind,
            selection,
            traffic=self._store.traffic,
            evidence=self._store.evidence,
            start=program_start(adapter=self._adapter()),
            told=told,
        )

    async def convert(
        self,
        recording: Recording,
        path: Path,
        kind: TraceFormat,
        selection: Selection,
        *,
        told: Told = lambda _count, _part: None,
    ) -> Exported:
        """Write an opened recording to a file. Raises DiskFull, StoreError; cancelling leaves no file."""
        return await export(
            path,
            kind,
            selection,
            traffic=recording.traffic,
            evidence=recording.evidence,
            start=program_start(adapter=recording.info.adapter),
            told=told,
        )

    async def judge(
        self, recording: Recording, *, identity: str = "", told: Told = lambda _count, _part: None
    ) -> Judgement:
        """Run the live detectors over a recording."""
        from app.trace.judging import judge

        return await judge(recording, identity=identity, told=told)

    async def open(self, path: Path, told: Told = lambda _count, _part: None) -> Recording:
        """Open a trace of any kind for reading; close it. Raises StoreError, NewerFile."""
        return await Recording.load(path, told)
