"""Read and render where the charger dials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import ValueRejected
from app.model.backend import Backend, SecurityProfile, redact_url, split_url
from app.model.profile import Profile
from app.model.setting import Change, Snapshot

BACKEND_KEYS = ("ocppu", "ocppe", "ocppcc")

REASONS = {
    "ocppg": "The backend's certificate is checked with the built-in list of public authorities.",
    "ocppe": "OCPP must be switched on.",
    "ocppu": "The new backend, the identity as its last part. The charger dials it within seconds.",
}


def backend_of(values: Mapping[str, Any]) -> Backend | None:
    """Return the backend as configured; ``None`` where this firmware has none."""
    if not isinstance(values.get("ocppu"), str):
        return None
    url, identity = split_url(redact_url(values["ocppu"]))
    has_own = bool(values.get("ocppcc")) and url.lower().startswith("wss:")
    profile = SecurityProfile.TLS_CLIENT if has_own else SecurityProfile.NONE
    return Backend(url=url, identity=identity, security_profile=profile)


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order, the address last. Raises ValueRejected, naming what can't be."""
    held = {setting.key: setting.value for setting in snapshot.settings}
    _must_be_possible(backend, held, profile)
    wanted = {"ocppe": "true", "ocppu": backend.full_url}
    if backend.is_tls and _checks_nobody(held):
        wanted = {"ocppg": "true", **wanted}
    return tuple(
        Change(key=key, before=held.get(key), after=value, order=order, reason=REASONS[key])
        for order, (key, value) in enumerate(wanted.items())
        if held.get(key) != value
    )


def _checks_nobody(held: Mapping[str, str | None]) -> bool:
    """Say whether it has nothing to check a backend's certificate with, though it is to check it."""
    return held.get("ocppg") == "false" and held.get("ocppss") != "true" and not held.get("ocppsc")


def _must_be_possible(backend: Backend, held: Mapping[str, str | None], profile: Profile) -> None:
    if "ocppu" not in held:
        raise ValueRejected(
            "This firmware knows no OCPP (there is no “ocppu”).",
            "Update the charger in its app: OCPP came with firmware 054. Then begin again.",
        )
    if backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        raise ValueRejected(
            "This charger has no place for a backend password: security profiles 1 and 2 are not possible.",
            "Let the backend's operator take this charger without a password, over wss:// if they can, or with a "
            "client certificate (security profile 3).",
        )
    if backend.security_profile is SecurityProfile.TLS_CLIENT and not held.get("ocppcc"):
        raise ValueRejected(
            "Security profile 3 needs a certificate of the charger's own, and this one holds none.",
            "Put certificate and key into “ocppcc” and “ocppck” under Settings first.",
        )
    schemes = profile.url.schemes if profile.url else ("ws", "wss")
    if backend.url.partition(":")[0].lower() not in schemes:
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
