"""The settings the standard knows: keys of OCPP 1.6 and its security extension, variables of 2.x. Pure."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from app import resources
from app.errors import ProfileError
from app.model.setting import SettingKind

_PLACE = re.compile(r"@\d+(\.\d+)?(?=\.)")
_INSTANCE = re.compile(r"/[^./@]*")
_KINDS = {
    "boolean": SettingKind.SWITCH,
    "integer": SettingKind.INTEGER,
    "decimal": SettingKind.NUMBER,
    "OptionList": SettingKind.CHOICE,
    "SequenceList": SettingKind.LIST,
    "MemberList": SettingKind.LIST,
    "string": SettingKind.TEXT,
    "dateTime": SettingKind.TEXT,
}
BASE = ("AlignedDataCtrlr", "AuthCtrlr", "ClockCtrlr", "DeviceDataCtrlr", "OCPPCommCtrlr", "SampledDataCtrlr")
BASE_CONTROLLERS = frozenset({*BASE, "SecurityCtrlr", "TxCtrlr"})
"""Controllers every 2.x station has (P2-201 appendix 3); what others require holds where the station has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardKey:
    """A setting of the standard. ``access``: r, w, rw, or any where the standard leaves it to the unit.

    ``group`` is the feature profile (1.6) or the component (2.x) it belongs to. ``items``: what a list may hold.
    Whole numbers are never negative (EVerest/libocpp config/v16/profile_schemas).
    """

    key: str
    kind: SettingKind
    access: str
    is_required: bool
    group: str
    label: str = ""
    help: str = ""
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    items: tuple[str, ...] = ()
    is_one_way: bool = False


@functools.cache
def keys16() -> Mapping[str, StandardKey]:
    """Return the keys of OCPP 1.6 by name (``resources/checks/ocpp16-keys.toml``). Raises ProfileError."""
    document = tomllib.loads(resources.path("checks", "ocpp16-keys.toml").read_text("utf-8"))
    measurands = document["measurands"]
    try:
        found = [
            StandardKey(
                key=entry["key"],
                kind=SettingKind(entry["kind"]),
                access=entry["access"],
                is_required=entry["required"],
                group=entry["profile"],
                label=entry["label"],
                help=entry["help"],
                unit=entry.get("unit", ""),
                minimum=0 if entry["kind"] == "integer" else None,
                maximum=entry.get("maximum"),
                items=tuple(measurands if entry.get("items") == "measurands" else entry.get("items", ())),
                is_one_way=entry.get("one_way", False),
            )
            for entry in document["keys"]
        ]
    except (KeyError, ValueError) as error:
        raise ProfileError(f"checks/ocpp16-keys.toml: {error!r}", "Correct the file.") from error
    return {item.key: item for item in found}


@functools.cache
def keys2() -> Mapping[str, StandardKey]:
    """Return the variables of 2.x by ``Component.Variable[/instance]``. Raises ProfileError."""
    found = {}
    for name, text in _table("ocpp2-standard").items():
        kind, access, *rest = text.split()
        if kind not in _KINDS or access not in ("r", "w", "rw", "any"):
            raise ProfileError(f"checks/ocpp2-standard.toml: “{name}” is “{text}”", "Correct the file.")
        is_required = rest[:1] == ["required"]
        found[name] = StandardKey(
            key=name,
            kind=_KINDS[kind],
            access=access,
            is_required=is_required,
            group=name.partition(".")[0],
            help=_help2(name),
            unit=" ".join(rest[is_required:]),
        )
    return found


def standard_key(key: str, version: str) -> StandardKey | None:
    """Return what the standard says of a setting of a dump; ``None`` where it does not know it."""
    if version == "1.6":
        return keys16().get(key)
    bare = _PLACE.sub("", key)
    known = keys2().get(bare) or keys2().get(_without_instance(bare))
    text = _help2(bare)
    if known is not None or not text:
        return known
    group = bare.partition(".")[0]
    return StandardKey(key=bare, kind=SettingKind.TEXT, access="any", is_required=False, group=group, help=text)


def _help2(name: str) -> str:
    texts, bare = _table("ocpp2-variables"), _without_instance(name)
    return texts.get(bare) or texts.get(f"*.{bare.rpartition('.')[2]}", "")


def _without_instance(name: str) -> str:
    return _INSTANCE.sub("", name)


@functools.cache
def _table(name: str) -> Mapping[str, str]:
    table: dict[str, str] = tomllib.loads(resources.path("checks", f"{name}.toml").read_text("utf-8"))["variables"]
    return table
