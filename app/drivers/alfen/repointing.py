"""Where the station dials, and the exact values that make it dial elsewhere.

Firmware without network profiles keeps host and path in two properties; where the station reports a network profile
(``20F0_3``) that is written instead. Nothing is written that the station did not report.
"""

from __future__ import annotations

import urllib.parse

from app.drivers.alfen.registers import AUTHORIZATION_KEY
from app.errors import ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.setting import Change, Snapshot

HOST, PATH, IDENTITY = "2071_1", "2071_2", "2053_0"
METHOD, PROTOCOL = "2077_0", "2082_0"
PROFILE, CPO_NAME = "2723_0", "2722_0"
SLOT_URL, SLOT_PROFILE, SLOT_INTERFACE, SLOT_PRIORITY, SLOT_VERSION = "20F0_3", "20F0_5", "20F0_6", "20F0_E", "20F0_1"

WIRED, MOBILE = "1", "2"
WIRED_INTERFACES = frozenset({"1", "2", "3", "4"})
FIRST = "1"
OCPP_15, OCPP_16 = "2", "3"
"""``20F0_1``, ``20F0_6``, ``20F0_E`` (pbasista/alfenctl, windows-findings.md, ENPSubIds and ENPInterface)."""

ADDRESSES = (HOST, SLOT_URL)
"""One of these must be there for the station to be repointed."""

RAISED = "The station's security profile can be raised, and not lowered again."

REASONS = {
    AUTHORIZATION_KEY: "The backend's password. The station never tells it back, so the old one can't be restored.",
    IDENTITY: "The identity under which the backend knows this charger.",
    METHOD: "The station must use its network cable.",
    PROTOCOL: "OCPP 1.5 is SOAP; the new backend speaks over WebSockets.",
    PATH: "The path of the new backend.",
    HOST: "Host and port of the new backend. Dialled after a restart.",
    SLOT_VERSION: "OCPP 1.5 is SOAP; the new backend speaks over WebSockets.",
    SLOT_INTERFACE: "The first network profile must use the network cable.",
    SLOT_PRIORITY: "The first network profile must be used.",
    SLOT_URL: "The new backend, in the first network profile. Dialled after a restart.",
}


def value_of(snapshot: Snapshot, key: str) -> str:
    """Return a value, empty where the station has none."""
    found = snapshot.get(key)
    return (found.value or "") if found is not None else ""


def backend_of(snapshot: Snapshot) -> Backend | None:
    """Return the backend as configured; ``None`` where the station tells of no address at all."""
    if not any(snapshot.get(key) is not None for key in ADDRESSES):
        return None
    profile = level_of(snapshot)
    identity = value_of(snapshot, IDENTITY)
    if snapshot.get(SLOT_URL) is not None:
        return Backend(url=value_of(snapshot, SLOT_URL), identity=identity, security_profile=profile)
    host, path = value_of(snapshot, HOST), value_of(snapshot, PATH).strip("/")
    if not host:
        return Backend(url="", identity=identity, security_profile=profile)
    if "://" not in host:
        host = f"{'wss' if profile >= SecurityProfile.TLS_BASIC else 'ws'}://{host}"
    return Backend(
        url=f"{host.rstrip('/')}/{path}".rstrip("/") if path else host, identity=identity, security_profile=profile
    )


def level_of(snapshot: Snapshot) -> SecurityProfile:
    """Return the security profile in force."""
    key = SLOT_PROFILE if snapshot.get(SLOT_PROFILE) is not None else PROFILE
    text = value_of(snapshot, key)
    return SecurityProfile(int(text)) if text in ("0", "1", "2", "3") else SecurityProfile.NONE


def planned(backend: Backend, snapshot: Snapshot) -> tuple[Change, ...]:
    """Return what must be written, the address last. Raises ValueRejected where the station can't hold it."""
    has_slot = snapshot.get(SLOT_URL) is not None
    _must_fit(backend, snapshot, has_slot=has_slot)
    wanted: dict[str, str] = {}
    if backend.secret and backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC):
        wanted[AUTHORIZATION_KEY] = backend.secret.reveal()
    wanted[IDENTITY] = backend.identity
    wanted |= _in_slot(backend, snapshot) if has_slot else _in_registers(backend, snapshot)
    return tuple(
        _change(key, value, snapshot, order)
        for order, (key, value) in enumerate(wanted.items())
        if snapshot.get(key) is not None and value_of(snapshot, key) != value
    )


def _in_slot(backend: Backend, snapshot: Snapshot) -> dict[str, str]:
    wanted: dict[str, str] = {}
    if value_of(snapshot, SLOT_VERSION) == OCPP_15:
        wanted[SLOT_VERSION] = OCPP_16
    if value_of(snapshot, SLOT_INTERFACE) not in WIRED_INTERFACES:
        wanted[SLOT_INTERFACE] = WIRED
    if value_of(snapshot, SLOT_PRIORITY) == "0":
        wanted[SLOT_PRIORITY] = FIRST
    wanted[SLOT_PROFILE] = str(int(backend.security_profile))
    wanted[SLOT_URL] = backend.url
    return wanted


def _in_registers(backend: Backend, snapshot: Snapshot) -> dict[str, str]:
    wanted: dict[str, str] = {}
    if value_of(snapshot, PROTOCOL) == "1.5":
        wanted[PROTOCOL] = "1.6"
    if value_of(snapshot, METHOD) in ("0", MOBILE):
        wanted[METHOD] = WIRED
    wanted[PROFILE] = str(int(backend.security_profile))
    parts = urllib.parse.urlsplit(backend.url)
    path = parts.path.strip("/") + (f"?{parts.query}" if parts.query else "")
    wanted[PATH] = f"/{path}" if path and value_of(snapshot, PATH).startswith("/") else path
    is_written_out = "://" in value_of(snapshot, HOST)
    wanted[HOST] = f"{parts.scheme}://{parts.netloc}" if is_written_out else parts.netloc
    return wanted


def _must_fit(backend: Backend, snapshot: Snapshot, *, has_slot: bool) -> None:
    wanted, present = backend.security_profile, level_of(snapshot)
    if wanted is SecurityProfile.TLS_CLIENT:
        raise ValueRejected(
            "Rehome can't put a client certificate on this station.", "Use security profile 2, or the vendor's tool."
        )
    if wanted < present:
        raise ValueRejected(
            f"The station is at security profile {int(present)} and does not go back to {int(wanted)}.",
            "Choose a backend with that profile or a higher one, or have the vendor's service set it back.",
        )
    if wanted > SecurityProfile.NONE and snapshot.get(SLOT_PROFILE if has_slot else PROFILE) is None:
        raise ValueRejected(
            "This firmware has no security profiles: it can't send a password.",
            "Update the firmware with the vendor's tool, or use a backend without a password.",
        )
    if not has_slot and backend.is_tls and wanted < SecurityProfile.TLS_BASIC:
        raise ValueRejected(
            "This firmware uses TLS only with security profile 2 or 3.", "Choose security profile 2 for a wss address."
        )
    has_name = snapshot.get(CPO_NAME)
    if wanted >= SecurityProfile.TLS_BASIC and has_name is not None and not has_name.value:
        raise ValueRejected(
            "The station checks the backend's certificate against the CPO name, and has none.",
            "Enter the name that stands in the certificate under Settings, “CPO name” (2722_0), then plan again.",
        )
    for key, value in {IDENTITY: backend.identity, SLOT_URL: backend.url}.items():
        found = snapshot.get(key)
        if found is not None and found.limit and len(value.encode()) > found.limit:
            raise ValueRejected(
                f"“{found.label}” has {len(value.encode())} bytes; this station keeps {found.limit}.",
                "Use a shorter one.",
            )


def _change(key: str, value: str, snapshot: Snapshot, order: int) -> Change:
    before = snapshot.get(key)
    is_raised = key in (PROFILE, SLOT_PROFILE)
    return Change(
        key=key,
        before=before.value if before else None,
        after=value,
        is_secret=key == AUTHORIZATION_KEY,
        needs_restart=True,
        is_one_way=is_raised,
        order=order,
        reason=RAISED if is_raised else REASONS[key],
    )
