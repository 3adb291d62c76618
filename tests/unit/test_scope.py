from __future__ import annotations

import asyncio

import pytest

from app.scope import Scope, Trouble


async def test_an_isolated_failure_is_reported_and_ends_only_itself() -> None:
    troubles: list[Trouble] = []
    other = asyncio.Event()

    async def fails() -> None:
        raise ValueError("boom")

    async def lives() -> None:
        await asyncio.sleep(0)
        other.set()

    async with Scope("site", report=troubles.append) as scope:
        scope.isolated("broken", fails())
        scope.isolated("whole", lives())
        await other.wait()
    assert [(trouble.name, str(trouble.error)) for trouble in troubles] == [("site/broken", "boom")]


async def test_a_required_failure_ends_the_scope_and_is_raised_where_it_is_left() -> None:
    cancelled = asyncio.Event()

    async def fails() -> None:
        raise ValueError("boom")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(ValueError, match="boom"):
        async with Scope("site") as scope:
            scope.isolated("waits", waits())
            await asyncio.sleep(0)
            scope.required("broken", fails())
            await asyncio.Event().wait()
    assert cancelled.is_set()


async def test_leaving_cancels_and_awaits_everything() -> None:
    ended: list[str] = []

    async def waits(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async with Scope("site") as scope:
        scope.isolated("a", waits("a"))
        scope.required("b", waits("b"))
        await asyncio.sleep(0)
        assert scope.task_names == ["site/a", "site/b"]
    assert sorted(ended) == ["a", "b"]
    with pytest.raises(RuntimeError):
        scope.isolated("late", waits("late"))


async def test_cancelling_from_outside_is_not_swallowed() -> None:
    async def body() -> None:
        async with Scope("site") as scope:
            scope.isolated("waits", asyncio.Event().wait())
            await asyncio.Event().wait()

    async with Scope("test") as outer:
        task = outer.isolated("body", body())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
