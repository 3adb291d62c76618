"""What a running step has in hand: evidence, findings, progress, sessions, and the one way to write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from app.diagnosis.applied import not_applied
from app.driver.capability import Identifies, ReadsSettings, WriteResult, WritesSettings
from app.driver.session import Session
from app.errors import AppError, Busy, LinkError, NotReachable, StepBlocked, ValueRejected, VerifyFailed
from app.jobs import commands
from app.jobs.context import Confirmation, JobContext
from app.jobs.doors import NO_BACKUP, guarding, is_unread
from app.model.address import OcppAddress
from app.model.backend import Backend
from app.model.coding import decode, encode
from app.model.finding import Evidence, Finding, Severity
from app.model.job import Job, Progress, ShownChange, StepKind, Strength, Target
from app.model.profile import Profile, Timing
from app.model.setting import Change
from app.model.unit import SPEAKS, Claim, Identity, Unit, conflicts, strong
from app.scope import Scope
from app.storage.db import Store
from app.storage.vault import Vault

T = TypeVar("T")

FINISH_WRITE_S = 2.5
"""How long a stopped step may still finish the write in progress; the whole stop must end within 5 s."""

TEXT_LIMIT = 4_000
"""Longest text of a charger that a job keeps, in characters."""

READY_S = 35.0
"""A unit without a Boot takes commands 30 s after it connected (connection-failures 9)."""

REDIAL_LIMIT_S = 120.0
"""The longest a step waits for a unit to redial before it says so; the step can be run again."""

CLAIMS = "claims"
"""Name of the fact that holds what proves who the job's unit is."""

DEFAULT_TIMING = Timing(restart_s=60, redial_s=60, patience_s=1200)
"""Where no profile fits: amber after a minute, red after 20 (connection-failures, "How long to wait")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A step that this unit does not need or can't do."""

    reason: str


class StepRun:
    """One run of one step (``kind=None``: of the undo). Made by the desk."""

    def __init__(
        self,
        *,
        job_id: str,
        kind: StepKind | None,
        bench: JobContext,
        store: Store,
        vault: Vault,
        scope: Scope,
        do: Callable[[str, commands.Command], Job],
        look: Callable[[str], Job],
        tell: Callable[[Progress], None],
        clock: Callable[[], datetime],
        confirmation: Confirmation | None,
    ) -> None:
        self.job_id = job_id
        self.kind = kind
        self.bench = bench
        self.store = store
        self.vault = vault
        self.scope = scope
        self.clock = clock
        self.confirmation = confirmation
        self._do = do
        self._look = look
        self._tell = tell

    @property
    def job(self) -> Job:
        """Return the job as it stands now."""
        return self._look(self.job_id)

    @property
    def unit(self) -> Unit:
        """Return the unit as known now; raises NotReachable where nobody knows it any more."""
        unit = self.bench.finder.units.get(self.job.unit_id)
        if unit is None:
            raise NotReachable(
                f"{self.job.unit_title} is not known here any more.",
                "Connect it, or add it by its address, then continue.",
            )
        return unit

    def has_own(self, capability: type) -> bool:
        """Say whether the unit may offer this otherwise than over its connection to our endpoint.

        While it is connected there, a way that shows settings and writes none counts for nothing.
        """
        drivers, ways = self.bench.registry.drivers, self.unit.ways
        is_connected = any(isinstance(way.address, OcppAddress) and way.is_present for way in ways)
        wanted = {capability, WritesSettings} if capability is ReadsSettings and is_connected else {capability}
        return any(
            wanted <= drivers[way.driver_id].capabilities
            for way in ways
            if not isinstance(way.address, OcppAddress) and way.driver_id in drivers
        )

    @property
    def profile(self) -> Profile | None:
        """Return the unit's profile, if one fits."""
        profiles = self.bench.registry.profiles
        told = str(self.job.facts.get("identity", {}).get("profile_id", ""))
        return profiles.get(self.job.profile_id) or profiles.get(told)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Return the unit's profile, and the most general one of each way that leads to it: each knows doors."""
        registry, own = self.bench.registry, self.profile
        known = (own,) if own is not None else ()
        drivers = sorted({way.driver_id for way in self.unit.ways if way.driver_id in registry.drivers})
        return known + tuple(registry.default_profile(driver, Identity()) for driver in drivers)

    @property
    def timing(self) -> Timing:
        """Return how long this family takes."""
        return self.profile.timing if self.profile is not None else DEFAULT_TIMING

    @property
    def backend(self) -> Backend:
        """Return the chosen backend with its secret; raises StepBlocked where one of them is missing."""
        job = self.job
        if job.backend is None:
            raise StepBlocked("No backend is chosen.", "Go back to “Choose” and name the new backend.")
        if not job.has_secret:
            return job.backend
        secret = self.vault.get(backend_entry(self.job_id))
        if secret is None:
            raise StepBlocked(
                "The backend's password is not on this computer any more (it has no keyring).",
                "Go back to “Choose” and type the password again.",
            )
        return replace(job.backend, secret=secret)

    def note(
        self,
        text: str,
        *,
        detail: str = "",
        strength: Strength = Strength.PROVED,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Record evidence. Known secrets are masked."""
        self._do(
            self.job_id,
            commands.Note(
                step=self.kind,
                text=self.vault.redact(text)[:TEXT_LIMIT],
                detail=self.vault.redact(detail)[:TEXT_LIMIT],
                strength=strength,
                facts=_redacted(encode(facts or {}), self.vault),
            ),
        )

    def report(
        self, code: str, severity: Severity, *evidence: tuple[str, str], details: Mapping[str, str] | None = None
    ) -> None:
        """Record a finding of the failure catalogue with (label, text) pairs that prove it."""
        proofs = tuple(Evidence(label=label, text=text) for label, text in evidence)
        self.found(Finding(code=code, severity=severity, evidence=proofs, details=details or {}))

    def found(self, finding: Finding) -> None:
        """Record a finding, stamped with unit and time, known secrets masked."""
        if self.kind is None:
            return
        now, redact = self.clock(), self.vault.redact
        proofs = tuple(
            replace(item, text=redact(item.text)[:TEXT_LIMIT], at=item.at or now) for item in finding.evidence
        )
        details = {key: redact(value)[:TEXT_LIMIT] for key, value in finding.details.items()}
        stamped = replace(finding, evidence=proofs, details=details, unit_id=self.job.unit_id, at=now)
        self._do(self.job_id, commands.Report(step=self.kind, finding=stamped))

    def plan(self, command: commands.Plan) -> None:
        """Record the plan."""
        self._do(self.job_id, command)

    def progress(
        self,
        text: str,
        *,
        done: int = 0,
        total: int = 0,
        expected_s: float | None = None,
        patience_s: float | None = None,
    ) -> None:
        """Tell what is going on, with its countdown where there is one."""
        self._tell(
            Progress(
                job_id=self.job_id,
                step=self.kind or StepKind.APPLY,
                text=text,
                done=done,
                total=total,
                started_at=self.clock(),
                expected_s=expected_s,
                patience_s=patience_s,
            )
        )

    @property
    def dials_us_as(self) -> str | None:
        """Return the identity under which the unit is connected to our endpoint now, if it is."""
        names = [way.address.identity for way in self.unit.ways if isinstance(way.address, OcppAddress)]
        return next((name for name in names if self.bench.server.endpoint(name) is not None), None)

    @property
    def speaks(self) -> str:
        """Return the OCPP version the unit speaks: with us now, when it was identified, by its own word, else 1.6."""
        endpoint = self.bench.server.endpoint(self.dials_us_as or "")
        told = endpoint.version if endpoint is not None else str(self.job.facts.get("speaks", ""))
        return told or self.unit.identity.extra.get(SPEAKS) or "1.6"

    @asynccontextmanager
    async def open(self, capability: type | None = None) -> AsyncIterator[Session]:
        """Open a session to the job's unit and make sure that it is still the same unit."""
        if capability is not None and not self.has_own(capability):
            await self._dialled_in()
        async with self.bench.open(self.unit.unit_id, capability=capability) as session:
            await self._same_unit(session)
            yield session

    async def _dialled_in(self) -> None:
        """Wait until a unit that only dials in is connected and takes commands; raises NotReachable.

        It may be between two connections, or not have sent its Boot yet (no command goes out before that).
        """
        names = [way.address.identity for way in self.unit.ways if isinstance(way.address, OcppAddress)]
        if not names:
            return
        loop = asyncio.get_running_loop()
        began, redial_s = loop.time(), min(self.timing.redial_s * 2, REDIAL_LIMIT_S)
        while True:
            endpoints = [self.bench.server.endpoint(name) for name in names]
            there = next((item for item in endpoints if item is not None), None)
            if there is not None and there.is_ready:
                return
            waited_s = loop.time() - began
            if waited_s > (redial_s + READY_S if there is not None else redial_s):
                break
            self.progress("Waiting until the charger is connected and ready", expected_s=redial_s, patience_s=READY_S)
            await asyncio.sleep(min(0.2, redial_s / 10))
        raise NotReachable(
            f"{self.job.unit_title} is not connected to this computer.",
            "Wait until it dials again, check its network, or switch it off and on; then continue.",
        )

    @asynccontextmanager
    async def open_until(self, capability: type, *, patience_s: float) -> AsyncIterator[Session]:
        """Open a session, trying until it works or the patience ends (then the last error is raised)."""
        async with AsyncExitStack() as stack:
            yield await self._reach(capability, patience_s, stack)

    async def _reach(self, capability: type, patience_s: float, stack: AsyncExitStack) -> Session:
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + patience_s, min(0.2, patience_s / 20)
        while True:
            try:
                return await stack.enter_async_context(self.open(capability))
            except (LinkError, Busy):
                if loop.time() + pause_s > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 5.0)

    async def _same_unit(self, session: Session) -> None:
        """Ask who answers, before anything else is asked or written."""
        if self._known_claims() and session.has(Identifies):
            self.must_be_ours(await session.ask(Identifies).identify(), str(session.address))

    def must_be_ours(self, found: Identity, where: str) -> None:
        """Raise StepBlocked where another charger has taken the address, or dials under the same OCPP identity."""
        known = self._known_claims()
        if conflicts(known, strong(found)):
            ours = ", ".join(sorted({item.value for item in known}))
            raise StepBlocked(
                f"Another charger answers at {where} now: serial {found.serial} instead of {ours}.",
                "Look for the charger of this job again; its address may have changed, or two have one identity.",
            )

    def _known_claims(self) -> frozenset[Claim]:
        """Return what proves who the job's unit is: what the job read first, else what discovery knows."""
        told = self.job.facts.get(CLAIMS, ())
        if self.kind is StepKind.IDENTIFY or not told:
            return strong(self.unit.identity)
        return frozenset(decode(tuple[Claim, ...], list(told)))

    async def write(self, session: Session, change: Change, target: Target) -> WriteResult:
        """Write one value: the intention goes to disk first, the result after. Raises Refused, VerifyFailed, LinkError.

        Raises StepBlocked where the way leads through a door that nobody accepted, also where the plan was left out or
        did not foresee this write. Stopping the job in the middle lets the write finish (at most ``FINISH_WRITE_S``).
        """
        intended = shown(change, target, self.vault)
        if target is not Target.UNDO:
            self._need_consent(intended)
        self._do(self.job_id, commands.Intend(step=self.kind, change=intended))
        result = await self.to_the_end(f"write {change.key}", self._write(session, change))
        self._judge(change, result)
        return result

    def _need_consent(self, change: ShownChange) -> None:
        unread = (NO_BACKUP,) if is_unread(self.store.backups.load(self.job_id)) else ()
        for door in (*guarding((change,), self.profiles), *unread):
            if door.id not in self.job.acknowledged:
                raise StepBlocked(
                    f"“{change.key}” is not written before this is accepted: {door.text}",
                    "Go back to “Plan”, read what can't be undone or is not proved, and accept it.",
                )

    async def _write(self, session: Session, change: Change) -> WriteResult:
        result = await session.ask(WritesSettings).write_setting(change)
        read_back = result.read_back
        if read_back is not None:
            read_back = self.vault.redact(replace(change, after=read_back).shown()[1])
        self._do(
            self.job_id,
            commands.Wrote(
                step=self.kind,
                key=change.key,
                is_accepted=result.is_accepted,
                read_back=read_back,
                needs_restart=result.needs_restart or change.needs_restart,
                note=self.vault.redact(result.note),
            ),
        )
        return result

    def _judge(self, change: Change, result: WriteResult) -> None:
        if not result.is_accepted:
            raise ValueRejected(
                f"The charger refused “{change.key}”{': ' + result.note if result.note else ''}.",
                "Look at the value under “Plan”; the charger may be locked or in use.",
            )
        if result.read_back is None or result.read_back == change.after:
            return
        finding = not_applied(change.key, change.after, result.read_back, is_secret=change.is_secret)
        if finding is not None:
            self.found(finding)
        raise VerifyFailed(
            f"“{change.key}” was written, but the charger holds something else.",
            "It may cut long values or need a restart first. Nothing further was changed.",
        )

    async def to_the_end(self, name: str, coro: Coroutine[Any, Any, T]) -> T:
        """Await something that must not be torn apart when the job is stopped."""
        return await to_the_end(self.scope, name, coro)


async def to_the_end(scope: Scope, name: str, coro: Coroutine[Any, Any, T]) -> T:
    """Await something in a task of the scope; a cancelled caller lets it finish (at most ``FINISH_WRITE_S``)."""
    task = scope.isolated(name, _outcome(coro))
    try:
        outcome = await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=FINISH_WRITE_S)
        raise
    if isinstance(outcome, AppError):
        raise outcome
    return outcome


async def _outcome(coro: Coroutine[Any, Any, T]) -> T | AppError:
    try:
        return await coro
    except AppError as error:
        return error


def _redacted(value: Any, vault: Vault) -> Any:
    """Mask known secrets in every text of a JSON value."""
    if isinstance(value, str):
        return vault.redact(value)[:TEXT_LIMIT]
    if isinstance(value, dict):
        return {key: _redacted(item, vault) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, vault) for item in value]
    return value


def backend_entry(job_id: str) -> str:
    """Return the vault's name for the chosen backend's password."""
    return f"job/{job_id}/backend"


def identity_entry(identity: str) -> str:
    """Return the vault's name for the password our endpoint expects of an identity."""
    return f"identity/{identity}"


def shown(change: Change, target: Target, vault: Vault) -> ShownChange:
    """Return a change as it may be stored and shown."""
    before, after = change.shown()
    return ShownChange(
        key=change.key,
        before=vault.redact(before)[:TEXT_LIMIT],
        after=vault.redact(after)[:TEXT_LIMIT],
        target=target,
        is_secret=change.is_secret,
        needs_restart=change.needs_restart,
        is_one_way=change.is_one_way,
        order=change.order,
        reason=change.reason,
    )


def is_dialled_in(session: Session) -> bool:
    """Say whether a session runs over the unit's connection to our own endpoint."""
    return isinstance(session.address, OcppAddress)
