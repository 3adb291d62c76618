"""Read and render where the charger dials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.driver.described import written
from app.drivers.openevse_wifi.authkey import KeyForm, read_key, stored_key
from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot

TOKEN_LIMIT_BYTES = 78
"""``id:key`` whose Base64 still fits ``char extra_headers[128]`` with ``Authorization: Basic `` and CR LF."""

REASONS = {
    "ocpp_authkey": "The backend's password, as this firmware keeps it.",
    "ocpp_chargeBoxId": "The identity under which the backend knows this charger.",
    "ocpp_enabled": "OCPP must be switched on.",
    "ocpp_server": "The new backend. The charger dials it as soon as it is written.",
}


def backend_of(config: Mapping[str, Any], form: KeyForm) -> Backend:
    """Return the backend as configured."""
    url = written(config.get("ocpp_server"))
    secret = read_key(written(config.get("ocpp_authkey")), form)
    tls = url.lower().startswith("wss:")
    basic = SecurityProfile.TLS_BASIC if tls else SecurityProfile.BASIC
    profile = basic if secret else SecurityProfile.NONE
    identity = written(config.get("ocpp_chargeBoxId"))
    return Backend(url=url, identity=identity, security_profile=profile, secret=secret)


def wanted_keys(backend: Backend, form: KeyForm, profile: Profile) -> dict[str, str]:
    """Return the values the keys must have, in write order. Raises ValueRejected or NotSupported."""
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported(
            "This charger can't show a certificate of its own to the backend.", "Use security profile 1 or 2."
        )
    schemes = profile.url.schemes if profile.url else ("ws", "wss")
    if backend.url.partition(":")[0].lower() not in schemes:
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_key = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    secret = backend.secret if wants_key else Secret("")
    stored = stored_key(secret, form)
    token = len(backend.identity.encode()) + 1 + len(secret.reveal().encode())
    if secret and token > TOKEN_LIMIT_BYTES:
        raise ValueRejected(
            f"Identity and password together have {token - 1} bytes; this charger's login line holds at most "
            f"{TOKEN_LIMIT_BYTES - 1}.",
            "Choose a shorter identity or password with the backend's operator.",
        )
    wanted = {"ocpp_authkey": stored} if form is not KeyForm.ABSENT else {}
    return {**wanted, "ocpp_chargeBoxId": backend.identity, "ocpp_enabled": "true", "ocpp_server": backend.url}


def _change(key: str, before: Setting | None, value: str, order: int) -> Change:
    is_secret = key == "ocpp_authkey"
    was = before.value if before else None
    return Change(key=key, before=was, after=value, is_secret=is_secret, order=order, reason=REASONS[key])


def planned(wanted: Mapping[str, str], snapshot: Snapshot) -> tuple[Change, ...]:
    """Return the changes that lead from a snapshot to the wanted values, in write order."""
    changes = []
    for order, (key, value) in enumerate(wanted.items()):
        before = snapshot.get(key)
        if before is None or before.value != value:
            changes.append(_change(key, before, value, order))
    return tuple(changes)
