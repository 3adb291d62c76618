"""Adoptions on disk: what people said of each box, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import DamagedFile, StoreError
from app.juicenet.book import BOXES
from app.model.juicebox import Adoption
from app.settings import write_whole

FORMAT = 1
SIZE_LIMIT = 4_000_000
"""Bytes of the file; 2,000 boxes take 500,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An adoption, and what the box was allowed last, in A (``None`` = nothing was said)."""

    adoption: Adoption
    allowed_a: float | None = None


def load(path: Path) -> dict[str, Kept]:
    """Read the file; a missing one holds nothing. Raises DamagedFile, StoreError; the file stays as it is."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror or error}.", "Check its rights.") from error
    try:
        return _parsed(data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedFile(
            f"{path.name} is damaged: which boxes were adopted is not known, so nothing is sent to any.",
            f"Put a backup of it into {path.parent}, or take it away and adopt the boxes again.",
        ) from error


def save(path: Path, kept: Mapping[str, Kept]) -> None:
    """Write the file; the old one stays whole if that fails. Raises StoreError."""
    document = {"format": FORMAT, "boxes": [_table(item) for item in kept.values()]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(document, indent=1))
    except OSError as error:
        raise StoreError(
            f"{path.name} can't be written: {error.strerror or error}. Nothing was changed.", "Make room on the disk."
        ) from error


def worded(adoption: Adoption) -> str:
    """Return an adoption as a text, for whoever keeps it elsewhere."""
    return json.dumps(_table(Kept(adoption=adoption)))


def understood(text: str) -> Adoption | None:
    """Return the adoption of a text; ``None`` where it is none."""
    try:
        return _kept(json.loads(text)).adoption
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _table(item: Kept) -> dict[str, Any]:
    adoption = item.adoption
    return {
        "box_id": adoption.box_id,
        "circuit_a": adoption.circuit_a,
        "rating_a": adoption.rating_a,
        "known_a": adoption.known_a,
        "at": adoption.at.isoformat(),
        "is_revived": adoption.is_revived,
        "lifts_known": adoption.lifts_known,
        "allowed_a": item.allowed_a,
    }


def _parsed(data: bytes) -> dict[str, Kept]:
    document = json.loads(data)
    tables = document["boxes"]
    if len(data) > SIZE_LIMIT or document["format"] != FORMAT or not 0 <= len(tables) <= BOXES:
        raise ValueError("not a list of boxes")
    return {kept.adoption.box_id: kept for kept in map(_kept, tables)}


def _kept(table: Mapping[str, Any]) -> Kept:
    box_id, known, allowed = table["box_id"], table["known_a"], table["allowed_a"]
    if not isinstance(box_id, str) or not (4 <= len(box_id) <= 40 and box_id.isdigit()):
        raise ValueError("no serial number")
    adoption = Adoption(
        box_id=box_id,
        circuit_a=_amps(table["circuit_a"]),
        rating_a=_amps(table["rating_a"]),
        known_a=None if known is None else _amps(known),
        at=datetime.fromisoformat(table["at"]),
        is_revived=table["is_revived"] is True,
        lifts_known=table["lifts_known"] is True,
    )
    return Kept(adoption=adoption, allowed_a=None if allowed is None else _amps(allowed))


def _amps(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1000:
        raise ValueError("no current")
    return float(value)
