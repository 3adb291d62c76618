"""Read and render where an EVerest dials: network profiles as a JSON text, and the order in which they are tried.

Source: EVerest/everest-core lib/everest/ocpp/config, lib/everest/ocpp/lib/ocpp/common/websocket/websocket_uri.cpp,
docs/source/reference/EVerest_API/ocpp_consumer_API.yaml (lengths), OCPP 2.0.1 B09, B10.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile, redact_url
from app.model.setting import Change, Snapshot

PROFILES = "InternalCtrlr.NetworkConnectionProfiles"
ALLOW_ZERO = "InternalCtrlr.AllowSecurityLevelZeroConnections"
PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
ACTIVE = "OCPPCommCtrlr.ActiveNetworkProfile"
IDENTITY = "SecurityCtrlr.Identity"
PASSWORD = "SecurityCtrlr.BasicAuthPassword"

VALUE_LIMIT = 1000
"""SetVariableRequest.value, maxLength."""
PASSWORD_LENGTH = (16, 40)
MAX_SLOT = 32

REASONS = {
    PASSWORD: "The password of the new backend. It can't be read back.",
    IDENTITY: "The identity under which the backend knows this charger.",
    ALLOW_ZERO: "A backend without password and TLS is refused otherwise.",
    PROFILES: "The new backend, in a slot that is not in use. The present one stays as it is.",
    PRIORITY: "The new backend first, the present one after it. Counts from the next restart on.",
}

Slots = Mapping[int, Mapping[str, Any]]


def slots_of(text: str | None) -> dict[int, dict[str, Any]]:
    """Read the network profiles: slot → connection data; raises NotSupported where they have another form."""
    try:
        held = json.loads(text or "[]")
    except (ValueError, RecursionError) as error:
        raise _strange() from error
    if not isinstance(held, list):
        raise _strange()
    found: dict[int, dict[str, Any]] = {}
    for item in held[:MAX_SLOT]:
        slot, data = (item.get("configurationSlot"), item.get("connectionData")) if isinstance(item, dict) else (0, 0)
        if not isinstance(slot, int) or not isinstance(data, dict):
            raise _strange()
        found[slot] = data
    return found


def order_of(text: str | None) -> list[int]:
    """Read the order of slots."""
    return [int(part) for part in (text or "").split(",") if part.strip().isdecimal() and len(part.strip()) < 5]


def backend_of(held: Mapping[str, str | None]) -> Backend | None:
    """Return where it dials after its next restart; ``None`` where it has no network profile."""
    slots, order = slots_of(held.get(PROFILES)), order_of(held.get(PRIORITY))
    data = next((slots[slot] for slot in order if slot in slots), None)
    if data is None:
        return None
    level = data.get("securityProfile")
    return Backend(
        url=redact_url(str(data.get("ocppCsmsUrl", ""))[:2000]).rstrip("/"),
        identity=held.get(IDENTITY) or "",
        security_profile=SecurityProfile(level) if isinstance(level, int) and 0 <= level <= 3 else SecurityProfile.NONE,
    )


def planned(backend: Backend, snapshot: Snapshot) -> tuple[Change, ...]:
    """Return the changes in write order: credential, identity, slot, order. Raises ValueRejected, NotSupported."""
    held = {setting.key: setting.value for setting in snapshot.settings}
    if PROFILES not in held or PRIORITY not in held:
        raise NotSupported(
            "This EVerest has no network profiles: it runs OCPP 1.6, or hides them.",
            "Move it over OCPP while it dials our endpoint, or in its configuration file.",
        )
    _must_be_possible(backend, held)
    slots, order = slots_of(held[PROFILES]), order_of(held[PRIORITY])
    slot = _free(slots, order, held.get(ACTIVE), backend)
    wanted: dict[str, str] = {}
    if backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        wanted[PASSWORD] = backend.secret.reveal()
    if backend.identity and IDENTITY in held:
        wanted[IDENTITY] = backend.identity
    if backend.security_profile is SecurityProfile.NONE and ALLOW_ZERO in held:
        wanted[ALLOW_ZERO] = "true"
    wanted[PROFILES] = _with(slots, slot, _data(slots, order, backend))
    wanted[PRIORITY] = ",".join(str(item) for item in (slot, *(item for item in order if item != slot)))
    return tuple(
        Change(
            key=key,
            before=held.get(key),
            after=value,
            is_secret=key == PASSWORD or (key == PROFILES and "assword" in f"{held[key]}{value}"),
            needs_restart=True,
            order=place,
            reason=REASONS[key],
        )
        for place, (key, value) in enumerate(wanted.items())
        if held.get(key) != value
    )


def must_fit(key: str, value: str) -> None:
    """Raise ValueRejected where the API does not take a value of this length."""
    if key == PASSWORD and not PASSWORD_LENGTH[0] <= len(value) <= PASSWORD_LENGTH[1]:
        raise ValueRejected(
            f"A password here has {PASSWORD_LENGTH[0]} to {PASSWORD_LENGTH[1]} characters; this has {len(value)}.",
            "Let the backend's operator give another password.",
        )
    if len(value) > VALUE_LIMIT:
        raise ValueRejected(
            f"“{key}” would be {len(value)} characters long; the API takes {VALUE_LIMIT}.",
            "Take unused network profiles out first, or use a shorter address.",
        )


def is_same(one: str | None, other: str) -> bool:
    """Say whether two values are the same; JSON may be spaced and ordered differently."""
    if one == other or one is None:
        return one == other
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False


def _must_be_possible(backend: Backend, held: Mapping[str, str | None]) -> None:
    level = backend.security_profile
    if backend.is_tls is not (level >= SecurityProfile.TLS_BASIC):
        raise ValueRejected(
            f"Address and security profile {int(level)} don't fit: profiles 0 and 1 need ws://, 2 and 3 wss://.",
            "EVerest refuses to start its OCPP module with such a pair. Correct the address or the profile.",
        )
    if level in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        must_fit(PASSWORD, backend.secret.reveal())
    if backend.identity and IDENTITY not in held:
        raise ValueRejected("This EVerest does not show its identity.", "Set it in its configuration.")


def _free(slots: Slots, order: Sequence[int], active: str | None, backend: Backend) -> int:
    used = {*order, *order_of(active)}
    mine = [slot for slot, data in slots.items() if str(data.get("ocppCsmsUrl", "")).rstrip("/") == backend.url]
    for slot in (*(item for item in mine if item not in used), *(item for item in slots if item not in used)):
        return slot
    return next(slot for slot in range(1, MAX_SLOT + 2) if slot not in slots and slot not in used)


def _data(slots: Slots, order: Sequence[int], backend: Backend) -> dict[str, Any]:
    """Return the new slot's data: transport, interface and version as in the slot in use."""
    usual = {"messageTimeout": 30, "ocppInterface": "Wired0", "ocppTransport": "JSON", "ocppVersion": "OCPP20"}
    base = next((slots[slot] for slot in order if slot in slots), usual)
    kept = {key: value for key, value in base.items() if key in usual or key == "apn"}
    return kept | {"ocppCsmsUrl": backend.url, "securityProfile": int(backend.security_profile)}


def _with(slots: Slots, slot: int, data: Mapping[str, Any]) -> str:
    merged = {**slots, slot: data}
    listed = [{"configurationSlot": number, "connectionData": held} for number, held in sorted(merged.items())]
    text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False)
    must_fit(PROFILES, text)
    return text


def _strange() -> NotSupported:
    return NotSupported("Its network profiles have a form that is not known.", "Set them in EVerest's own files.")
