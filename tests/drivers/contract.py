"""What every capability must do, whatever the charger: used on simulators, recordings and real units."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    RunsSessions,
    SetsBackend,
    Status,
    WritesSettings,
)
from app.driver.session import Session
from app.errors import NotSupported, Refused, ValueRejected
from app.model.backend import SecurityProfile
from app.model.reading import Reading, StateChange
from app.model.secret import Secret
from app.model.setting import Change, Snapshot
from app.model.unit import Identity
from tests.drivers.rigs import NEW_BACKEND, Rig

LISTEN_LIMIT_S = 10.0
LOG_LIMIT = 256_000
WORDS = {
    "",
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
}


async def identifies(session: Session) -> None:
    identity = await session.ask(Identifies).identify()
    assert isinstance(identity, Identity)
    assert identity.vendor or identity.model or identity.serial
    for text in (identity.vendor, identity.model, identity.serial, identity.firmware, identity.name):
        assert len(text) < 500
    assert len(set(identity.claims)) == len(identity.claims)


async def reports_status(session: Session) -> None:
    status = await session.ask(ReportsStatus).status()
    assert isinstance(status, Status)
    assert status.state in WORDS
    for reading in status.readings:
        check_reading(reading)


async def meters(session: Session) -> None:
    stream = session.ask(Meters).watch()
    try:
        async with asyncio.timeout(LISTEN_LIMIT_S):
            item = await anext(stream)
    finally:
        await close_stream(stream)
    assert isinstance(item, Reading | StateChange)
    if isinstance(item, Reading):
        check_reading(item)


async def reads_settings(session: Session) -> Snapshot:
    snapshot = await session.ask(ReadsSettings).read_settings()
    keys = [setting.key for setting in snapshot.settings]
    assert keys
    assert len(set(keys)) == len(keys)
    assert set(snapshot.excluded) <= set(keys)
    for setting in snapshot.settings:
        assert setting.key
        assert setting.value is None or isinstance(setting.value, str)
        assert setting.is_readable or setting.value is None
    return snapshot


async def reads_one(session: Session) -> None:
    snapshot = await reads_settings(session)
    wanted = next(setting for setting in snapshot.settings if setting.value)
    again = await session.ask(ReadsOneSetting).read_setting(wanted.key)
    assert again is not None
    assert again.key == wanted.key
    assert await session.ask(ReadsOneSetting).read_setting("there-is-no-such-key") is None


async def writes(session: Session, key: str) -> None:
    snapshot = await session.ask(ReadsSettings).read_settings()
    setting = snapshot.get(key)
    assert setting is not None
    if not any(item.is_readable for item in snapshot.settings):  # a way that writes, and reads nothing
        setting = replace(setting, value="true")
    assert setting.value is not None
    change = Change(key=key, before=setting.value, after=setting.value)
    result = await session.ask(WritesSettings).write_setting(change)
    assert result.is_accepted
    assert result.read_back in (None, setting.value)
    with pytest.raises(NotSupported):  # what it never reported is not even tried
        await session.ask(WritesSettings).write_setting(Change(key="no_such_key", before=None, after="1"))
    after = await session.ask(ReadsSettings).read_settings()
    assert after.get("no_such_key") is None


async def sets_backend(session: Session) -> None:
    present = await session.ask(SetsBackend).read_backend()
    snapshot = await session.ask(ReadsSettings).read_settings()
    wanted = NEW_BACKEND
    try:
        await session.ask(SetsBackend).plan_backend(wanted, snapshot)
    except ValueRejected as refusal:
        if present is None:  # a firmware without a backend: it says so, and what to do about it
            assert refusal.advice
            return
        identity = present.identity if present else wanted.identity
        wanted = replace(wanted, identity=identity, security_profile=SecurityProfile.NONE, secret=Secret(""))
    plan = list(await session.ask(SetsBackend).plan_backend(wanted, snapshot))
    assert plan
    assert [change.order for change in plan] == sorted(change.order for change in plan)
    last = next(change for change in reversed(plan) if not change.key.endswith("NetworkConfigurationPriority"))
    assert NEW_BACKEND.url.rpartition("/")[2] in last.after or NEW_BACKEND.host in last.after
    for change in plan:
        carries = any(spelling in change.after for spelling in NEW_BACKEND.secret.spellings())
        assert change.is_secret or not carries, f"{change.key} carries the secret and does not say so"
    assert list(await session.ask(SetsBackend).plan_backend(wanted, snapshot)) == plan


async def repoints(session: Session) -> None:
    """Write a whole plan, secret included; a unit may refuse single values."""
    snapshot = await session.ask(ReadsSettings).read_settings()
    with suppress(Refused):
        for change in await session.ask(SetsBackend).plan_backend(NEW_BACKEND, snapshot):
            await session.ask(WritesSettings).write_setting(change)


async def exports_log(session: Session) -> None:
    assert len(await session.ask(ExportsLog).read_log()) <= LOG_LIMIT


async def runs_sessions(session: Session) -> None:
    runner = session.ask(RunsSessions)
    with suppress(Refused):
        await runner.start_charging(1, "CONTRACT")
        await runner.stop_charging(1)


async def reboots(session: Session) -> None:
    await session.ask(Reboots).restart()


READING: dict[type, Callable[[Session], Awaitable[Any]]] = {
    Identifies: identifies,
    ReportsStatus: reports_status,
    Meters: meters,
    ReadsSettings: reads_settings,
    ReadsOneSetting: reads_one,
    SetsBackend: sets_backend,
    ExportsLog: exports_log,
}
"""Capabilities that are proved without touching the unit."""

TOUCHING: dict[type, Callable[[Session, Rig], Awaitable[Any]]] = {
    WritesSettings: lambda session, rig: writes(session, rig.writable),
    RunsSessions: lambda session, rig: runs_sessions(session),
    Reboots: lambda session, rig: reboots(session),
}
"""Capabilities that change something; the restart comes last."""

CALLS: dict[type, Callable[[Session], Awaitable[Any]]] = {
    Identifies: lambda session: session.identify(),
    ReportsStatus: lambda session: session.status(),
    Meters: lambda session: anext(session.watch()),
    ReadsSettings: lambda session: session.read_settings(),
    ReadsOneSetting: lambda session: session.read_setting("any"),
    WritesSettings: lambda session: session.write_setting(Change(key="any", before=None, after="")),
    SetsBackend: lambda session: session.read_backend(),
    Reboots: lambda session: session.restart(),
    RunsSessions: lambda session: session.start_charging(1, "CONTRACT"),
    ExportsLog: lambda session: session.read_log(),
}
"""One call of each capability, for a session that can't answer."""


def check_reading(reading: Reading) -> None:
    assert math.isfinite(reading.value)
    assert reading.at.utcoffset() is not None
    assert reading.at.utcoffset().total_seconds() == 0


async def close_stream(stream: AsyncIterator[Any]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
