"""Keep everything as it was found. Without this, nothing is written."""

from __future__ import annotations

from dataclasses import replace

from app.driver.capability import ReadsSettings
from app.errors import StepBlocked, VerifyFailed
from app.jobs import sealing
from app.jobs.stepping import StepRun
from app.model.job import Strength
from app.model.setting import Snapshot


async def run(step: StepRun) -> None:
    """Read all settings, store them, read them back from the disk and compare."""
    step.progress("Reading all settings")
    async with step.open(ReadsSettings) as session:
        snapshot = sealing.sealed(await session.ask(ReadsSettings).read_settings())
    if not snapshot.settings:
        raise StepBlocked(
            "The charger showed no settings, so there is nothing to go back to.",
            "Follow the instructions for this model by hand, or try another connection.",
        )
    secrets = sealing.keep(step.job_id, snapshot, step.vault)
    step.store.backups.save(step.job_id, snapshot)
    _verify(step, snapshot)
    _tell(step, snapshot, secrets)


def _verify(step: StepRun, snapshot: Snapshot) -> None:
    stored = step.store.backups.load(step.job_id)
    back = sealing.restored(step.job_id, stored, step.vault) if stored is not None else None
    if back is None or _values(back) != _values(snapshot) or dict(back.excluded) != dict(snapshot.excluded):
        raise VerifyFailed(
            "The backup read back from the disk is not what the charger said.",
            "Nothing was changed. Try again; if it stays, send the log to support.",
        )


def _values(snapshot: Snapshot) -> list[object]:
    return [replace(setting, choices=tuple(setting.choices)) for setting in snapshot.settings]


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
