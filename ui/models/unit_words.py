"""The closed values of a charger in words: whom it serves, how it is, where it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.model.address import JuiceAddress, OcppAddress
from app.model.unit import Adoption, Health, SourceKind, Unit
from ui.i18n import worded

if TYPE_CHECKING:
    from app.service.desk import BridgeDesk


@dataclass(frozen=True, slots=True)
class Words:
    """How a closed value is shown: word, icon, tone of the theme, and what it means."""

    word: str
    icon: str
    tone: str
    sense: str = ""

    @property
    def text(self) -> str:
        """Return the word on screen."""
        return worded(self.word)

    @property
    def meaning(self) -> str:
        """Return what it means, for tool tips."""
        return worded(self.sense) if self.sense else ""


ADOPTION = {
    Adoption.ORPHANED: Words("Orphaned", "unplug", "fault", "It dials a backend that does not answer it."),
    Adoption.FREE: Words("Free", "circle-dashed", "attention", "It has no backend, or OCPP is switched off."),
    Adoption.UNKNOWN: Words("Unknown", "circle-help", "idle", "Not known yet whom it serves."),
    Adoption.MANAGED: Words("Managed by another", "building", "working", "It is connected to a backend not ours."),
    Adoption.OURS: Words("Ours", "badge-check", "good", "It dials our endpoint or a backend of this site."),
}
"""In the order in which a technician cares."""

HEALTH = {
    Health.GOOD: Words("Healthy", "circle-check", "good"),
    Health.ATTENTION: Words("Needs attention", "triangle-alert", "attention"),
    Health.FAULT: Words("Fault", "octagon-x", "fault"),
    Health.UNKNOWN: Words("Health unknown", "circle-dashed", "idle"),
}

SOURCES = {
    SourceKind.MDNS: Words("mDNS", "wifi", "text2", "announced on the network"),
    SourceKind.SERIAL: Words("Serial", "usb", "text2", "on a serial port"),
    SourceKind.DIAL_IN: Words("Dial-in", "radio-tower", "text2", "dialled our endpoint"),
    SourceKind.BROADCAST: Words("Broadcast", "radio", "text2", "answered a question to everybody"),
    SourceKind.LAN: Words("LAN", "network", "text2", "asked for on this network"),
    SourceKind.BLUETOOTH: Words("Bluetooth", "bluetooth", "text2", "advertises itself over Bluetooth"),
    SourceKind.JUICENET: Words("JuiceNet", "radio-tower", "text2", "sends us its JuiceNet datagrams"),
    SourceKind.MANUAL: Words("By hand", "keyboard", "text2", "added by its address"),
}


def bridged_as(desk: BridgeDesk, unit: Unit) -> str:
    """Return the identity under which our own running bridge brings a unit to our endpoint; empty for any other."""
    if not desk.is_running:
        return ""
    ways = (way.address for way in unit.ways if way.is_present)
    identity = next((address.identity for address in ways if isinstance(address, OcppAddress)), "")
    return identity if identity and any(choice.identity == identity for choice in desk.choices) else ""


def box_of(unit: Unit) -> str:
    """Return the serial under which a JuiceBox sends to us now; empty for every other charger."""
    ways = (way.address for way in unit.ways if way.is_present)
    return next((address.box_id for address in ways if isinstance(address, JuiceAddress)), "")
