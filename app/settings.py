"""What the user has set: typed, kept as TOML in the config folder, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from app.errors import StoreError
from app.model.listening import PERSONALITIES, PROFILES, ListenPlan

HOME_VARIABLE = "REHOME_HOME"
"""Overrides the folder for data and settings (tests, demo, portable use)."""

DEFAULT_PORT = 8180
"""The port of our endpoint: free of privileges, and the one SteVe users know."""

SIZE_LIMIT = 1_000_000
"""Bytes of a settings file; ten thousand presets fit, or a list of five thousand chargers."""

_TABLES = ("presets", "listed")
"""The settings that are lists of tables in the file."""

THEMES = ("system", "light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A backend the site uses again and again. Its password is in the vault under ``preset/<name>``."""

    name: str
    url: str
    security_profile: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A charger of an imported list. Its password is in the vault under ``identity/<identity>``."""

    serial: str = ""
    identity: str = ""
    backend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user can set. ``adapter`` empty = the best one; ``endpoint_port`` 1 to 65535."""

    site_name: str = "My site"
    theme: str = "system"
    adapter: str = ""
    endpoint_port: int = DEFAULT_PORT
    endpoint_on: bool = True
    juicenet_on: bool = False
    """Whether Wi-Fi JuiceBoxes are listened to."""
    endpoint_tls: bool = True
    endpoint_strict: bool = False
    endpoint_profile: int = -1
    """The security profile that chargers must keep to; -1 = all are taken and reported."""
    endpoint_personality: str = "auto"
    keep_frames: int = 1_000_000
    window: str = ""
    presets: tuple[Preset, ...] = ()
    listed: tuple[Listed, ...] = ()
    """What is planned for chargers by their serial number or identity, also for those not seen yet."""

    def listen_plan(self, host: str = "", port: int = 0) -> ListenPlan:
        """Return how the endpoint listens by these settings."""
        return ListenPlan(
            host=host,
            port=port,
            is_strict=self.endpoint_strict,
            security_profile=None if self.endpoint_profile < 0 else self.endpoint_profile,
            personality=self.endpoint_personality,
            tls=self.endpoint_tls,
        )

    def with_plan(self, plan: ListenPlan) -> Settings:
        """Return these settings with a plan's, but for its place."""
        return replace(
            self,
            endpoint_strict=plan.is_strict,
            endpoint_profile=-1 if plan.security_profile is None else plan.security_profile,
            endpoint_personality=plan.personality,
            endpoint_tls=plan.tls,
        )


def home_folder() -> Path:
    """Return the data folder (not made yet): ``REHOME_HOME``, else the system's place for it."""
    if override := os.environ.get(HOME_VARIABLE):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir("rehome", appauthor=False))


def load(path: Path) -> Settings:
    """Read settings; a missing file gives the defaults. Raises StoreError on a malformed one, which stays as it is."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise _malformed(path, f"it is longer than {SIZE_LIMIT // 1000} kB")
        document = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(path, str(error)) from error
    except OSError as error:
        raise StoreError(f"The settings can't be read: {error}.", f"Check the rights of {path}.") from error
    return _parse(document, path)


def save(settings: Settings, path: Path) -> None:
    """Write settings; the old file stays whole if that fails. Raises StoreError."""
    import tomli_w

    document = {key: value for key, value in asdict(settings).items() if key not in _TABLES}
    document |= {key: [asdict(item) for item in getattr(settings, key)] for key in _TABLES}
    text = tomli_w.dumps(document)
    if len(text.encode()) > SIZE_LIMIT:
        raise StoreError(
            "The settings would become too long; nothing was saved.", "Keep fewer presets, or import a shorter list."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise StoreError(
            f"The settings can't be saved: {error.strerror or error}.", f"Check room and rights of {path.parent}."
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Put a text in a file's place, readable by its owner alone: all of it, on disk, or nothing. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _malformed(path: Path, why: str) -> StoreError:
    return StoreError(
        f"The settings file is damaged: {why}.", f"Correct {path}, or move it away to start with the defaults."
    )


def _parse(document: Mapping[str, Any], path: Path) -> Settings:
    tables = {key: document.get(key, []) for key in _TABLES}
    for key, items in tables.items():
        if not isinstance(items, list):
            raise _malformed(path, f"“{key}” is not a list")
    plain = {key: value for key, value in document.items() if key not in _TABLES}
    settings: Settings = _typed(Settings(), plain, path)
    if settings.theme not in THEMES:
        raise _malformed(path, f"unknown theme “{settings.theme}”")
    if not 0 < settings.endpoint_port < 65536:
        raise _malformed(path, f"{settings.endpoint_port} is not a port")
    if settings.endpoint_personality not in PERSONALITIES:
        raise _malformed(path, f"unknown TLS personality “{settings.endpoint_personality}”")
    if settings.endpoint_profile not in (-1, *PROFILES):
        raise _malformed(path, f"{settings.endpoint_profile} is not a security profile")
    empty = Preset(name="", url="")
    return replace(
        settings,
        presets=tuple(_typed(empty, item, path) for item in tables["presets"]),
        listed=tuple(_typed(Listed(), item, path) for item in tables["listed"]),
    )


def _typed(defaults: Any, values: Mapping[str, Any], path: Path) -> Any:
    known = {item.name: type(getattr(defaults, item.name)) for item in fields(defaults)}
    if not isinstance(values, Mapping):
        raise _malformed(path, "a preset or a listed charger is not a table")
    kept = {}
    for key, value in values.items():
        if key not in known:
            continue
        if type(value) is not known[key]:
            raise _malformed(path, f"“{key}” has the wrong type")
        kept[key] = value
    return replace(defaults, **kept)
