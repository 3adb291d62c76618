"""What an endpoint needs from its server, as values and protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from app.feed import Feed
from app.model.finding import Finding
from app.model.frame import Frame
from app.model.observation import Ended, Judge
from app.model.reading import Sampled
from app.model.setting import Setting
from app.ocpp.devicemodel import Variable
from app.ocpp.events import IdToken
from app.ocpp.manner import Manner
from app.ocpp.times import Times as Times
from app.scope import Scope

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

Answerer = Callable[["Endpoint", Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Answers one action instead of the built-in answer; may take its time."""
Replier = Callable[["Endpoint", Mapping[str, Any]], dict[str, Any] | None]
"""Answers one action at once; ``None`` = the built-in answer shall be given."""
Authoriser = Callable[[str, IdToken], str]
"""Says what becomes of an identity's id token: an AuthorizationStatus (OCPP 1.6 §7.2, P2-201 §3.4)."""


def accept_all(identity: str, token: IdToken) -> str:  # noqa: ARG001 - an Authoriser's signature
    """Accept every token: a technician's endpoint refuses no car."""
    return "Accepted"


@dataclass(slots=True)
class Habits:
    """What was learnt about an identity and outlives its connections."""

    chokes_on_all: bool = False
    """It dropped or fell silent on GetConfiguration without keys (ABB): ask key by key."""
    single_only: bool = False
    """It refused or ignored a question for several keys."""
    max_keys: int = 0
    """GetConfigurationMaxKeys as it reported it; 0 = unknown."""
    settings: dict[str, Setting] | None = None
    """Its whole configuration as last read on this connection."""
    addresses: dict[str, Setting] = field(default_factory=dict)
    """The keys it reported earlier, or when it was asked for the address keys alone."""
    is_looked: bool = False
    """It was asked for the address keys on this connection."""
    limits: dict[str, int] = field(default_factory=dict)
    """ItemsPerMessage and BytesPerMessage of a 2.x station by message, as it told them (part 1 §4.5)."""
    has_asked_limits: bool = False
    """It was asked for its limits on this connection."""
    model: tuple[Variable, ...] | None = None
    """The device model of a 2.x station as reported on this connection."""
    slots: dict[int, str] = field(default_factory=dict)
    """The addresses that a 2.x station accepted for its network profiles; in 2.0.1 it never tells them."""

    def forget_values(self) -> None:
        """Doubt the values that may have changed while it was away; which keys it has, and can bear, stays known."""
        self.addresses = {**self.addresses, **(self.settings or {})}
        self.settings, self.is_looked, self.model, self.has_asked_limits = None, False, None, False


class Host(Protocol):
    """The server, seen from an endpoint."""

    frames: Feed[Frame]
    samples: Feed[Sampled]
    findings: Feed[Finding]
    judge: Judge
    times: Times
    scope: Scope
    answerers: dict[str, Answerer]
    repliers: dict[str, Replier]
    authorise: Authoriser

    def manner(self, identity: str) -> Manner:
        """Return how an identity is treated."""
        ...

    def next_seq(self) -> int:
        """Number a frame."""
        ...

    def now(self) -> datetime:
        """Tell the time (UTC)."""
        ...

    def booted(self, endpoint: Endpoint) -> None:
        """Learn that an endpoint has (again) said who it is."""
        ...

    def ended(self, endpoint: Endpoint, ended: Ended) -> None:
        """Learn that an endpoint's connection is over."""
        ...
