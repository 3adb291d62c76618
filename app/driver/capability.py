"""What a session may offer: small protocols, asked for one by one. Never ask for a brand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from app.model.backend import Backend
from app.model.mobile import MobileLink
from app.model.reading import Reading, StateChange
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Identity, LinkState


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A charger's present condition. Texts come from the charger."""

    state: str = ""
    """OCPP 1.6 ChargePointStatus word."""
    detail: str = ""
    has_fault: bool = False
    readings: tuple[Reading, ...] = ()
    link: LinkState = LinkState()
    mobile: MobileLink | None = None
    """How its modem stands with its network; ``None`` = it has none, or does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What became of one change. ``read_back`` is ``None`` where the charger can't tell."""

    key: str
    is_accepted: bool
    read_back: str | None = field(default=None, repr=False)
    needs_restart: bool = False
    note: str = ""


@runtime_checkable
class Identifies(Protocol):
    """Says who it is."""

    async def identify(self) -> Identity:
        """Read vendor, model, serial, firmware and claims."""
        ...


@runtime_checkable
class ReportsStatus(Protocol):
    """Says how it is."""

    async def status(self) -> Status:
        """Read the present state and all readings it comes with (SI units, UTC)."""
        ...


@runtime_checkable
class Meters(Protocol):
    """Streams readings and states as they change."""

    def watch(self) -> AsyncIterator[Reading | StateChange]:
        """Yield readings (SI units, UTC) until the session closes. Ends with LinkLost when the link does."""
        ...


@runtime_checkable
class ReadsSettings(Protocol):
    """Shows its configuration."""

    async def read_settings(self) -> Snapshot:
        """Read everything it has, with what can't be restored named in ``excluded``."""
        ...


@runtime_checkable
class WritesSettings(Protocol):
    """Takes configuration."""

    async def write_setting(self, change: Change) -> WriteResult:
        """Write one value and read it back. Raises ValueRejected, Busy, NotSupported."""
        ...


@runtime_checkable
class SetsBackend(Protocol):
    """Can be repointed."""

    async def read_backend(self) -> Backend | None:
        """Read where it dials; ``None`` where it has no backend. The secret is there only if the unit tells it."""
        ...

    async def plan_backend(self, backend: Backend, snapshot: Snapshot) -> Sequence[Change]:
        """Render the exact strings this unit must get, in write order, URL last. Writes nothing.

        Raises ValueRejected where the unit can't hold them (limits, encodings), saying which limit.
        """
        ...


@runtime_checkable
class Reboots(Protocol):
    """Can be restarted."""

    async def restart(self) -> None:
        """Ask for a restart; returns when the unit has taken the order. The session is lost afterwards."""
        ...


@runtime_checkable
class RunsSessions(Protocol):
    """Charges on our command (a unit on our endpoint)."""

    async def start_charging(self, connector: int, tag: str) -> None:
        """RemoteStartTransaction; raises Refused when the unit does not accept."""
        ...

    async def stop_charging(self, connector: int) -> None:
        """RemoteStopTransaction of the running transaction; raises Refused."""
        ...


@runtime_checkable
class ExportsLog(Protocol):
    """Hands out its own log."""

    async def read_log(self) -> str:
        """Return the newest part of the unit's log, at most 256 kB."""
        ...


@runtime_checkable
class ReadsOneSetting(Protocol):
    """Can be asked for a single key."""

    async def read_setting(self, key: str) -> Setting | None:
        """Read one value again; ``None`` = the unit does not know the key."""
        ...


CAPABILITIES: tuple[type, ...] = (
    Identifies,
    ReportsStatus,
    Meters,
    ReadsSettings,
    ReadsOneSetting,
    WritesSettings,
    SetsBackend,
    Reboots,
    RunsSessions,
    ExportsLog,
)
