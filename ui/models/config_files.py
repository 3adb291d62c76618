"""Configurations and device models as files: JSON and CSV, secrets masked, and read back to compare with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import Garbled
from app.model.secret import MASK
from app.model.setting import Setting, Snapshot
from app.ocpp.devicemodel import Variable
from app.ocpp.masking import is_secret_key
from ui.models.devicemodel import is_secret

SIZE_LIMIT = 20_000_000
"""Bytes of a file to compare with."""
MOST_VALUES = 50_000
KEY_LIMIT = 300
VALUE_LIMIT = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula; such values of a charger get an apostrophe."""


def settings_csv(snapshot: Snapshot) -> str:
    """Return a 1.6 configuration as CSV."""
    rows = ((one.key, one.shown, "yes" if one.is_readonly else "no", one.label) for one in snapshot.settings)
    return _csv(("key", "value", "readonly", "meaning"), rows)


def variables_csv(variables: Iterable[Variable]) -> str:
    """Return a device model as CSV."""
    head = ("name", "value", "type", "unit", "mutability", "min", "max", "max_length", "values")
    return _csv(head, (tuple(_facts(one).values()) for one in variables))


def variables_json(variables: Iterable[Variable], *, charger: str, version: str, at: datetime) -> str:
    """Return a device model as JSON."""
    document = {
        "charger": charger,
        "ocpp": version,
        "taken_at": at.isoformat(),
        "variables": {one.name.text: {**_facts(one), "attributes": _attributes(one)} for one in variables},
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def read_values(path: Path) -> dict[str, str | None]:
    """Read key → value from one of our files. Raises Garbled with what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise Garbled(f"{path.name} can't be read: {error.strerror or error}.", "Choose another file.") from error
    except UnicodeDecodeError as error:
        raise _not_ours(path) from error
    if len(data) > SIZE_LIMIT:
        raise Garbled(f"{path.name} is longer than {SIZE_LIMIT // 1_000_000} MB.", "Choose a file Rehome exported.")
    found = _from_json(text) if text.lstrip().startswith("{") else _from_csv(text)
    if not found:
        raise _not_ours(path)
    return found


def snapshot_of(values: Mapping[str, str | None], at: datetime) -> Snapshot:
    """Turn values of a file into a state to compare settings with."""
    settings = (Setting(key=key, value=value, is_secret=is_secret_key(key)) for key, value in values.items())
    return Snapshot(taken_at=at, settings=tuple(settings))


def _not_ours(path: Path) -> Garbled:
    return Garbled(
        f"{path.name} holds no configuration.", "Choose a JSON or CSV file that Rehome exported, or an OCPP answer."
    )


def _from_json(text: str) -> dict[str, str | None]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    for name in ("settings", "variables"):
        if isinstance(document.get(name), dict):
            return _bounded((key, _value_of(value)) for key, value in document[name].items())
    entries = document.get("configurationKey")  # a GetConfiguration answer as it came
    if not isinstance(entries, list):
        return {}
    return _bounded((entry.get("key"), entry.get("value")) for entry in entries if isinstance(entry, dict))


def _value_of(value: Any) -> Any:
    return value.get("value") if isinstance(value, dict) else value


def _from_csv(text: str) -> dict[str, str | None]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        name = next((field for field in reader.fieldnames or () if field in ("key", "name")), "")
        if not name or "value" not in (reader.fieldnames or ()):
            return {}
        return _bounded((_plain(row[name]), _plain(row["value"])) for row in reader)
    except csv.Error:
        return {}


def _bounded(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for key, value in pairs:
        if isinstance(key, str) and key and len(found) < MOST_VALUES:
            found[key[:KEY_LIMIT]] = None if value is None else str(value)[:VALUE_LIMIT]
    return found


def _facts(one: Variable) -> dict[str, Any]:
    return {
        "name": one.name.text,
        "value": MASK if is_secret(one) and one.value else one.value,
        "type": one.type,
        "unit": one.unit,
        "mutability": one.mutability,
        "min": one.min,
        "max": one.max,
        "max_length": one.max_length,
        "values": ",".join(one.values_list),
    }


def _attributes(one: Variable) -> dict[str, str | None]:
    return {item.type: MASK if is_secret(one) and item.value else item.value for item in one.attributes}


def _csv(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(head)
    for row in rows:
        writer.writerow(["" if value is None else _safe(str(value)) for value in row])
    return file.getvalue()


def _safe(text: str) -> str:
    is_number = text[1:].replace(".", "", 1).isdigit() and text[0] in "+-"
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


def _plain(text: str | None) -> str | None:
    return text[1:] if text is not None and text.startswith("'") and text[1:].startswith(_FORMULA) else text
