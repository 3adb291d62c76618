"""The verdicts of a site, one per charger: asked ones kept over restarts, the others from what is known at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import orjson

from app.driver.registry import Registry
from app.errors import StoreError
from app.feed import Feed
from app.model.backend import Backend
from app.model.coding import decode, encode
from app.model.finding import Finding
from app.model.query import FramePage, TrafficQuery
from app.model.triage import Judgement
from app.model.unit import Unit
from app.settings import Listed, Settings
from app.storage.db import Store
from app.triage.desk import Asks, Opens, TriageDesk
from app.triage.records import Hearing, Records
from app.triage.site import held_up, missing, owners, told_apart

log = logging.getLogger(__name__)

SIZE_LIMIT = 50_000_000
"""Bytes of the file that are read; a charger takes about 5 kB."""

MOST = 2_000
"""Verdicts that are kept, the newest."""


RECORDS_S = 0.01
"""How long the records of one charger are searched in the loop."""


class Bench(Protocol):
    """What the triage needs of the workbench."""

    home: Path
    registry: Registry
    findings: Feed[Finding]

    @property
    def store(self) -> Store:
        """Return what is kept on disk."""
        ...

    @property
    def finder(self) -> Chargers:
        """Return who knows the chargers."""
        ...

    @property
    def settings(self) -> Settings:
        """Return the settings as they are now: the site's list may change."""
        ...

    @property
    def open(self) -> Opens:
        """Return what opens a session."""
        ...


class Chargers(Protocol):
    """Knows the chargers by id; an id of old finds the charger it became."""

    @property
    def units(self) -> Mapping[str, Unit]:
        """Show all of them."""
        ...


def triage_board(bench: Bench, *, asks: Asks) -> TriageBoard:
    """Build the triage of a workbench, and the desk behind it."""
    scan = partial(_scanned, bench)
    desk = TriageDesk(
        registry=bench.registry,
        opens=bench.open,
        asks=asks,
        known=Hearing(bench.findings).of,
        records=Records(scan),
    )
    return TriageBoard(
        desk,
        units=lambda: bench.finder.units,
        listed=lambda: bench.settings.listed,
        path=bench.home / "triage.json",
    )


def _scanned(bench: Bench, query: TrafficQuery, limit: int) -> FramePage:
    return bench.store.traffic.scan(query, limit=limit, budget_s=RECORDS_S)


class TriageBoard:
    """What the site's triage says now.

    ``units`` gives the chargers by id (an id of old finds the charger it became), ``listed`` the site's list. ``path``
    is the file the asked verdicts are kept in.
    """

    def __init__(
        self,
        desk: TriageDesk,
        *,
        units: Callable[[], Mapping[str, Unit]],
        listed: Callable[[], Sequence[Listed]],
        path: Path,
    ) -> None:
        self._desk = desk
        self._units = units
        self._listed = listed
        self._path = path
        self._asked: dict[str, Judgement] = {}
        self._is_read = False
        self._saving = asyncio.Lock()
        self.changes: Feed[Judgement] = Feed()
        """Each verdict that was asked for, as soon as it is there."""

    def rows(self, wanted: Backend | None) -> list[Judgement]:
        """Return a verdict for every charger of the site, also for those its list names and nobody has seen."""
        units = list(self._units().values())
        return told_apart([*(self._of(unit, wanted) for unit in units), *missing(self._listed(), units)])

    def of(self, unit: Unit, wanted: Backend | None = None) -> Judgement:
        """Return the verdict on one charger: the one asked for, else what is known without asking."""
        known = owners((other, None) for other in self._units().values())
        return held_up(self._of(unit, wanted), known)

    def _of(self, unit: Unit, wanted: Backend | None) -> Judgement:
        self._read()
        kept = self._asked.get(unit.unit_id)
        return kept if kept is not None else self._desk.judged(unit, wanted)

    async def assess(
        self,
        units: Sequence[Unit],
        wanted: Backend | None,
        *,
        progress: Callable[[int, int, Judgement], None] = lambda *_: None,
    ) -> list[Judgement]:
        """Ask these chargers, keep what is found (also what was found before a cancel), and return the verdicts.

        Raises StoreError where they can't be kept; they stand on the board all the same.
        """
        self._read()

        def ready(done: int, total: int, found: Judgement) -> None:
            self._asked[found.unit.unit_id] = found
            self.changes.publish(found)
            progress(done, total, found)

        try:
            found = await self._desk.assess(units, wanted, progress=ready)
        except asyncio.CancelledError:
            with suppress(StoreError):
                self._write(self._content())
            raise
        await self._save()
        return found

    def look_up(self, unit: Unit) -> None:
        """Search the records of one charger; takes ``RECORDS_S`` or little more for each of its names."""
        self._desk.look_up(unit)

    async def prepare(self) -> None:
        """Search the records of every charger, one after the other so that nothing stalls."""
        for unit in list(self._units().values()):
            self._desk.look_up(unit)
            await asyncio.sleep(0)

    def completed(self, judgements: Iterable[Judgement]) -> list[Judgement]:
        """Add what only the whole site shows to verdicts just asked for: shared names, chargers nobody has seen."""
        units = list(self._units().values())
        return told_apart([*judgements, *missing(self._listed(), units)])

    def _read(self) -> None:
        """Read the file once, at the first question: a damaged one is as if there were none."""
        if self._is_read:
            return
        self._is_read = True
        try:
            if self._path.stat().st_size <= SIZE_LIMIT:
                self._asked = _decoded(orjson.loads(self._path.read_bytes()), self._units())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.info("the triage of before can't be read: %s", error)

    async def _save(self) -> None:
        async with self._saving:
            await asyncio.to_thread(self._write, self._content())

    def _content(self) -> list[Judgement]:
        known = self._units()
        current = [item for key, item in self._asked.items() if key in known]
        return current[-MOST:]

    def _write(self, judgements: Sequence[Judgement]) -> None:
        beside = self._path.with_suffix(".new")
        try:
            beside.write_bytes(orjson.dumps({"format": 1, "judgements": encode(judgements)}))
            beside.replace(self._path)
        except OSError as error:
            text = f"The triage can't be kept: {error.strerror or error}."
            raise StoreError(text, "Make room on the disk. What is on screen can still be exported.") from error


def _decoded(data: Any, units: Mapping[str, Unit]) -> dict[str, Judgement]:
    """Take the verdicts of chargers that are still known; those that can't be read are left out."""
    found: dict[str, Judgement] = {}
    listed = data.get("judgements") if isinstance(data, dict) else None
    for item in listed[:MOST] if isinstance(listed, list) else ():
        with suppress(ValueError):
            judgement = decode(Judgement, item)
            unit = units.get(judgement.unit.unit_id)
            if unit is not None:
                found[unit.unit_id] = judgement
    return found
