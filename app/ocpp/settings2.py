"""Read and write variables of a 2.x station as settings: in batches as large as it can bear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from app.errors import NotSupported, Refused, TimedOut, ValueRejected
from app.model.setting import Setting, SettingKind
from app.ocpp import v16
from app.ocpp.devicemodel import VALUE_LIMIT, Variable, VariableName, name_of
from app.ocpp.host import Habits
from app.ocpp.masking import is_secret_key
from app.ocpp.settings16 import Caller

T = TypeVar("T")

WRITE_LIMIT = 1000
"""SetVariableData.attributeValue (P2-201 §2.44): string[1000]."""
WRITE_S = 30.0
"""Longest wait for the answer to an order [OURS]."""
BATCH = 20
"""Variables asked at once where the station names no ItemsPerMessage [OURS]."""
BYTES = 8_000
"""Longest question where the station names no BytesPerMessage [OURS]; small controllers have buffers of 4 to 16 kB."""
FRAME_BYTES = 100
"""Room for what surrounds the variables in a message [OURS]."""
MAX_SILENCES = 3
"""After so many unanswered questions in a row a station counts as silent."""
_LIMITS = ("ItemsPerMessage", "BytesPerMessage")
_KINDS = {
    "integer": SettingKind.INTEGER,
    "decimal": SettingKind.NUMBER,
    "boolean": SettingKind.SWITCH,
    "OptionList": SettingKind.CHOICE,
    "SequenceList": SettingKind.LIST,
    "MemberList": SettingKind.LIST,
}
_STATUSES = {
    "UnknownComponent": "NotSupported",
    "UnknownVariable": "NotSupported",
    "NotSupportedAttributeType": "NotSupported",
}


def setting(variable: Variable) -> Setting:
    """Return the Actual value of a variable as a setting; its key is ``VariableName.text``."""
    is_secret = is_secret_key(variable.name.variable)
    actual = variable.attribute()
    is_readonly = variable.mutability == "ReadOnly" or (actual is not None and actual.is_constant)
    value = variable.value
    if value is None and variable.mutability != "WriteOnly" and actual is not None:
        value = ""
    return Setting(
        key=variable.name.text,
        value=None if variable.mutability == "WriteOnly" or (is_secret and not value) else value,
        kind=_KINDS.get(variable.type, SettingKind.TEXT),
        unit=variable.unit,
        minimum=variable.min,
        maximum=variable.max,
        limit=min(variable.max_length or WRITE_LIMIT, WRITE_LIMIT),
        choices=variable.values_list,
        is_readonly=is_readonly,
        is_secret=is_secret,
        is_readable=variable.mutability != "WriteOnly" and not (is_secret and not value),
    )


def limits_of(model: Iterable[Variable]) -> dict[str, int]:
    """Return what DeviceDataCtrlr allows (P2-201 §3.1.1): ``ItemsPerMessage/GetVariables`` → 10."""
    found = {}
    for variable in model:
        name = variable.name
        if name.component == "DeviceDataCtrlr" and name.variable in _LIMITS and name.variable_instance:
            found[f"{name.variable}/{name.variable_instance}"] = v16.number(variable.value)
    return {name: limit for name, limit in found.items() if limit > 0}


class Variables:
    """Questions and orders for single variables. Learns the unit's limits on the way."""

    def __init__(self, call: Caller, habits: Habits, key_s: float) -> None:
        self._call = call
        self._habits = habits
        self._key_s = key_s
        self._silences = 0

    async def read(self, keys: Sequence[str]) -> tuple[Setting, ...]:
        """Return of the asked variables those the station has, in the order asked.

        Raises NotSupported, TimedOut where it answers nothing, LinkLost.
        """
        names = list(_names(keys))
        known = {variable.name.text.lower(): variable for variable in self._habits.model or ()}
        if len(names) > 1:
            await self._learn_limits()
        found: dict[str, Setting] = {}
        for batch in self._batches(names, "GetVariables", lambda name: name.selector):
            for result in await self._asked(batch):
                read = _read(result, known)
                if read is not None:
                    found[read.key.lower()] = read
        return tuple(item for name in names if (item := found.get(name.text.lower())) is not None)

    async def write(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Set variables and return the status of each in the words of 1.6 (see ``Endpoint.set_setting``).

        Raises ValueRejected before anything is sent where a key or a value can't be carried.
        """
        orders = [_order(key, value) for key, value in changes.items()]
        told: dict[str, str] = {}
        for batch in self._batches(orders, "SetVariables", lambda order: order):
            told |= _statuses(await self._call("SetVariables", {"setVariableData": batch}, timeout_s=WRITE_S))
        return {key: told.get(VariableName.parse(key).text.lower(), "") for key in changes}

    async def _learn_limits(self) -> None:
        """Ask once, one variable at a time: the very question for the limits must not break them."""
        if self._habits.has_asked_limits or self._habits.model is not None:
            return
        self._habits.has_asked_limits = True
        for limit in _LIMITS:
            name = VariableName(component="DeviceDataCtrlr", variable=limit, variable_instance="GetVariables")
            for result in await self._asked([name]):
                value = v16.number(result.get("attributeValue"))
                if result.get("attributeStatus") == "Accepted" and value > 0:
                    self._habits.limits[f"{limit}/GetVariables"] = value

    def _batches(self, items: Sequence[T], action: str, written: Callable[[T], dict[str, Any]]) -> Iterator[list[T]]:
        limits = self._habits.limits
        most, size = limits.get(f"ItemsPerMessage/{action}", BATCH), 0
        longest = limits.get(f"BytesPerMessage/{action}", BYTES) - FRAME_BYTES
        batch: list[T] = []
        for item in items:
            length = len(orjson.dumps(written(item))) + 1
            if batch and (len(batch) >= most or size + length > longest):
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += length
        if batch:
            yield batch

    async def _asked(self, names: Sequence[VariableName]) -> list[dict[str, Any]]:
        payload = {"getVariableData": [name.selector for name in names]}
        try:
            answer = await self._call("GetVariables", payload, timeout_s=self._key_s)
        except NotSupported:
            raise
        except (TimedOut, Refused) as error:
            self._silences += isinstance(error, TimedOut)
            if self._silences >= MAX_SILENCES:
                raise
            return [item for name in names for item in await self._asked([name])] if len(names) > 1 else []
        self._silences = 0
        results = answer.get("getVariableResult")
        return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


def _names(keys: Sequence[str]) -> Iterator[VariableName]:
    """Read the keys that may be variables; others (those of 1.6) no station has."""
    for key in keys:
        try:
            yield VariableName.parse(key)
        except ValueRejected:
            continue


def _order(key: str, value: str) -> dict[str, Any]:
    if len(value) > WRITE_LIMIT:
        raise ValueRejected(
            f"{len(value)} characters do not fit into a variable of OCPP 2.x ({WRITE_LIMIT}).", "Shorten the value."
        )
    return {**VariableName.parse(key).selector, "attributeValue": value}


def _statuses(answer: Mapping[str, Any]) -> dict[str, str]:
    results = answer.get("setVariableResult")
    found = {}
    for result in results if isinstance(results, list) else ():
        name = name_of(result) if isinstance(result, dict) else None
        if name is not None:
            status = v16.text(result.get("attributeStatus"), 50)
            found[name.text.lower()] = _STATUSES.get(status, status)
    return found


def _read(result: Mapping[str, Any], known: Mapping[str, Variable]) -> Setting | None:
    name, status = name_of(result), result.get("attributeStatus")
    if name is None or status not in ("Accepted", "Rejected"):
        return None
    bare = known.get(name.text.lower()) or Variable(name=name)
    if status == "Rejected":
        # Rejected is what a WriteOnly variable answers (P2-201 B06.FR.09).
        return setting(replace(bare, value=None, mutability="WriteOnly"))
    return setting(replace(bare, value=v16.text(result.get("attributeValue"), VALUE_LIMIT)))
