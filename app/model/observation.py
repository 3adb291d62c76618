"""What our endpoint observes and diagnosis judges: evidence that is neither a handshake, a knock nor a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from app.model.finding import Finding
from app.model.frame import Boot, Frame, Handshake, Knock


@dataclass(frozen=True, slots=True, kw_only=True)
class BootSeen:
    """A BootNotification came over a connection."""

    handshake: Handshake
    boot: Boot


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsetClock:
    """A message carries a time stamp that can't be true. ``stamp`` is that text."""

    action: str
    stamp: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbooted:
    """A connection went ``waited_s`` without BootNotification; ``heard`` are the actions that came instead."""

    waited_s: float
    heard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateless:
    """A booted connection went ``waited_s`` without any StatusNotification."""

    waited_s: float


Observation = Handshake | Knock | Frame | BootSeen | UnsetClock | Unbooted | Stateless
Judge = Callable[[Observation], Iterable[Finding]]
"""Turns an observation into findings; frames come only when they have notes."""


def no_opinion(_: Observation) -> Iterable[Finding]:
    """Find nothing."""
    return ()
