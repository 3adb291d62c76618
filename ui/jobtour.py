"""Drive the window through one whole job with mouse and keyboard events, and leave pictures and the report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.errors import JobError
from app.model.job import Job, JobState, StepKind, StepState
from app.model.unit import Unit
from ui.shots import SETTLE_S, SIZE, save
from ui.window import MainWindow

if TYPE_CHECKING:
    from app.workbench import Workbench
    from ui.pages.jobs import JobsPage
    from ui.pages.site import SitePage

FIND_S = 30.0
STEP_S = 180.0
POLL_S = 0.1
LIVE_S = 4.0
"""How long the charger's page collects readings before its picture is taken."""


class JobTour:
    """One technician's visit to the demo garage, from the site page to the report."""

    def __init__(
        self, bench: Workbench, window: MainWindow, folder: Path, *, suffix: str = "", keeps_report: bool = True
    ) -> None:
        self._bench = bench
        self._window = window
        self._folder = folder
        self._suffix = suffix
        self._keeps_report = keeps_report

    async def run(self) -> Job:
        """Do the whole job; raises TimeoutError where the window does not get on, JobError where the job stops."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        self._window.resize(SIZE)
        unit = await self._find()
        await self._shoot("site-before")
        await self._look_at(unit)
        view = (await self._open_job(unit)).view
        await self._until(lambda: self._stands_at(StepKind.IDENTIFY))
        await self._shoot("job-1-identify")
        click(view.primary)
        await self._until(lambda: self._stands_at(StepKind.CHOOSE))
        view.pane.form.preset.setCurrentIndex(1)
        await self._shoot("job-2-choose")
        click(view.primary)
        await self._until(lambda: self._stands_at(StepKind.APPLY))
        for box in view.pane.plan.doors:
            click(box)
        await self._shoot("job-3-plan")
        click(view.primary)
        await self._until(lambda: self._job().step(StepKind.PROVE).started_at is not None or self._has_stopped())
        await self._shoot("job-4-prove")
        await self._until(lambda: self._job().is_final or self._has_stopped())
        job = self._job()
        if job.state is not JobState.DONE:
            raise _stopped(job)
        await self._shoot("job-5-report")
        await self._end(unit)
        return job

    async def _find(self) -> Unit:
        """Wait until every charger of the garage is on screen and the orphaned one is known."""
        self._window.go("site")
        units = self._bench.finder.units
        await self._until(lambda: any(unit.identity.profile_id == "openevse-wifi" for unit in units.values()), FIND_S)
        await self._until(lambda: len([unit for unit in units.values() if unit.identity.profile_id]) >= 7, FIND_S)
        return next(unit for unit in units.values() if unit.identity.profile_id == "openevse-wifi")

    async def _look_at(self, unit: Unit) -> None:
        self._window.go("unit", unit.unit_id)
        await asyncio.sleep(LIVE_S)
        await self._shoot("charger-before")

    async def _open_job(self, unit: Unit) -> JobsPage:
        """Press the card's own button, as a hand would."""
        self._window.go("site")
        await asyncio.sleep(SETTLE_S)
        page: SitePage = self._window.page  # type: ignore[assignment]
        cards = page.cards
        place = cards.visualRect(page.model.index(page.model.row_of(unit.unit_id), 0))
        press(cards.viewport(), QPointF(cards.delegate.button_rect(place).center()))
        await self._until(lambda: self._window.page_id == "jobs")
        jobs: JobsPage = self._window.page  # type: ignore[assignment]
        await self._until(lambda: jobs.view.job is not None)
        self._view = jobs.view
        return jobs

    async def _end(self, unit: Unit) -> None:
        self._window.go("unit", unit.unit_id)
        await asyncio.sleep(LIVE_S)
        await self._shoot("charger-after")
        for page in ("traffic", "endpoint", "jobs"):
            self._window.go(page)
            await self._shoot(page)
        if self._keeps_report:
            files = await self._bench.save_report(self._job().id, self._folder)
            sys.stdout.write("\n".join(str(path) for path in files.values()) + "\n")

    def _job(self) -> Job:
        job = self._view.job
        if job is None:
            raise JobError("No job is open.", "Open one from the Site page.")
        return self._bench.desk.job(job.id)

    def _stands_at(self, kind: StepKind) -> bool:
        job = self._job()
        return job.current is kind and job.id not in self._bench.desk.running

    def _has_stopped(self) -> bool:
        job = self._job()
        current = job.current
        return current is not None and job.step(current).state in (StepState.FAILED, StepState.NEEDS_INPUT)

    async def _until(self, is_true: Callable[[], bool], limit_s: float = STEP_S) -> None:
        async with asyncio.timeout(limit_s):
            while not is_true():  # noqa: ASYNC110 - a person looks again and again, too
                await asyncio.sleep(POLL_S)

    async def _shoot(self, name: str) -> None:
        await asyncio.sleep(SETTLE_S)
        save(self._window, self._folder / f"{name}{self._suffix}.png")


def click(button: QAbstractButton) -> None:
    """Press a button with the mouse, where it is."""
    press(button, QPointF(button.rect().center()))


def press(widget: QWidget, spot: QPointF) -> None:
    """Press and release the left button at a spot of a widget."""
    for kind, buttons in (
        (QEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton),
        (QEvent.Type.MouseButtonRelease, Qt.MouseButton.NoButton),
    ):
        event = QMouseEvent(
            kind,
            spot,
            QPointF(widget.mapToGlobal(spot.toPoint())),
            Qt.MouseButton.LeftButton,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)


def _stopped(job: Job) -> JobError:
    current = job.current
    step = job.step(current) if current else None
    where = f"The job stopped at “{current.value}”" if current else "The job did not finish"
    return JobError(f"{where}: {step.note if step else job.note}", step.advice if step else job.advice)


async def whole_job(bench: Workbench, window: MainWindow, folder: Path) -> None:
    """Do one whole job in the window and leave the report and pictures in a folder."""
    await JobTour(bench, window, folder).run()
