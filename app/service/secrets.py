"""Secrets a site file points to, and never holds: in a file of their own, the environment, systemd, or the keyring."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from app.model.secret import Secret

LIMIT = 20_000
"""Bytes of a secret's file: a private key with its certificate fits."""


class SecretProblem(Exception):
    """Why a secret can't be had, in words."""


def secret_from(place: str, folder: Path, environment: Mapping[str, str]) -> Secret:
    """Read the secret a place names; file names are relative to ``folder``. Raises SecretProblem.

    ``file:NAME``, ``env:NAME``, ``credential:NAME`` (systemd.exec(5), LoadCredential), ``keyring:NAME`` (service
    ``rehome``).
    """
    kind, _, name = place.partition(":")
    if kind not in _READERS or not name:
        raise SecretProblem("must be file:…, env:…, credential:… or keyring:…; a secret does not stand in this file")
    value = _READERS[kind](name, folder, environment)
    if not value:
        raise SecretProblem(f"{place} is empty")
    return Secret(value)


def _from_file(name: str, folder: Path, _environment: Mapping[str, str]) -> str:
    path = folder / name
    try:
        if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretProblem(f"{path.name} can be read by others; chmod 600 {path.name}")
        return _read(path)
    except OSError as error:
        raise SecretProblem(f"{path.name} can't be read: {error.strerror}") from error


def _from_environment(name: str, _folder: Path, environment: Mapping[str, str]) -> str:
    return environment.get(name, "")


def _from_systemd(name: str, _folder: Path, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder or "/" in name or name.startswith("."):
        raise SecretProblem(f"systemd gave no credential “{name}” (LoadCredential=)")
    try:
        return _read(Path(folder) / name)
    except OSError as error:
        raise SecretProblem(f"the credential “{name}” can't be read: {error.strerror}") from error


def _from_keyring(name: str, _folder: Path, _environment: Mapping[str, str]) -> str:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password("rehome", name) or ""
    except KeyringError as error:
        raise SecretProblem(f"the keyring does not open: {error}") from error


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise SecretProblem(f"{path.name} is longer than {LIMIT} bytes")
    try:
        return data.decode("utf-8").strip(os.linesep + "\n")
    except UnicodeDecodeError as error:
        raise SecretProblem(f"{path.name} is not text") from error


_READERS: Mapping[str, Callable[[str, Path, Mapping[str, str]], str]] = {
    "file": _from_file,
    "env": _from_environment,
    "credential": _from_systemd,
    "keyring": _from_keyring,
}
