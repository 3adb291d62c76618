"""What can be told of the Wi-Fi networks around this computer, and which of them is a charger's own access point."""

from __future__ import annotations

from dataclasses import dataclass

from app.model.address import NetAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Airwaves:
    """What the system tells of Wi-Fi. Names come over the air from anybody: never render them as markup."""

    joined: tuple[str, ...] = ()
    """The networks this computer is on."""
    nearby: tuple[str, ...] = ()
    """The other ones it has heard lately."""
    trouble: str = ""
    """What can't be told and why; empty where the system told."""
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HotspotHint:
    """A network that may be a charger's own access point. It is a hint: only an answer tells who it is.

    ``ssid`` is empty where only the address of this computer speaks for it, ``address`` is ``None`` while this
    computer has no address there.
    """

    ssid: str
    profile_ids: tuple[str, ...]
    address: NetAddress | None
    is_joined: bool
    text: str
