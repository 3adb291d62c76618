"""Write rescued sessions as CSV and JSON: energy and times whole, cards as pseudonyms. Nothing half-written stays."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app.errors import StoreError
from app.ocpp.cards import pseudonym
from app.rescue.sessions import Session

FORMAT = "rehome-rescue-1"
COLUMNS = (
    "identity", "transaction", "connector", "card", "state", "started_at", "stopped_at", "meter_start_wh",
    "meter_stop_wh", "energy_wh", "samples", "last_sample_at", "reason", "is_replayed", "has_believable_times",
    "messages", "repeats", "missing", "first_heard_at", "last_heard_at", "frames",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was rescued from one unit."""

    identity: str
    serial: str
    made_at: datetime
    is_dry: bool
    """Its queue was empty when this was written."""
    sessions: tuple[Session, ...]

    @property
    def energy_wh(self) -> float:
        """Return the energy of all sessions whose energy is known."""
        return sum(session.energy_wh or 0.0 for session in self.sessions)

    @property
    def kept(self) -> tuple[Session, ...]:
        """Return the sessions of which the unit had kept something for a backend that was not there."""
        return tuple(session for session in self.sessions if session.is_replayed)

    @property
    def kept_wh(self) -> float:
        """Return the energy of those."""
        return sum(session.energy_wh or 0.0 for session in self.kept)


def rows(ledger: Ledger, key: bytes) -> list[dict[str, Any]]:
    """Lay a ledger out; ``key`` makes the pseudonyms of cards (16 bytes or more, secret)."""
    return [_row(ledger.identity, session, key) for session in ledger.sessions]


def csv_text(ledger: Ledger, key: bytes) -> str:
    """Write a ledger as CSV (RFC 4180), one line for each session."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows(ledger, key):
        writer.writerow({name: _cell(row[name]) for name in COLUMNS})
    return out.getvalue()


def json_text(ledger: Ledger, key: bytes) -> str:
    """Write a ledger as JSON."""
    document = {
        "format": FORMAT,
        "identity": ledger.identity,
        "serial": ledger.serial,
        "made_at": _time(ledger.made_at),
        "is_dry": ledger.is_dry,
        "energy_wh": ledger.energy_wh,
        "sessions": rows(ledger, key),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def write(ledger: Ledger, key: bytes, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``<name>.csv`` and ``<name>.json`` into a folder and return their paths. Raises StoreError."""
    paths = folder / f"{name}.csv", folder / f"{name}.json"
    for path, text in zip(paths, (csv_text(ledger, key), json_text(ledger, key)), strict=True):
        _put(path, text)
    return paths


def _put(path: Path, text: str) -> None:
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part_name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        part = Path(part_name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        if part is not None:
            with suppress(OSError):
                part.unlink()
        raise StoreError(
            f"The rescued sessions can't be written to {path}: {error.strerror or error}.",
            "Choose another folder or free some space; the sessions stay in Traffic and can be saved again.",
        ) from error


def _row(identity: str, session: Session, key: bytes) -> dict[str, Any]:
    return {
        "identity": identity,
        "transaction": session.transaction,
        "connector": session.connector,
        "card": pseudonym(session.tag, key) if session.tag else "",
        "state": session.state,
        "started_at": _time(session.started_at),
        "stopped_at": _time(session.stopped_at),
        "meter_start_wh": session.meter_start_wh,
        "meter_stop_wh": session.meter_stop_wh,
        "energy_wh": session.energy_wh,
        "samples": session.samples,
        "last_sample_at": _time(session.last_sample_at),
        "reason": session.reason,
        "is_replayed": session.is_replayed,
        "has_believable_times": session.has_believable_times,
        "messages": session.messages,
        "repeats": session.repeats,
        "missing": session.missing,
        "first_heard_at": _time(session.first_heard_at),
        "last_heard_at": _time(session.last_heard_at),
        "frames": session.frames,
    }


def _time(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else ""


def _cell(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    if not isinstance(value, str):
        return "" if value is None else str(value)
    # A charger's text must not become a formula in a spreadsheet.
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
