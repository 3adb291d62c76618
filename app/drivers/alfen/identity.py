"""Who an Alfen station is: ``GET /api/info`` answers without a login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.driver.web import PROBE_LIMIT, PROBE_S, text_of
from app.errors import Garbled
from app.links.link import HttpLink
from app.model.profile import Profile
from app.model.unit import Claim, ClaimKind, Identity, claim

FIELDS = ("Identity", "FWVersion", "Model", "ObjectId", "Type")
"""All of them, as texts, make an Alfen (leeyuentuen/alfen_wallbox, alfen.py, AlfenDeviceInfo)."""

SOCKET_LIMIT = 2


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask the one call that needs no login; ``None`` for anything that lacks one of the five fields."""
    answer = await http.request("GET", "/api/info", timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if answer.status != 200:
        return None
    try:
        info = answer.json()
    except Garbled:
        return None
    return identity_of(info, profile) if is_info(info) else None


def is_info(info: object) -> bool:
    """Say whether this is what an Alfen tells of itself."""
    if not isinstance(info, dict) or not all(isinstance(info.get(field), str) for field in FIELDS):
        return False
    return bool(info["ObjectId"] and info["Model"])


def identity_of(info: Mapping[str, Any], profile: Profile, mac: str = "") -> Identity:
    """Return what the station says of itself. The object id is its serial number, in OCPP too (2051_0)."""
    serial = text_of(info, "ObjectId")
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, mac))
    return Identity(
        vendor="Alfen",
        model=text_of(info, "Model"),
        serial=serial,
        firmware=text_of(info, "FWVersion"),
        mac=mac,
        name=text_of(info, "Identity"),
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
        extra={"sockets": str(sockets_of(info))},
    )


def sockets_of(info: Mapping[str, Any]) -> int:
    """Return how many cars it serves: the first part of ``Type`` (pbasista/alfenctl, transport.py)."""
    head = text_of(info, "Type").partition(".")[0]
    return min(max(int(head), 1), SOCKET_LIMIT) if head.isascii() and head.isdigit() else 1
