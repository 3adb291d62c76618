"""What a search over the local network asks, how far it is, and who answered."""

from __future__ import annotations

from dataclasses import dataclass

from app.model.address import NetAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one driver asks, in words, and where."""

    title: str
    where: str
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A host with an open door: where, its network chip's address, and the unit it turned out to be, if any."""

    host: str
    doors: tuple[NetAddress, ...]
    mac: str = ""
    makers: tuple[str, ...] = ()
    """Charger makers the network chip's address was given to: a hint, never a proof."""
    unit_id: str = ""
    is_open: bool = False
    """Nobody has found out yet who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is. ``rate`` is in connections per second, times in seconds."""

    title: str = ""
    is_running: bool = False
    total: int = 0
    done: int = 0
    answering: int = 0
    skipped: int = 0
    """Addresses of chargers that are known and in reach."""
    took_s: float = 0.0
    left_s: float = 0.0
    rate: float = 0.0
    trouble: str = ""
