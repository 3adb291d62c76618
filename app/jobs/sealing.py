"""Take the secrets out of a backup and put them back."""

from __future__ import annotations

import urllib.parse
from dataclasses import replace

from app.model.secret import Secret
from app.model.setting import Setting, Snapshot
from app.storage.vault import Vault


def entry(job_id: str, key: str) -> str:
    """Return the vault's name for a secret of a backup."""
    return f"backup/{job_id}/{key}"


def sealed(snapshot: Snapshot) -> Snapshot:
    """Mark every value that holds a password as secret: also an address with user name and password in it."""
    return replace(snapshot, settings=tuple(_sealed(setting) for setting in snapshot.settings))


def keep(job_id: str, snapshot: Snapshot, vault: Vault) -> tuple[str, ...]:
    """Put a sealed snapshot's secrets into the vault; return their keys."""
    kept = [setting for setting in snapshot.settings if setting.is_secret and setting.value]
    for setting in kept:
        vault.set(entry(job_id, setting.key), Secret(setting.value or ""))
    return tuple(setting.key for setting in kept)


def restored(job_id: str, stored: Snapshot, vault: Vault) -> Snapshot:
    """Return a stored snapshot with its secrets from the vault; one that is gone becomes ``None``."""

    def opened(setting: Setting) -> Setting:
        if not (setting.is_secret and setting.value):
            return setting
        secret = vault.get(entry(job_id, setting.key))
        return replace(setting, value=secret.reveal() if secret is not None else None)

    return replace(stored, settings=tuple(opened(setting) for setting in stored.settings))


def holds_password(value: str) -> bool:
    """Say whether a value is an address with a password in it."""
    if "://" not in value or "@" not in value:
        return False
    try:
        return urllib.parse.urlsplit(value).password is not None
    except ValueError:
        return True


def _sealed(setting: Setting) -> Setting:
    return setting if setting.is_secret else replace(setting, is_secret=holds_password(setting.value or ""))
