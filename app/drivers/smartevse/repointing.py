"""Read and render where the charger dials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.driver.measuring import at
from app.drivers.smartevse.parameters import IDENTITY, KEY, MODE, URL, is_on, sent
from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.setting import Change, Snapshot

REASONS = {
    MODE: "OCPP must be on before the charger takes the rest.",
    KEY: "The backend's password.",
    IDENTITY: "The identity under which the backend knows this charger.",
    URL: "The new backend. The charger dials it as soon as it is written.",
}


def backend_of(found: Mapping[str, Any]) -> Backend:
    """Return the backend as configured; while OCPP is off the charger tells none."""
    if not is_on(found):
        return Backend(url="", identity="")
    url, identity, key = (_text(found, field) for field in ("backend_url", "cb_id", "auth_key"))
    basic = SecurityProfile.TLS_BASIC if url.lower().startswith("wss:") else SecurityProfile.BASIC
    profile = basic if key else SecurityProfile.NONE
    return Backend(url=url, identity=identity, security_profile=profile, secret=Secret(key))


def _text(found: Mapping[str, Any], field: str) -> str:
    value = at(found, ("ocpp", field))
    return value if isinstance(value, str) else ""


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order: the switch first, the address last."""
    changes = []
    for order, (key, value) in enumerate(_wanted(backend, profile).items()):
        before = snapshot.get(key)
        if before is None or not before.is_readable or before.value != value:
            was = before.value if before else None
            changes.append(
                Change(key=key, before=was, after=value, is_secret=key == KEY, order=order, reason=REASONS[key])
            )
    return tuple(changes)


def _wanted(backend: Backend, profile: Profile) -> dict[str, str]:
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported(
            "This charger can't show a certificate of its own to the backend.", "Use security profile 1 or 2."
        )
    if backend.url.partition(":")[0].lower() not in (profile.url.schemes if profile.url else ("ws", "wss")):
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_key = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    key = backend.secret.reveal() if wants_key else ""
    limit = profile.url.secret_limit_bytes if profile.url else None
    if limit is not None and len(key.encode()) > limit:
        raise ValueRejected(
            f"The password has {len(key.encode())} bytes; this charger holds at most {limit} and would keep its old "
            "one without a word.",
            f"Let the backend's operator set a password of at most {limit} characters for this charger.",
        )
    wanted = {MODE: "true", KEY: key, IDENTITY: backend.identity, URL: backend.url}
    for name, value in wanted.items():
        sent(name, value)
    return wanted
