"""Read and render where the charger dials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.driver.web import text_of
from app.drivers.warp.objects import CONFIG, SLOT, descriptions
from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.setting import Change, Snapshot

REASONS = {
    f"{SLOT}/enabled": "The charging slot of OCPP must be on: without it the backend may not control the charge.",
    f"{CONFIG}/identity": "The identity under which the backend knows this charger.",
    f"{CONFIG}/pass": "The backend's password.",
    f"{CONFIG}/enable_auth": "Whether the charger shows a password.",
    f"{CONFIG}/enable": "OCPP must be switched on.",
    f"{CONFIG}/url": "The new backend. The charger adds a slash and its identity.",
}
HEX_NOTE = " It has 40 hexadecimal digits: the charger may send the 20 bytes they stand for instead."
AUTHORITY_NOTE = " It trusts the certificate stored in it under number {} alone."


def backend_of(config: Mapping[str, Any]) -> Backend:
    """Return the backend as configured; the charger never tells its password."""
    url = text_of(config, "url")
    basic = SecurityProfile.TLS_BASIC if url.lower().startswith("wss:") else SecurityProfile.BASIC
    profile = basic if config.get("enable_auth") is True else SecurityProfile.NONE
    return Backend(url=url, identity=text_of(config, "identity"), security_profile=profile)


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order: the slot first, as its own web page does, and the address last."""
    wanted = _wanted(backend, profile)
    changes = []
    for order, (key, value) in enumerate(wanted.items()):
        before = snapshot.get(key)
        if before is None and key.startswith(SLOT):
            continue
        if before is None:
            raise NotSupported(
                f"This firmware has no setting “{key}”.", "Update the firmware on the charger's own web page first."
            )
        if before.is_readable and before.value == value:
            continue
        changes.append(
            Change(
                key=key,
                before=before.value,
                after=value,
                is_secret=key.endswith("/pass"),
                needs_restart=before.needs_restart,
                order=order,
                reason=REASONS[key] + _note(key, value, snapshot),
            )
        )
    return tuple(changes)


def _wanted(backend: Backend, profile: Profile) -> dict[str, str]:
    """Return the values in write order. Raises ValueRejected or NotSupported."""
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported(
            "This charger can't show a certificate of its own to the backend.", "Use security profile 1 or 2."
        )
    if backend.url.partition(":")[0].lower() not in (profile.url.schemes if profile.url else ("ws", "wss")):
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_login = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    # always a slash of its own before the identity: one at the end of the address would stand there twice
    wanted = {f"{SLOT}/enabled": "true", f"{CONFIG}/identity": backend.identity}
    if wants_login:
        wanted[f"{CONFIG}/pass"] = backend.secret.reveal()
    wanted |= {f"{CONFIG}/enable_auth": "true" if wants_login else "false", f"{CONFIG}/enable": "true"}
    wanted[f"{CONFIG}/url"] = backend.url.rstrip("/")
    for key, value in wanted.items():
        _fits(key, value)
    return wanted


def _fits(key: str, value: str) -> None:
    known, size = descriptions()[key], len(value.encode())
    if known.limit is not None and size > known.limit:
        raise ValueRejected(
            f"“{known.label}” has {size} bytes; this charger keeps {known.limit}.",
            f"Let the backend's operator give one of at most {known.limit} characters.",
        )


def _note(key: str, value: str, snapshot: Snapshot) -> str:
    if key.endswith("/pass") and re.fullmatch(r"[0-9A-Fa-f]{40}", value):
        return HEX_NOTE
    trusted = snapshot.get(f"{CONFIG}/cert_id")
    if key.endswith("/url") and value.lower().startswith("wss:") and trusted and trusted.value not in (None, "-1"):
        return AUTHORITY_NOTE.format(trusted.value)
    return ""
