"""From which value on something is worth a word: ``resources/checks/thresholds.toml``, which may be set anew."""

from __future__ import annotations

import functools
import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app import resources
from app.errors import ProfileError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All thresholds, named ``<table>_<key>`` as in the file; units are in their names."""

    clock_good_s: float
    clock_bad_s: float
    radio_good_dbm: float
    radio_bad_dbm: float
    radio_last_channel: float
    lte_rsrp_good_dbm: float
    lte_rsrp_bad_dbm: float
    lte_rsrq_good_db: float
    lte_rsrq_bad_db: float
    lte_rssi_good_dbm: float
    certificate_leaf_good_days: float
    certificate_leaf_bad_days: float
    certificate_root_good_days: float
    certificate_root_bad_days: float
    keys_heartbeat_most_s: float
    keys_attempts_least: float
    keys_password_least_bytes: float
    keys_password_most_bytes: float
    drops_alike: float
    drops_spread: float
    drops_shortest_s: float
    drops_longest_s: float
    drops_crash_s: float
    visits_longest_s: float
    visits_away_s: float
    visits_alike: float
    past_old_s: float
    return_slow_s: float
    return_patience_s: float
    knocks_empty: float


@functools.cache
def standard() -> Thresholds:
    """Return the thresholds that come with the program. Raises ProfileError where the file is not whole."""
    text = resources.texts("checks", ".toml")["thresholds"]
    try:
        return Thresholds(**_flat(text))
    except TypeError as error:
        raise ProfileError(f"checks/thresholds.toml: {error}", "Correct the file.") from error


def read(file: Path) -> Thresholds:
    """Return the thresholds with those of a file set anew; a file that is absent or broken changes nothing."""
    try:
        return adjusted(file.read_text(encoding="utf-8")) if file.is_file() else standard()
    except (ProfileError, OSError, UnicodeDecodeError) as error:
        log.warning("%s is left out: %s", file.name, error)
        return standard()


def adjusted(text: str) -> Thresholds:
    """Return the thresholds with some set anew by a text of the same form. Raises ProfileError."""
    try:
        return replace(standard(), **_flat(text))
    except TypeError as error:
        raise ProfileError(f"thresholds.toml: {error}", "Only values that the program knows can be set.") from error


def _flat(text: str) -> dict[str, float]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"thresholds.toml: {error}", "Correct the file.") from error
    return {f"{table}_{key}": _number(table, key, value) for table, key, value in _entries(document)}


def _entries(document: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    tables = {name: table if isinstance(table, dict) else {name: table} for name, table in document.items()}
    return [(name, key, value) for name, table in tables.items() for key, value in table.items()]


def _number(table: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ProfileError(f"thresholds.toml: [{table}] {key} is no number", "Correct the file.")
    return float(value)
