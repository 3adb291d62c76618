"""Who a charger is: ``info/name`` and ``info/version``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.driver.web import PROBE_LIMIT, PROBE_S, fingerprint, text_of
from app.errors import AuthFailed
from app.links.link import HttpLink
from app.model.profile import Profile
from app.model.unit import Claim, ClaimKind, Identity, claim

LOGIN_ADVICE = "Enter the user name and password of the charger's own web page (“Credentials”)."
REALM = 'realm="esp32-lib"'
"""The realm of its Digest challenge (software/src/digest_auth.h)."""

DIGITS = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
"""Tinkerforge's base58: its UIDs tell upper from lower case."""
UID_LIMIT = 7
"""A UID has 32 bits."""


def number_of_uid(uid: str) -> int | None:
    """Return a base58 UID as the number that mDNS announces, ``None`` where it is none."""
    if not 0 < len(uid) <= UID_LIMIT or any(digit not in DIGITS for digit in uid):
        return None
    number = 0
    for digit in uid:
        number = number * len(DIGITS) + DIGITS.index(digit)
    return number


def identity_of(
    name: Mapping[str, Any], version: Mapping[str, Any], shown: Mapping[str, Any], profile: Profile
) -> Identity:
    """Return what the unit says of itself. Over OCPP its serial number is the device name."""
    device, uid = text_of(name, "name"), text_of(name, "uid")
    number = number_of_uid(uid)
    claims = (claim(ClaimKind.SERIAL, device), claim(ClaimKind.MCU, f"TF{number}" if number else ""))
    return Identity(
        vendor=profile.vendor,
        model=text_of(name, "display_type") or text_of(name, "type"),
        serial=device,
        firmware=text_of(version, "firmware"),
        name=text_of(shown, "display_name") or device,
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
        extra={"uid": uid},
    )


def is_family(name: Any, profile: Profile) -> bool:
    """Say whether ``info/name`` is that of a unit of this profile: a device name made of its type and its UID."""
    if not isinstance(name, dict) or not profile.match.serial_like:
        return False
    kind, uid, device = (text_of(name, key) for key in ("type", "uid", "name"))
    is_whole = bool(uid) and device == f"{kind}-{uid}"
    return is_whole and re.match(profile.match.serial_like, device, re.IGNORECASE) is not None


async def recognise(http: HttpLink, profile: Profile) -> Identity | None:
    """Ask ``/info/name``, then ``/info/version``; a locked unit is known by its realm and its login page."""
    try:
        name = await fingerprint(http, "/info/name")
    except AuthFailed:
        await _raise_where_locked(http)
        return None
    if not is_family(name, profile):
        return None
    version = await fingerprint(http, "/info/version")
    if not isinstance(version, dict) or not text_of(version, "firmware"):
        return None
    shown = await fingerprint(http, "/info/display_name")
    return identity_of(name, version, shown if isinstance(shown, dict) else {}, profile)


async def _raise_where_locked(http: HttpLink) -> None:
    """Raise AuthFailed where the wall is surely one of this family's."""
    wall = await http.request("GET", "/info/version", timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if wall.status != 401 or REALM not in wall.headers.get("www-authenticate", ""):
        return
    page = await http.request("GET", "/login_state", timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if page.status == 200 and page.body.strip() == b"Not logged in":
        raise AuthFailed("This charger asks for a login.", LOGIN_ADVICE)
