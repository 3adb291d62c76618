"""Take a backup that is worth its name: stored, read back from the disk, and equal."""

from __future__ import annotations

from dataclasses import replace

from app.driver.capability import ReadsSettings
from app.driver.session import Session
from app.errors import StepBlocked, VerifyFailed
from app.jobs import sealing
from app.model.setting import Snapshot
from app.storage.db import Store
from app.storage.vault import Vault


async def take(name: str, session: Session, store: Store, vault: Vault) -> tuple[Snapshot, tuple[str, ...]]:
    """Read all settings and keep them under a name; return them with the keys of those that went to the vault.

    Raises StepBlocked where the unit shows none, VerifyFailed where the disk does not give back what was stored.
    """
    snapshot = sealing.sealed(await session.ask(ReadsSettings).read_settings())
    if not snapshot.settings:
        raise StepBlocked(
            "The charger showed no settings, so there is nothing to go back to.",
            "Follow the instructions for this model by hand, or try another connection.",
        )
    secrets = sealing.keep(name, snapshot, vault)
    store.backups.save(name, snapshot)
    _verify(name, snapshot, store, vault)
    return snapshot, secrets


def _verify(name: str, snapshot: Snapshot, store: Store, vault: Vault) -> None:
    stored = store.backups.load(name)
    back = sealing.restored(name, stored, vault) if stored is not None else None
    if back is None or _values(back) != _values(snapshot) or dict(back.excluded) != dict(snapshot.excluded):
        raise VerifyFailed(
            "The backup read back from the disk is not what the charger said.",
            "Nothing was changed. Try again; if it stays, send the log to support.",
        )


def _values(snapshot: Snapshot) -> list[object]:
    return [replace(setting, choices=tuple(setting.choices)) for setting in snapshot.settings]
