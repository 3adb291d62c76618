"""The desktop program with a job under way, in a process of its own: ``python -m tests.e2e.window_program HOME END``.

``END`` says how it is to end: ``signal`` waits for one, ``close`` presses the window's close button and “Stop now”.
"""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication, QPushButton

from app.commands.console import Console
from app.commands.work import Answers, drive
from app.model.backend import Backend, SecurityProfile
from app.model.job import StepKind, StepState
from app.model.secret import Secret
from app.sim.garage import PASSWORD
from app.workbench import Workbench
from tests.e2e.kit import until
from ui import main as program
from ui.dialogs import Question
from ui.session import Session
from ui.tasks import Tasks

IDENTITY = "STALL-01"


async def work(bench: Workbench) -> None:
    """Begin a job, and tell its id once the charger is being written to."""
    await until(lambda: [u for u in bench.finder.units.values() if u.identity.profile_id == "openevse-wifi"])
    unit = next(u for u in bench.finder.units.values() if u.identity.profile_id == "openevse-wifi")
    preset = bench.settings.presets[0]
    backend = Backend(
        url=preset.url, identity=IDENTITY, security_profile=SecurityProfile.BASIC, secret=Secret(PASSWORD)
    )
    job = bench.desk.create(unit.unit_id)
    answers = Answers(backend=backend, accepts_doors=True)
    tasks = Tasks(QApplication.instance())
    tasks.start("work", drive(bench, job.id, answers, Console(is_json=False, is_quiet=True)))
    await until(lambda: bench.desk.job(job.id).step(StepKind.PROVE).state is StepState.RUNNING)
    sys.stdout.write(f"{job.id}\n")
    sys.stdout.flush()


async def close(session: Session) -> None:
    """Press the close button, and then the answer."""
    session._window.close()
    box = await until(lambda: next((b for b in session._window.findChildren(Question) if b.isVisible()), None))
    box.findChild(QPushButton, "answer-stop").click()


def main(home: str, end: str) -> int:
    """Run the program until it ends."""
    served = Session._serve

    async def serve(self: Session, bench: Workbench) -> None:
        await work(bench)
        if end == "close":
            Tasks(QApplication.instance()).start("close", close(self))
        await served(self, bench)

    Session._serve = serve
    return program.main(["--demo", "--home", home])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
