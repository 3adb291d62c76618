"""Keep everything as it was found. Without this, nothing is written."""

from __future__ import annotations

from app.diagnosis.settings import at_settings
from app.diagnosis.thresholds import standard
from app.driver.capability import ReadsSettings
from app.jobs import backups
from app.jobs.doors import is_unread
from app.jobs.stepping import StepRun
from app.model.job import Strength
from app.model.observation import SettingsSeen
from app.model.setting import Snapshot


async def run(step: StepRun) -> None:
    """Read all settings, store them, read them back from the disk and compare."""
    step.progress("Reading all settings")
    async with step.open(ReadsSettings) as session:
        snapshot, secrets = await backups.take(step.job_id, session, step.store, step.vault)
    if is_unread(snapshot):
        _tell_unread(step, snapshot)
    else:
        _tell(step, snapshot, secrets)
    _judge(step, snapshot)


def _judge(step: StepRun, snapshot: Snapshot) -> None:
    """Name what the settings tell before anything is written: left-over limits, second slots, a dead SIM."""
    shown = {setting.key: setting.shown for setting in snapshot.settings}
    for finding in at_settings(
        SettingsSeen(identity=step.job.unit_id, settings=shown, at=snapshot.taken_at), standard()
    ):
        step.found(finding)


def _tell_unread(step: StepRun, snapshot: Snapshot) -> None:
    step.note(
        "Nothing could be backed up: over this way the charger can be written, but not read.",
        detail="; ".join(sorted(set(snapshot.excluded.values()))),
        strength=Strength.OPEN,
        facts={"backup": {"settings": 0, "secrets": (), "excluded": dict(snapshot.excluded)}},
    )


def _tell(step: StepRun, snapshot: Snapshot, secrets: tuple[str, ...]) -> None:
    facts = {"backup": {"settings": len(snapshot.settings), "secrets": secrets, "excluded": dict(snapshot.excluded)}}
    step.note(
        f"{len(snapshot.settings)} settings are stored, read back and equal.",
        detail=f"taken at {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        facts=facts,
    )
    if secrets:
        where = "in this computer's keyring" if step.vault.is_persistent else "in memory until the program ends"
        strength = Strength.PROVED if step.vault.is_persistent else Strength.OPEN
        step.note(f"Passwords are kept {where}.", detail=", ".join(secrets), strength=strength)
    for key, reason in snapshot.excluded.items():
        step.note(f"“{key}” can't be restored.", detail=reason, strength=Strength.OPEN)
