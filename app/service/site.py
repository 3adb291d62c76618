"""A site's file, as values: which units are bridged to which backend, and what stands in on its network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from app.bridge.station import Start
from app.model.backend import SecurityProfile
from app.model.secret import Secret

JUICENET_PORTS = (8042, 8043, 8047, 8051, 8055, 9004)
"""Where JuiceBoxes send (chargers-commercial 1.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlan:
    """A backend of the file (``[backend.<name>]``). ``version``: ``1.6`` or ``2.0.1``."""

    name: str
    url: str
    version: str = "1.6"
    security_profile: SecurityProfile = SecurityProfile.NONE
    roots: tuple[str, ...] = ()
    """PEM texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPlan:
    """What boxes and relays have in common."""

    identity: str
    backend: str
    secret: Secret = field(default_factory=lambda: Secret(""))
    is_hex: bool = False
    chain: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxPlan(UnitPlan):
    """A JuiceBox (``[[box]]``). ``circuit_a``: the highest continuous current its circuit allows, in A."""

    box_id: str
    circuit_a: float
    start: Start = Start.REMOTE
    id_tag: str = ""
    is_revived: bool = False
    """A person confirmed that a box left at 0 A shall charge again."""
    lifts_known: bool = False
    """A person confirmed that limits it reported do not come from its wiring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPlan(UnitPlan):
    """An OCPP unit (``[[relay]]``). ``identity`` is what the backend sees, ``unit_identity`` what the unit says."""

    unit_identity: str
    unit_secret: Secret = field(default_factory=lambda: Secret(""))
    adds_boot: bool = True
    watches_only: bool = False
    """Passes everything on as it is, both ways, the backend's commands too; adds, changes, holds and asks nothing."""
    without: tuple[str, ...] = ()
    """Codes of corrections that are forbidden (``resources/bridge/corrections.toml``)."""
    vendor: str = ""
    """For the BootNotification of a unit that never sent one: with ``model``."""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandPlan:
    """What stands in on the site's network (``[standin]``). Everything is off unless it is named."""

    dns: bool = False
    name_sets: tuple[str, ...] = ()
    forward_to: str = ""
    """Other names are asked there; empty = refused."""
    ntp: bool = False
    web: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """The whole file. ``address`` is that of the one adapter everything is bound to."""

    name: str
    address: str
    folder: Path
    """Where state and records are kept."""
    backends: tuple[BackendPlan, ...] = ()
    boxes: tuple[BoxPlan, ...] = ()
    relays: tuple[RelayPlan, ...] = ()
    standin: StandPlan = field(default_factory=StandPlan)
    juicenet_ports: tuple[int, ...] = JUICENET_PORTS
    relay_port: int = 9000
    status_host: str = "127.0.0.1"
    status_port: int = 9180
    keep_days: int = 30
    """How long recordings are kept."""
