"""Ask everything a typed address may mean at the same time: whoever waits has typed it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from app.driver.registry import Registry, addresses
from app.errors import AppError
from app.model.address import Address, NetAddress
from app.model.unit import Unit
from app.scope import Scope

LIMIT_S = 25.0
"""Longest wait for all of it: a slow charger needs a probe's time and a reading's."""

Outcome = Unit | AppError | None


async def asked_at_once(scope: Scope, tries: Iterable[Coroutine[Any, Any, Unit | None]]) -> list[Outcome]:
    """Run them all until one names a charger; returns each one's outcome in order (``None``: somebody else, no time).

    What still runs then is cancelled.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + LIMIT_S
    tasks = [scope.isolated("add", _outcome(item)) for item in tries]
    waiting = set(tasks)
    try:
        while waiting and not any(_is_named(task) for task in tasks) and (left := until - loop.time()) > 0:
            _, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return [task.result() if task.done() and not task.cancelled() else None for task in tasks]


def best(outcomes: Iterable[Outcome]) -> Unit | None:
    """Return the charger that was found, one that named itself before one that did not."""
    units = [item for item in outcomes if isinstance(item, Unit)]
    return max(units, key=lambda unit: bool(unit.identity.profile_id), default=None)


def meant(registry: Registry, address: Address, has_port: bool) -> list[Address]:
    """List what to ask: what was typed, then where the families listen on that host, each in its own language."""
    if not isinstance(address, NetAddress):
        return [address]
    known = {item for profile in registry.profiles.values() for item in addresses(profile, address.host)}
    if has_port:
        known = {item for item in known if item.port == address.port}
    return [address, *sorted(known - {address}, key=lambda item: (item.port, item.scheme))]


async def _outcome(asking: Coroutine[Any, Any, Unit | None]) -> Outcome:
    try:
        return await asking
    except AppError as error:
        return error


def _is_named(task: asyncio.Task[Outcome]) -> bool:
    if not task.done() or task.cancelled():
        return False
    found = task.result()
    return isinstance(found, Unit) and bool(found.identity.profile_id)
