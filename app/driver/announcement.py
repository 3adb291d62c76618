"""Read who a unit is from its mDNS announcement alone (RFC 6763): its texts are claims of a stranger, kept short."""

from __future__ import annotations

from collections.abc import Mapping

from app.model.profile import Profile
from app.model.unit import ClaimKind, Identity, Sighting, SourceKind, claim

SHARED = frozenset({"_ship._tcp", "_http._tcp"})
"""Service types of many makers (SHIP is EEBUS): there the announcement must name the maker."""

VENDOR = ("brand", "vendor", "manufacturer")
MODEL = ("model", "model_type")
SERIAL = ("serial_number", "serial")
NAME = ("device_name",)
IDENTITY = ("id",)
"""Keys of the TXT record: SHIP (brand, model, id) and what makers add."""

LIMIT = 80


def announced(sighting: Sighting, profile: Profile) -> Identity | None:
    """Return what an announcement says; ``None`` where it is none of this family, or none at all."""
    hints = sighting.hints
    if sighting.source is not SourceKind.MDNS or hints.get("type", "") not in profile.match.mdns_types:
        return None
    named = " ".join((hints.get("name", ""), _text(hints, VENDOR), _text(hints, IDENTITY))).casefold()
    if hints["type"] in SHARED and profile.vendor.casefold() not in named:
        return None
    serial = claim(ClaimKind.SERIAL, _text(hints, SERIAL))
    return Identity(
        vendor=profile.vendor,
        model=_text(hints, MODEL) or profile.family,
        serial=_text(hints, SERIAL),
        name=_text(hints, NAME) or hints.get("name", "")[:LIMIT],
        profile_id=profile.id,
        claims=(serial,) if serial else (),
    )


def _text(hints: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((hints[f"txt.{key}"][:LIMIT] for key in keys if hints.get(f"txt.{key}")), "")
