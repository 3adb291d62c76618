"""Many simulated JuiceBoxes in one process, for benches: a socket and a timer each, and no task."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from app.sim.juicebox import JuiceBox, Mishaps

EVERY_OTHER = ("jb1", "jb2")


class JuiceFleet:
    """``count`` boxes that send to ``target`` (an address and a port), half of each generation.

    Use it as an async context manager. Their first reports are spread over a period. ``mishaps`` are shares of
    datagrams lost, doubled and swapped; each box draws its own.
    """

    def __init__(
        self,
        count: int,
        target: tuple[str, int],
        *,
        time_scale: float = 1.0,
        rating_a: int = 40,
        offline_a: int = 40,
        lost: float = 0.0,
        doubled: float = 0.0,
        swapped: float = 0.0,
    ) -> None:
        self.boxes = tuple(
            JuiceBox(
                EVERY_OTHER[number % 2],
                target=target,
                online_field="AM"[number // 2 % 2],
                rating_a=rating_a,
                offline_a=offline_a,
                time_scale=time_scale,
                mishaps=Mishaps(lost=lost, doubled=doubled, swapped=swapped, seed=number),
            )
            for number in range(count)
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for box in self.boxes:
                await stack.enter_async_context(box)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def reports(self) -> int:
        """Return how many reports all of them sent."""
        return sum(box.reports for box in self.boxes)

    @property
    def commands(self) -> int:
        """Return how many commands they remember having obeyed."""
        return sum(len(box.commands) for box in self.boxes)

    def plug_in(self) -> None:
        """Put a car on each."""
        for box in self.boxes:
            box.plug_in()
