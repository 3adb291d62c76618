"""Chargers that answer with absurd values: every driver reads on or says so in its own errors, and never breaks."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    ReportsStatus,
    SetsBackend,
)
from app.driver.session import Session
from app.drivers.bender import keys_of
from app.errors import AppError
from app.links.link import DatagramLink, HttpAnswer, HttpLink, Links, TextChannel
from app.model.backend import Backend
from tests.drivers.goe_kit import REGISTRY
from tests.drivers.rigs import RIGS

ROUNDS = 20
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 10**18, -(10**18), 1e300, 0.5, "", "x", "-1", "9" * 400, "१", "\ud83d\ude00",
    "a" * 3000, [], {}, [[]], [None], {"": None}, [1] * 500, {"value": {"value": {}}},
)  # fmt: skip
NEW = Backend(url="ws://127.0.0.1:9/ocpp", identity="CP-1")
SPEAKING = sorted(
    (driver, profile.id)
    for driver, rig in RIGS.items()
    for profile in [next(item for item in REGISTRY.profiles.values() if item.driver == driver)]
    if rig.speaks and profile.match.scheme in ("http", "https", "udp") and not profile.match.usb_ids
    if driver not in ("ocpp-local", "openevse-rapi", "openevse-console", "modem", "evbox-ble")
)


def spoiled(value: Any, chance: random.Random, odds: float) -> Any:
    """Return a tree with some of its values replaced, taken away, or a digit string no number can hold."""
    if chance.random() < odds:
        return chance.choice(ODD)
    if isinstance(value, dict):
        kept = ((key, item) for key, item in value.items() if chance.random() > odds / 4)
        return {key: spoiled(item, chance, odds) for key, item in kept}
    if isinstance(value, list):
        return [spoiled(item, chance, odds) for item in value]
    return value


class Spoiler:
    """Links that spoil what comes over them."""

    def __init__(self, inner: Links, chance: random.Random, odds: float) -> None:
        self._inner, self._chance, self._odds = inner, chance, odds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def text(self, text: str) -> str:
        try:
            return json.dumps(spoiled(json.loads(text), self._chance, self._odds))
        except ValueError:
            return text[: self._chance.randrange(len(text) + 1)] if self._chance.random() < self._odds else text

    async def http(self, *args: Any, **options: Any) -> HttpLink:
        return SpoiledHttp(await self._inner.http(*args, **options), self)

    async def udp(self, *args: Any, **options: Any) -> DatagramLink:
        return SpoiledDatagrams(await self._inner.udp(*args, **options), self)


class SpoiledHttp:
    def __init__(self, inner: HttpLink, spoiler: Spoiler) -> None:
        self._inner, self._spoiler = inner, spoiler

    async def request(self, method: str, path: str, **options: Any) -> HttpAnswer:
        found = await self._inner.request(method, path, **options)
        headers: Mapping[str, str] = found.headers
        body = self._spoiler.text(found.body.decode("utf-8", "replace")).encode()
        return HttpAnswer(status=found.status, headers=headers, body=body)

    async def websocket(self, path: str, **options: Any) -> AsyncIterator[str]:
        async for text in self._inner.websocket(path, **options):
            yield self._spoiler.text(text)

    async def channel(self, path: str, **options: Any) -> TextChannel:
        return SpoiledChannel(await self._inner.channel(path, **options), self._spoiler)

    async def close(self) -> None:
        await self._inner.close()


class SpoiledChannel:
    def __init__(self, inner: TextChannel, spoiler: Spoiler) -> None:
        self._inner, self._spoiler = inner, spoiler

    async def send(self, text: str) -> None:
        await self._inner.send(text)

    async def receive(self, *, timeout_s: float) -> str:
        text = await self._inner.receive(timeout_s=timeout_s)
        is_login = any(word in text for word in ('"hello"', '"auth'))
        return text if is_login else self._spoiler.text(text)

    async def close(self) -> None:
        await self._inner.close()


class SpoiledDatagrams:
    def __init__(self, inner: DatagramLink, spoiler: Spoiler) -> None:
        self._inner, self._spoiler = inner, spoiler

    async def send(self, data: bytes) -> None:
        await self._inner.send(data)

    async def receive(self, *, timeout_s: float) -> bytes:
        return self._spoiler.text((await self._inner.receive(timeout_s=timeout_s)).decode()).encode()

    async def close(self) -> None:
        await self._inner.close()


async def used(session: Session) -> None:
    """Use everything that reads, and plan a move."""
    calls: list[Any] = []
    if session.has(Identifies):
        calls.append(session.ask(Identifies).identify)
    if session.has(ReportsStatus):
        calls.append(session.ask(ReportsStatus).status)
    if session.has(ReadsOneSetting):
        calls.append(lambda: session.ask(ReadsOneSetting).read_setting("ocppu"))
    if session.has(ExportsLog):
        calls.append(session.ask(ExportsLog).read_log)
    if session.has(SetsBackend):
        calls += [session.ask(SetsBackend).read_backend, lambda: planned(session)]
    elif session.has(ReadsSettings):
        calls.append(session.ask(ReadsSettings).read_settings)
    for call in calls:
        try:
            async with asyncio.timeout(3):
                await call()
        except (AppError, TimeoutError):
            continue
    if session.has(Meters):
        stream: Any = session.ask(Meters).watch()
        try:
            async with asyncio.timeout(0.2):
                await anext(stream)
        except (AppError, TimeoutError, StopAsyncIteration):
            pass
        finally:
            await stream.aclose()


async def planned(session: Session) -> None:
    snapshot = await session.ask(ReadsSettings).read_settings()
    await session.ask(SetsBackend).plan_backend(NEW, snapshot)


@pytest.mark.parametrize(("driver_id", "profile_id"), SPEAKING)
async def test_absurd_answers_break_no_driver(driver_id: str, profile_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.drivers.keba.WAIT_S", 0.05)
    monkeypatch.setattr("app.drivers.keba.PAUSE_S", 0.0)
    monkeypatch.setattr("app.drivers.goe.wattpilot.LOGIN_S", 0.3)
    chance = random.Random(f"{driver_id} 4711")
    driver, profile = REGISTRY.drivers[driver_id], REGISTRY.profiles[profile_id]
    async with RIGS[driver_id].good(profile, None) as bench:
        for number in range(ROUNDS):
            links: Any = Spoiler(bench.links, chance, (0.02, 0.1, 0.4)[number % 3])
            try:
                await driver.probe(bench.address, profile, links)
                async with driver.open(bench.address, profile, links) as session:
                    await used(session)
            except AppError as error:
                assert error.message
                assert len(error.message) < 1000


@pytest.mark.parametrize("broken", ["<!--", "<a ", "</", "<", "&#", "<tr><td>", "<![", "<?", "<script>", "<a b='"])
def test_a_page_of_broken_markup_is_read_in_no_time(broken: str) -> None:
    page = broken * (200_000 // len(broken))
    began_s = time.process_time()
    with pytest.raises(AppError):
        keys_of(page)
    assert time.process_time() - began_s < 2
