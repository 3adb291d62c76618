"""Leave a charger in peace while somebody works on it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.discovery.finder import Finder


class Hold:
    """Probing of one unit is paused while this is entered."""

    def __init__(self, finder: Finder, unit_id: str) -> None:
        self._finder = finder
        self._unit_id = unit_id

    def __enter__(self) -> None:
        self._finder._holds[self._unit_id] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holds = self._finder._holds
        holds[self._unit_id] -= 1
        if not holds[self._unit_id]:
            del holds[self._unit_id]

    async def __aenter__(self) -> None:
        self.__enter__()
        unit = self._finder.units.get(self._finder._roster.resolve(self._unit_id))
        try:
            await self._finder._settle(unit)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
