"""Read and render where the charger dials. Source of the rules: CReimer/evbox-g4-ble const.py and protocol.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from app.errors import ValueRejected
from app.model.backend import Backend, SecurityProfile, redact_url
from app.model.profile import Profile
from app.model.setting import Change, Snapshot

URL = "evb_ServerURL"
USE = "evb_UseBackend"
SERIAL_FLAG = "evb_SerialAsConnectorId"
LIST_FLAG = "evb_ConnectorList"
APN = "evb_APNName"
APN_USER = "evb_APNUser"
APN_PASSWORD = "evb_APNPass"
BOOT = "evb_BootInfo"

URL_LIKE = re.compile(r"wss?://[\x21-\x7e]*/", re.IGNORECASE)
APN_LIKE = re.compile(r"[\x21-\x7e]*")
APN_LIMIT = 126

REASONS = {
    SERIAL_FLAG: "Set for EVBox's own backend only; the app clears it for any other.",
    LIST_FLAG: "Set for EVBox's own backend only; the app clears it for any other.",
    USE: "The connection to a backend must be switched on.",
    URL: "The new backend. The charger puts its own identity behind the last slash.",
}


def backend_of(values: Mapping[str, str | None], serial: str) -> Backend | None:
    """Return the backend as configured; ``None`` where this firmware shows none."""
    if values.get(URL) is None:
        return None
    return Backend(url=redact_url(values[URL] or "").rstrip("/"), identity=serial)


def planned(backend: Backend, snapshot: Snapshot, profile: Profile, serial: str) -> tuple[Change, ...]:
    """Return the changes in write order, the address last. Raises ValueRejected, naming what can't be."""
    held = {setting.key: setting.value for setting in snapshot.settings}
    _must_be_possible(backend, held, serial)
    switches = (key for key in profile.backend_keys if key.holds == "switch")
    wanted = {key.key: key.switched(backend.host) for key in switches}
    wanted[URL] = backend.url.rstrip("/") + "/"
    must_fit(URL, wanted[URL], profile)
    return tuple(
        Change(key=key, before=held.get(key), after=value, order=order, reason=REASONS[key])
        for order, (key, value) in enumerate(wanted.items())
        if key in held and held.get(key) != value
    )


def must_fit(key: str, value: str, profile: Profile) -> None:
    """Raise ValueRejected where the charger can't hold this value."""
    limit = profile.url.limit if profile.url and profile.url.limit else len(value)
    if key == URL:
        _check(key, value, limit, URL_LIKE.fullmatch, "ws:// or wss://, no spaces or accents, a slash at the end")
    elif key in (APN, APN_USER, APN_PASSWORD):
        _check(key, value, APN_LIMIT, APN_LIKE.fullmatch, "no spaces or accents")


def _check(key: str, value: str, limit: int, fits: Callable[[str], object], form: str) -> None:
    if len(value) > limit:
        raise ValueRejected(
            f"“{key}” holds {limit} characters; this would be {len(value)}.", "Ask the backend for a shorter address."
        )
    if not fits(value):
        raise ValueRejected(f"The charger does not take this for “{key}”.", f"Its form: {form}.")


def _must_be_possible(backend: Backend, held: Mapping[str, str | None], serial: str) -> None:
    if URL not in held:
        raise ValueRejected(
            "This charger does not show its backend address over Bluetooth.",
            "Set it with the app EVBox Connect, or over OCPP while it dials our endpoint.",
        )
    if backend.security_profile is not SecurityProfile.NONE:
        raise ValueRejected(
            "No place for a backend password or certificate of its own is known over Bluetooth.",
            "Let the backend's operator take this charger without a password, over wss:// if they can.",
        )
    if serial and backend.identity != serial:
        raise ValueRejected(
            f"This charger has no setting for its identity: it dials as “{serial}”.",
            f"Let the backend's operator register it as “{serial}”, and choose that identity here.",
        )
