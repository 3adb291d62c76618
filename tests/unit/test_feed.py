from __future__ import annotations

import asyncio

from app.feed import Feed
from app.scope import Scope


def test_a_full_queue_drops_the_oldest_and_counts() -> None:
    feed: Feed[int] = Feed()
    with feed.subscribe(depth=3) as heard:
        feed.publish_all([1, 2, 3, 4, 5])
        assert heard.take() == [3, 4, 5]
        assert heard.dropped == 2
        assert heard.take() == []
    assert not feed.is_heard


async def test_an_iterator_gets_everything_in_order_and_ends_on_close() -> None:
    feed: Feed[int] = Feed()
    subscription = feed.subscribe()
    got: list[int] = []

    async def listen() -> None:
        async for item in subscription:
            got.append(item)

    async with Scope("test") as scope:
        task = scope.isolated("listen", listen())
        await asyncio.sleep(0)
        feed.publish(1)
        feed.publish_all([2, 3])
        subscription.close()
        await task
    assert got == [1, 2, 3]


def test_listeners_do_not_disturb_each_other() -> None:
    feed: Feed[str] = Feed()
    slow, fast = feed.subscribe(depth=1), feed.subscribe(depth=10)
    for text in "abc":
        feed.publish(text)
    assert fast.take() == ["a", "b", "c"]
    assert slow.take() == ["c"]
