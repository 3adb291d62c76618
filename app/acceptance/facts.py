"""What a unit claims of itself, asked before its first case: nothing is sent that it does not offer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.model.frame import Boot, Handshake

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A setting as the unit tells it: 1.6 a key, 2.x ``Component.Variable``. ``value`` ``None`` = not told."""

    value: str | None
    is_readonly: bool = False

    @property
    def items(self) -> frozenset[str]:
        """Read a comma separated list."""
        return frozenset(part.strip() for part in (self.value or "").split(",") if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A unit before its test."""

    identity: str
    version: str
    handshake: Handshake
    boot: Boot | None
    settings: Mapping[str, Claimed] = field(default_factory=dict)
    connectors: tuple[int, ...] = (1,)
    """Connector (1.6) or EVSE (2.x) numbers, without 0."""

    def value(self, key: str) -> str:
        """Return a setting's value, empty where it is not told."""
        found = self.settings.get(key)
        return (found.value or "") if found else ""

    def number(self, key: str) -> float | None:
        """Return a setting's value as a number."""
        try:
            return float(self.value(key))
        except ValueError:
            return None

    def is_on(self, key: str) -> bool:
        """Say whether a switch is on."""
        return self.value(key).strip().lower() == "true"

    def is_writable(self, key: str) -> bool:
        """Say whether the unit has the setting and does not call it read-only."""
        return key in self.settings and not self.settings[key].is_readonly

    @property
    def security_profile(self) -> int:
        """Return the security profile in use: as claimed, else as the connection shows it."""
        claimed = self.number("SecurityProfile")
        if claimed is not None:
            return int(claimed)
        tls = self.handshake.tls
        if tls is None:
            return 1 if self.handshake.has_password else 0
        return 3 if tls.peer is not None else 2

    @property
    def unit(self) -> dict[str, str]:
        """Return who it says it is."""
        boot = self.boot or Boot()
        return {"vendor": boot.vendor, "model": boot.model, "serial": boot.serial, "firmware": boot.firmware}


Gather = Callable[["Endpoint"], Awaitable[Facts]]
"""Asks a unit of one version; raises AppError."""

_GATHERERS: dict[str, Gather] = {}


def gathers(*versions: str) -> Callable[[Gather], Gather]:
    """Register how the facts of units of these versions are asked for."""

    def register(gather: Gather) -> Gather:
        for version in versions:
            _GATHERERS[version] = gather
        return gather

    return register


async def gather(endpoint: Endpoint, version: str) -> Facts:
    """Ask a unit what it claims. Raises LinkLost, TimedOut and whatever else the version's way raises."""
    ask = _GATHERERS.get(version)
    if ask is not None:
        return await ask(endpoint)
    return Facts(identity=endpoint.identity, version=version, handshake=endpoint.handshake, boot=endpoint.ledger.boot)


def claims_setting(key: str) -> Callable[[Facts], str]:
    """Need a setting of that name."""
    return lambda facts: "" if key in facts.settings else f"The unit has no setting {key}."


def can_write(key: str) -> Callable[[Facts], str]:
    """Need a setting that is not read-only."""

    def need(facts: Facts) -> str:
        if key not in facts.settings:
            return f"The unit has no setting {key}."
        return "" if facts.is_writable(key) else f"{key} is read-only on this unit."

    return need
