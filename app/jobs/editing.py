"""Single settings written by hand, with the promises of a job: backup first, on disk before sent, read back, undo."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from app.driver.capability import Identifies, ReadsOneSetting, ReadsSettings, WriteResult, WritesSettings
from app.driver.session import Session
from app.errors import AppError, JobError, Refused, StepBlocked, ValueRejected, VerifyFailed
from app.feed import Feed
from app.jobs import backups, sealing
from app.jobs.context import JobContext
from app.jobs.runner import JobDesk
from app.jobs.stepping import TEXT_LIMIT, to_the_end
from app.model.edit import Edit, EditState
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Claim, Unit, conflicts, strong
from app.scope import Scope
from app.storage.db import Store
from app.storage.vault import Vault

ONE_WAY = "This setting goes only one way: the charger does not take its old value back."
UNKNOWN = "Its old value is not known: the charger did not show it."
RETURNING = "The old value was being written back."
FLEETING = "Its old value is kept only until the program ends: this computer has no keyring."
RESTART = "Restart the charger for it to take effect."


def entry(edit_id: str) -> str:
    """Return the vault's name for the old value of an edited secret."""
    return f"edit/{edit_id}/before"


def backup_name(unit_id: str) -> str:
    """Return the name of the backup that is taken before the first edit of a unit."""
    return f"edit/{unit_id}"


def _now() -> datetime:
    return datetime.now(UTC)


class EditDesk:
    """All edits by hand. One that was open when the program ended stays INTENDED: nobody knows what came of it."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        bench: JobContext,
        jobs: JobDesk,
        scope: Scope,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.changes: Feed[Edit] = Feed()
        self._store = store
        self._vault = vault
        self._bench = bench
        self._jobs = jobs
        self._scope = scope
        self._clock = clock
        self._backed_up: set[str] = set()
        self._running: set[str] = set()
        self._locks: dict[str, asyncio.Lock] = {}

    def edits(self, unit_id: str) -> tuple[Edit, ...]:
        """List a unit's edits, the newest first, also those made while it was known under another id."""
        here = self._resolved(unit_id)
        ids = [known for known in self._store.edits.unit_ids() if self._resolved(known) == here]
        return tuple(self._marked(edit) for edit in self._store.edits.of(ids)) if ids else ()

    async def edit(self, unit_id: str, session: Session, change: Change, *, has_consent: bool = False) -> WriteResult:
        """Write one value over an open session and read it back.

        ``has_consent``: a person has accepted the setting's ``caution``. Raises JobError where a job works on the unit,
        no backup can be made or consent is missing (then nothing was sent), Refused where the charger does not take it,
        LinkError where it is not known whether it was written.
        """
        unit = self._unit(unit_id)
        async with self._lock(unit.unit_id):
            self._need_no_job(unit)
            await _same_unit(session, unit.title, strong(unit.identity))
            backup = await self._backup(unit, session, change.key)
            present = await _present(session, change.key)
            _need_consent(present, has_consent=has_consent)
            edit = self._intend(unit, session, change, present, backup)
            return await self._guarded(edit, change.key, self._write(edit, session, change))

    async def undo_edit(self, edit_id: str) -> WriteResult:
        """Write the old value back and read it back; raises JobError with advice where that can't be done."""
        edit = self._store.edits.get(edit_id)
        if edit is None:
            raise JobError("There is no such edit.", "Look at the history of the charger.")
        unit = self._unit(edit.unit_id)
        async with self._lock(unit.unit_id):
            edit = self._store.edits.get(edit_id) or edit
            self._need_undoable(edit)
            self._need_no_job(unit)
            change = self._way_back(edit)
            driver_id = edit.driver_id
            async with self._bench.open(unit.unit_id, capability=WritesSettings, driver_id=driver_id) as session:
                await _same_unit(session, unit.title, edit.claims or strong(unit.identity))
                present = await _present(session, edit.key)
                _need_untouched(edit, present)
                change = replace(change, needs_restart=present is not None and present.needs_restart)
                self._settle(replace(edit, state=EditState.INTENDED, note=RETURNING))
                return await self._guarded(edit, change.key, self._write_back(edit, session, change))

    # What must hold before

    def _unit(self, unit_id: str) -> Unit:
        unit = self._bench.finder.units.get(unit_id)
        if unit is None:
            raise JobError("This charger is not known.", "Search again, or add it by its address.")
        return unit

    def _resolved(self, unit_id: str) -> str:
        unit = self._bench.finder.units.get(unit_id)
        return unit.unit_id if unit is not None else unit_id

    def _lock(self, unit_id: str) -> asyncio.Lock:
        return self._locks.setdefault(unit_id, asyncio.Lock())

    def _need_no_job(self, unit: Unit) -> None:
        for job_id in self._jobs.running:
            if self._resolved(self._jobs.job(job_id).unit_id) == unit.unit_id:
                raise JobError("A job works on this charger just now.", "Pause it first, or wait until it is done.")

    def _need_undoable(self, edit: Edit) -> None:
        if edit.state is EditState.UNDONE:
            raise JobError("This edit is undone already.", "Nothing needs to be done.")
        if edit.state is EditState.REFUSED:
            raise JobError("The charger refused this edit: nothing was changed.", "Nothing needs to be done.")
        if edit.limit:
            raise JobError(f"“{edit.key}” can't be brought back. {edit.limit}", "Set it by hand if you know its value.")
        for later in self.edits(edit.unit_id):
            if later.id == edit.id:
                return
            if later.key == edit.key and later.state in (EditState.DONE, EditState.INTENDED):
                raise JobError(f"“{edit.key}” was changed again later.", "Undo the newer edit of it first.")

    async def _backup(self, unit: Unit, session: Session, key: str) -> Snapshot:
        """Return a stored backup that knows this key: of this program run or of a job, else one taken now."""
        names = [backup_name(unit.unit_id)] if unit.unit_id in self._backed_up else []
        jobs = [job for job in self._jobs.jobs.values() if job.has_backup]
        names += [job.id for job in reversed(jobs) if self._resolved(job.unit_id) == unit.unit_id]
        for name in names:
            stored = self._store.backups.load(name)
            if stored is not None and (stored.get(key) is not None or key in stored.excluded):
                return stored
        taken, _ = await backups.take(backup_name(unit.unit_id), session, self._store, self._vault)
        self._backed_up.add(unit.unit_id)
        return taken

    # Decide on disk, then act

    def _intend(self, unit: Unit, session: Session, change: Change, present: Setting | None, backup: Snapshot) -> Edit:
        before = present.value if present is not None and present.is_readable else None
        is_one_way = change.is_one_way or (present is not None and present.is_one_way)
        is_secret = change.is_secret or (present is not None and present.is_secret)
        at = self._clock()
        edit = Edit(
            id=f"{at:%y%m%d}-{secrets.token_hex(4)}",
            unit_id=unit.unit_id,
            at=at,
            key=change.key,
            before=before,
            after=change.after,
            is_secret=is_secret or self._holds_secret(before or "") or self._holds_secret(change.after),
            limit=ONE_WAY if is_one_way else backup.excluded.get(change.key) or ("" if before is not None else UNKNOWN),
            driver_id=session.driver_id,
            claims=strong(unit.identity),
        )
        if edit.is_secret and before:
            self._vault.set(entry(edit.id), Secret(before))
        self._store.edits.add(edit)
        return edit

    def _holds_secret(self, value: str) -> bool:
        return sealing.holds_password(value) or self._vault.redact(value) != value

    async def _guarded(self, edit: Edit, key: str, work: Awaitable[WriteResult]) -> WriteResult:
        """Carry out a write that stands on disk; whoever asked for it may go away meanwhile."""

        async def carried_out() -> WriteResult:
            try:
                return await work
            finally:
                self._running.discard(edit.id)
                self._publish(edit.id)

        self._running.add(edit.id)
        self._publish(edit.id)
        return await to_the_end(self._scope, f"edit {key}", carried_out())

    async def _write(self, edit: Edit, session: Session, change: Change) -> WriteResult:
        try:
            result = await _written(session, change)
        except Refused as error:
            self._settle(replace(edit, state=EditState.REFUSED, note=_said(error)))
            raise
        except AppError as error:
            self._settle(replace(edit, note=_said(error)))
            raise
        state = EditState.DONE if result.is_accepted else EditState.REFUSED
        note = _outcome(change, result)
        if edit.is_secret and edit.before and state is EditState.DONE and not self._vault.is_persistent:
            note = f"{note} {FLEETING}"
        self._settle(replace(edit, state=state, read_back=result.read_back, note=note))
        return result

    def _way_back(self, edit: Edit) -> Change:
        before = edit.before or ""
        if edit.is_secret and before:
            secret = self._vault.get(entry(edit.id))
            if secret is None:
                raise JobError(
                    f"The old value of “{edit.key}” is not on this computer any more (it has no keyring).",
                    "Set it by hand if you know it.",
                )
            before = secret.reveal()
        return Change(key=edit.key, before=None, after=before, is_secret=edit.is_secret, reason="as it was found")

    async def _write_back(self, edit: Edit, session: Session, change: Change) -> WriteResult:
        try:
            result = await _written(session, change)
            if not result.is_accepted:
                raise ValueRejected(
                    f"The charger refused the old value of “{edit.key}”. {result.note}".strip(),
                    "It may be locked or in use; try again later.",
                )
            if result.read_back not in (None, change.after):
                raise VerifyFailed(
                    f"The old value of “{edit.key}” was written, but the charger holds something else.",
                    "It may need a restart first. Read the settings again.",
                )
        except (Refused, VerifyFailed) as error:
            self._settle(replace(edit, note=f"Not undone. {_said(error)}"))
            raise
        except AppError as error:
            self._settle(replace(edit, state=EditState.INTENDED, note=f"{RETURNING} {_said(error)}"))
            raise
        state = EditState.UNDONE
        self._settle(replace(edit, state=state, read_back=result.read_back, note=_outcome(change, result)))
        return result

    def _settle(self, edit: Edit) -> None:
        note = self._vault.redact(edit.note)
        if edit.is_secret:
            note = Secret(edit.after).redact(note)
        self._store.edits.settle(replace(edit, note=note[:TEXT_LIMIT]))

    def _publish(self, edit_id: str) -> None:
        edit = self._store.edits.get(edit_id)
        if edit is not None:
            self.changes.publish(self._marked(edit))

    def _marked(self, edit: Edit) -> Edit:
        return replace(edit, is_running=edit.id in self._running)


async def _same_unit(session: Session, title: str, known: frozenset[Claim]) -> None:
    if not known or not session.has(Identifies):
        return
    found = await session.ask(Identifies).identify()
    if conflicts(known, strong(found)):
        raise StepBlocked(
            f"Another charger answers at {session.address} now: serial {found.serial}. Nothing was written.",
            f"Look for {title} again; its address may have changed, or two have one identity.",
        )


def _need_consent(present: Setting | None, *, has_consent: bool) -> None:
    if present is not None and present.caution and not has_consent:
        raise StepBlocked(
            f"“{present.label or present.key}” is not written without consent: {present.caution}",
            "Write it on the charger's page, where this can be read and accepted.",
        )


def _need_untouched(edit: Edit, present: Setting | None) -> None:
    """Raise JobError where somebody else changed the value since; what a masked value was can't be compared."""
    if edit.is_secret or present is None or not present.is_readable or present.value is None:
        return
    if present.value not in (edit.before, edit.after, edit.read_back):
        raise JobError(
            f"“{edit.key}” was changed since by something else: a job, the vendor's app or cloud. Nothing was written.",
            "Read the settings, and set the value you want there.",
        )


async def _present(session: Session, key: str) -> Setting | None:
    """Read what the charger holds now, just before it is changed."""
    if session.has(ReadsOneSetting):
        return await session.ask(ReadsOneSetting).read_setting(key)
    return (await session.ask(ReadsSettings).read_settings()).get(key)


async def _written(session: Session, change: Change) -> WriteResult:
    """Write, and ask once more where the write itself did not tell what is held now."""
    result = await session.ask(WritesSettings).write_setting(change)
    result = replace(result, needs_restart=result.needs_restart or change.needs_restart)
    if not result.is_accepted or result.read_back is not None or not session.has(ReadsOneSetting):
        return result
    try:
        again = await session.ask(ReadsOneSetting).read_setting(change.key)
    except AppError:
        return result
    return replace(result, read_back=again.value) if again is not None and again.is_readable else result


def _said(error: AppError) -> str:
    return f"{error.message} {error.advice}".strip()


def _outcome(change: Change, result: WriteResult) -> str:
    """Say what is known after a write, without any value."""
    if not result.is_accepted:
        return result.note or "The charger refused it."
    if result.read_back is None:
        known = "Accepted; it can't be read back."
    elif result.read_back == change.after:
        known = "Read back and equal."
    else:
        known = "Accepted, but the charger holds something else."
    return f"{known} {RESTART}" if result.needs_restart else known
