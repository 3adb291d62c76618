"""Judge the chargers of a site: ask each what it is and offers, ask its present backend for life, write nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.diagnosis import thresholds
from app.diagnosis.mobile import at_mobile
from app.diagnosis.ways import Way
from app.diagnosis.ways import ways as all_ways
from app.driver.capability import ReportsStatus, SetsBackend
from app.driver.registry import Registry
from app.driver.session import Session
from app.errors import AppError, AuthFailed
from app.model.address import OcppAddress
from app.model.backend import Backend
from app.model.finding import Finding, Severity
from app.model.mobile import MobileLink
from app.model.observation import MobileSeen
from app.model.profile import Profile
from app.model.triage import Answering, Case, Judgement
from app.model.unit import Unit, authority
from app.scope import Scope
from app.triage.judging import RUNNING, judge
from app.triage.records import NOTHING, SIM, Records

AT_ONCE = 8
"""Chargers asked at the same time."""

UNIT_S = 25.0
"""Time for one charger: opening, status and backend have deadlines of their own, this one bounds their sum."""

Opens = Callable[[str], AbstractAsyncContextManager[Session]]
Asks = Callable[[str], Awaitable[Answering]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What opening a charger told."""

    offers: frozenset[str] | None = None
    present: Backend | None = None
    state: str = ""
    is_locked: bool = False
    trouble: str = ""
    mobile: MobileLink | None = None
    """How its modem stands with card and network, where it has one that tells."""
    is_asked: bool = True


UNOPENED = Seen(is_asked=False)


class TriageDesk:
    """Judges chargers.

    ``opens`` gives a session to a unit, ``asks`` tells whether a backend answers, ``known`` the findings that stand
    against a unit, ``records`` what it told on earlier days, ``ways`` the methods that are left. Each backend is
    asked once in an assessment.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        opens: Opens,
        asks: Asks,
        known: Callable[[Unit], Sequence[Finding]] = lambda _unit: (),
        records: Records | None = None,
        ways: Callable[[], Mapping[str, Way]] = all_ways,
    ) -> None:
        self._registry = registry
        self._opens = opens
        self._asks = asks
        self._known = known
        self._records = records
        self._ways = ways

    async def assess(
        self,
        units: Sequence[Unit],
        wanted: Backend | None,
        *,
        progress: Callable[[int, int, Judgement], None] = lambda *_: None,
    ) -> list[Judgement]:
        """Judge these units, in their order. ``progress(done, total, judgement)`` is called as each is ready.

        Cancelling stops all sessions. One charger that fails is judged on what is known of it.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        backends: dict[str, asyncio.Task[Answering]] = {}
        found: dict[str, Judgement] = {}
        async with Scope("triage") as scope:

            async def one(unit: Unit) -> None:
                async with gate:
                    found[unit.unit_id] = await self._one(unit, wanted, scope, backends)
                progress(len(found), len(units), found[unit.unit_id])

            await asyncio.gather(*(scope.required(f"triage/{unit.unit_id}", one(unit)) for unit in units))
        return [found[unit.unit_id] for unit in units]

    async def _one(
        self, unit: Unit, wanted: Backend | None, scope: Scope, backends: dict[str, asyncio.Task[Answering]]
    ) -> Judgement:
        self.look_up(unit)
        seen = await self._look(unit)
        present = seen.present or unit.backend
        return self.judged(unit, wanted, seen, await self._answering(present, scope, backends))

    def judged(
        self, unit: Unit, wanted: Backend | None, seen: Seen = UNOPENED, answering: Answering = Answering.UNASKED
    ) -> Judgement:
        """Judge on what is known, without asking anybody."""
        told = self._records.of(unit) if self._records is not None else NOTHING
        present = told.completing(seen.present or unit.backend)
        if wanted is not None and not wanted.identity and present is not None:
            wanted = replace(wanted, identity=present.identity)
        case = Case(
            unit=replace(unit, backend=unit.backend.without_secret()) if unit.backend else unit,
            wanted=wanted,
            present=present.without_secret() if present else None,
            answering=answering,
            is_locked=seen.is_locked or unit.identity.extra.get("locked") == "yes",
            is_charging=(seen.state or unit.state) in RUNNING,
            is_dialled_in=any(isinstance(way.address, OcppAddress) and way.is_present for way in unit.ways),
            offers=seen.offers,
            codes=barring(self._standing(unit, seen)),
            trouble=seen.trouble or next((way.trouble for way in unit.ways if way.trouble), ""),
            told=told.grounds,
            is_asked=seen.is_asked,
        )
        return judge(case, self.profile(unit), self._ways(), datetime.now(UTC))

    def _standing(self, unit: Unit, seen: Seen) -> Sequence[Finding]:
        """Return what stands against a charger; of its modem what that tells now, not what it told before."""
        if seen.mobile is None:
            return self._known(unit)
        now = MobileSeen(link=seen.mobile, at=datetime.now(UTC), unit_id=unit.unit_id)
        others = (finding for finding in self._known(unit) if finding.code != SIM)
        return (*others, *at_mobile(now, thresholds.standard()))

    def look_up(self, unit: Unit) -> None:
        """Search the records of a charger; what they tell counts from the next verdict on."""
        if self._records is not None:
            self._records.look_up(unit)

    def profile(self, unit: Unit) -> Profile | None:
        """Return the profile of a unit's family, ``None`` where it is not known."""
        return self._registry.profiles.get(unit.identity.profile_id)

    async def _look(self, unit: Unit) -> Seen:
        if not unit.is_present:
            return Seen()
        seen = Seen()
        try:
            async with asyncio.timeout(UNIT_S), self._opens(unit.unit_id) as session:
                seen = Seen(offers=frozenset(item.__name__ for item in session.offers))
                if session.has(ReportsStatus):
                    status = await session.ask(ReportsStatus).status()
                    seen = replace(seen, state=status.state, mobile=status.mobile)
                # some chargers choke on reading all of their OCPP configuration, so it is not asked for here
                if session.has(SetsBackend) and not isinstance(session.address, OcppAddress):
                    seen = replace(seen, present=await session.ask(SetsBackend).read_backend())
        except AuthFailed as error:
            return replace(seen, is_locked=True, trouble=error.message)
        except AppError as error:
            return replace(seen, trouble=error.message)
        except TimeoutError:
            return replace(seen, trouble=f"It did not answer within {UNIT_S:.0f} s.")
        return seen

    async def _answering(
        self, present: Backend | None, scope: Scope, backends: dict[str, asyncio.Task[Answering]]
    ) -> Answering:
        if present is None or not present.url:
            return Answering.UNASKED
        where = authority(present.url)
        if where not in backends:
            backends[where] = scope.isolated(f"ask/{where}", self._asked(present.url))
        return await asyncio.shield(backends[where])

    async def _asked(self, url: str) -> Answering:
        try:
            return await self._asks(url)
        except AppError:
            return Answering.CANT_TELL


def barring(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the codes of what keeps a charger from its backend; remarks and a signal that is merely weak do not."""
    return frozenset(
        finding.code
        for finding in findings
        if finding.severity is not Severity.INFO and finding.details.get("case") != "weak"
    )
