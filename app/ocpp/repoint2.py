"""Repoint a unit over OCPP 2.0.1 or 2.1 as use case B10 orders it: free slot, then priority new,old. Pure.

The address of a 2.x station stands in network profiles, numbered slots that can be written and, in 2.0.1, not read.
What is written is planned as changes like any other setting: ``NetworkProfile/2`` stands for SetNetworkProfile of
slot 2, with its data as JSON. What a station may refuse is foreseen here as far as it tells (P2-201 B09, B10, A05).
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.setting import Change, Setting
from app.ocpp.repoint import AccessPoint

PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
ACTIVE = "OCPPCommCtrlr.ActiveNetworkProfile"
PASSWORD = "SecurityCtrlr.BasicAuthPassword"
IDENTITY = "SecurityCtrlr.Identity"
LEVEL = "SecurityCtrlr.SecurityProfile"
ATTEMPTS = "OCPPCommCtrlr.NetworkProfileConnectionAttempts"
BACK_OFF = "OCPPCommCtrlr.RetryBackOffWaitMinimum"
DOUBLINGS = "OCPPCommCtrlr.RetryBackOffRepeatTimes"
JITTER = "OCPPCommCtrlr.RetryBackOffRandomRange"
MAX_ATTEMPTS = 100
LONGEST_BACK_OFF_S = 3600
NEEDED = (PRIORITY, ACTIVE, PASSWORD, IDENTITY, LEVEL)
"""The variables a plan is made from (P2-201 appendix 3)."""

INTERFACES = ("Wired0", "Wireless0")
"""Tried one after the other: a station tells neither in 2.0.1 which it has nor which it uses."""
TIMEOUT_S = 30
"""messageTimeout of a slot [OURS]; P2-201 names no default."""
PASSWORD_LENGTH = (16, 40)
"""P2-201 A00.FR.205."""
URL_LIMIT = {"2.0.1": 512, "2.1": 2000}
"""NetworkConnectionProfileType.ocppCsmsUrl."""
MAX_SLOTS = 32

_SLOT = re.compile(r"NetworkProfile/(\d{1,4})\Z")
_ORDER = {"secret": 20, "identity": 40, "profile": 95, "priority": 99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of a station's way of dialling."""

    identity: str
    version: str
    settings: Mapping[str, Setting]
    host: str = ""
    """Host header of the connection it is on."""
    path: str = ""
    is_secure: bool = False
    slots: Mapping[int, str] = field(default_factory=dict)
    """Slot → URL, as written by us or as told."""

    def value(self, key: str) -> str:
        """Return a variable's present value, an empty text where it has none."""
        setting = self.settings.get(key)
        return (setting.value or "") if setting else ""

    @property
    def order(self) -> tuple[int, ...]:
        """Return the slots by priority, as configured."""
        return tuple(int(part) for part in self.value(PRIORITY)[:1000].split(",") if part.strip().isdecimal())

    @property
    def active(self) -> int | None:
        """Return the slot in use: as told, else the first by priority."""
        told = self.value(ACTIVE).strip()
        return int(told) if told.isdecimal() and len(told) < 10 else next(iter(self.order), None)


def slot_of(key: str) -> int | None:
    """Return the slot that a change's key stands for, ``None`` for a variable."""
    match = _SLOT.match(key)
    return int(match[1]) if match else None


def can_repoint(target: Target) -> bool:
    """Say whether the station lets the order of its slots be changed."""
    priority = target.settings.get(PRIORITY)
    return priority is not None and not priority.is_readonly and target.active is not None


def read(target: Target) -> Backend | None:
    """Return where it dials after its next restart; ``None`` where that can't be told. The secret is not in it."""
    first = next(iter(target.order), target.active)
    if first is None:
        return None
    url = target.slots.get(first, "")
    if not url and first == target.active and target.host:
        path = target.path.rpartition("/")[0]
        url = f"{'wss' if target.is_secure else 'ws'}://{target.host}{path}"
    level = target.value(LEVEL)
    profile = SecurityProfile(int(level)) if level in ("0", "1", "2", "3") else SecurityProfile.NONE
    return Backend(url=url, identity=target.identity, security_profile=profile) if url else None


def plan(target: Target, backend: Backend, access_point: AccessPoint | None = None) -> tuple[Change, ...]:
    """Render the changes that bring the station to ``backend``: credential, identity, slot, order.

    The access point of a SIM card is a part of the slot.

    Raises ValueRejected where it can't take a part of it, NotSupported where it has no slot to write.
    """
    _must_be_possible(target, backend)
    slot = free_slot(target, backend.url.rstrip("/"))
    changes = [
        *_secret(target, backend),
        *_identity(target, backend),
        Change(
            key=f"NetworkProfile/{slot}",
            before=target.slots.get(slot),
            after=profile_text(target, backend, access_point),
            is_secret=access_point is not None and bool(access_point.password),
            needs_restart=True,
            order=_ORDER["profile"],
            reason=f"The new backend, in slot {slot}. The slot in use stays as it is.",
        ),
        _priority(target, slot),
    ]
    return tuple(sorted(changes, key=lambda change: change.order))


def free_slot(target: Target, wanted: str = "") -> int:
    """Return the slot to write: one that holds the wanted URL, a free one, else the last of the order.

    Raises NotSupported where the slot in use is the only one.
    """
    priority = target.settings.get(PRIORITY)
    choices = priority.choices if priority else ()
    told = [int(text) for text in choices if text.strip().isdecimal() and len(text) < 10][:MAX_SLOTS]
    used = {*target.order, target.active}
    again = [slot for slot, url in target.slots.items() if url == wanted and wanted and slot != target.active]
    if again:
        return again[0]
    told.sort(key=lambda slot: slot == 0)  # slot 0 only where there is no other
    for slot in told or [number for number in range(1, 4) if number not in used]:
        if slot not in used:
            return slot
    spare = [slot for slot in target.order if slot != target.active]
    if spare:
        return spare[-1]
    raise NotSupported(
        "This charger has one slot for a backend only, and it is the one in use.",
        "Set the new address at the charger itself; a wrong one could not be taken back from here.",
    )


def profile_text(target: Target, backend: Backend, access_point: AccessPoint | None = None) -> str:
    """Write the data of a slot as JSON. In 2.1 identity and password belong to the slot."""
    data: dict[str, Any] = {
        "ocppVersion": "OCPP20" if target.version == "2.0.1" else "OCPP21",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": backend.url.rstrip("/"),
        "messageTimeout": TIMEOUT_S,
        "securityProfile": int(backend.security_profile),
        "ocppInterface": INTERFACES[0],
    }
    if target.version == "2.1" and backend.identity != target.identity:
        data["identity"] = backend.identity
    if access_point is not None:
        data |= {"ocppInterface": INTERFACES[1], "apn": _apn(access_point)}
    return json.dumps(data, separators=(",", ":"))


def _apn(point: AccessPoint) -> dict[str, str]:
    """Return APNType (P2-201 §2.2); AUTO leaves the kind of login to the modem."""
    told = {"apn": point.name, "apnUserName": point.user, "apnPassword": point.password.reveal()}
    return {**{name: text for name, text in told.items() if text}, "apnAuthentication": "AUTO"}


def profile_data(text: str, interface: str) -> dict[str, Any]:
    """Read the data of a slot back, with another interface. Raises ValueRejected."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueRejected(f"The network profile is no JSON: {error}.", "Plan it again.") from error
    if not isinstance(data, dict):
        raise ValueRejected("The network profile is no JSON object.", "Plan it again.")
    return {**data, "ocppInterface": interface}


def interfaces(text: str) -> tuple[str, ...]:
    """Return the interfaces to try for the data of a slot: with an access point it can only be the mobile network."""
    return INTERFACES[1:] if "apn" in profile_data(text, "") else INTERFACES


def url_of(text: str) -> str:
    """Return the address in the data of a slot; empty where there is none."""
    try:
        return str(profile_data(text, "").get("ocppCsmsUrl", ""))
    except ValueRejected:
        return ""


def attempts_s(values: Mapping[str, str]) -> float:
    """Return how long a station may try its first slot before it takes the next (part 4 §5.3); 0 = it does not tell."""
    count = _number(values.get(ATTEMPTS), 0, MAX_ATTEMPTS)
    least_s, jitter_s = (_number(values.get(key), 0, LONGEST_BACK_OFF_S) for key in (BACK_OFF, JITTER))
    doublings = _number(values.get(DOUBLINGS), 0, 10)
    return float(sum(least_s * 2 ** min(number, doublings) + jitter_s for number in range(count)))


def _number(text: str | None, default: int, most: int) -> int:
    return min(int(text), most) if text and text.isascii() and text.isdigit() else default


def refusal(reason: str, level: str) -> tuple[str, str, str]:
    """Put a Rejected SetNetworkProfile into words: catalogue code, what happened, what to do.

    ``reason`` is its reasonCode (P2-201 appendix 5), empty where it gave none.
    """
    match reason:
        case "NoSecurityDowngrade":
            return (
                "PROFILE-RATCHET",
                f"The charger is on security profile {level or 'unknown'} and takes no slot with a lower one.",
                "Choose the same profile or a higher one, or lower it at the charger itself.",
            )
        case "InvalidConfSlot":
            return "NOT-APPLIED", "The charger does not have this slot.", "Read its device model again, then plan anew."
        case "InvalidNetworkConf":
            return (
                "NOT-APPLIED",
                "The charger can't use this address: its interface, scheme or security profile does not fit, or the "
                "certificate for it is missing.",
                "Check ws:// or wss:// against the profile, and install the backend's root certificate first.",
            )
    told = f" (“{reason[:40]}”)" if reason else ""
    return "NOT-APPLIED", f"The charger refuses the network profile{told}.", "Look at the frame for details."


def _must_be_possible(target: Target, backend: Backend) -> None:
    if not can_repoint(target):
        raise NotSupported(
            "This charger does not let its backends be reordered over OCPP.",
            "Set the address in its own menu or app; the endpoint proves the result all the same.",
        )
    level, wanted = target.value(LEVEL), int(backend.security_profile)
    if level.isdecimal() and len(level) < 10 and wanted < int(level):
        raise ValueRejected(
            f"This charger is on security profile {level}; over OCPP it only goes up (P2-201 A05).",
            f"Choose profile {level} for the backend, or lower it at the charger itself.",
        )
    scheme = urllib.parse.urlsplit(backend.url).scheme.lower()
    if (scheme == "wss") != (wanted >= 2):
        raise ValueRejected(
            f"Security profile {wanted} and {scheme}:// do not go together.",
            "Profiles 0 and 1 want ws://, profiles 2 and 3 want wss://.",
        )
    limit = URL_LIMIT.get(target.version, 512)
    if len(backend.url) > limit:
        raise ValueRejected(
            f"The address has {len(backend.url)} characters; a slot holds {limit}.", "Use a shorter one."
        )


def _secret(target: Target, backend: Backend) -> Iterable[Change]:
    if backend.security_profile not in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC) or not backend.secret:
        return
    length, (low, high) = len(backend.secret.reveal()), PASSWORD_LENGTH
    if not low <= length <= high:
        raise ValueRejected(
            f"The password has {length} characters; OCPP {target.version} wants {low} to {high} (A00.FR.205).",
            "Let the backend's operator set another password for this charger.",
        )
    if PASSWORD not in target.settings:
        raise ValueRejected(
            "This charger shows no variable for the backend's password.",
            "Type the password at the charger itself, or let the backend take it without one.",
        )
    yield Change(
        key=PASSWORD,
        before=None,
        after=backend.secret.reveal(),
        is_secret=True,
        order=_ORDER["secret"],
        reason="The backend's password. The charger dials again at once with it.",
    )


def _identity(target: Target, backend: Backend) -> Iterable[Change]:
    if backend.identity == target.identity or target.version == "2.1":
        return
    own = target.settings.get(IDENTITY)
    if own is None or own.is_readonly:
        raise ValueRejected(
            f"This charger does not let its identity be changed over OCPP; it stays “{target.identity}”.",
            f"Let the backend's operator register it as “{target.identity}”, or change it at the charger.",
        )
    yield Change(
        key=IDENTITY,
        before=own.value,
        after=backend.identity,
        needs_restart=True,
        order=_ORDER["identity"],
        reason="The identity under which the backend knows this charger.",
    )


def _priority(target: Target, slot: int) -> Change:
    before = target.value(PRIORITY)
    old = [number for number in (target.active, *target.order) if number is not None and number != slot]
    return Change(
        key=PRIORITY,
        before=before,
        after=",".join(map(str, [slot, *dict.fromkeys(old)])),
        needs_restart=True,
        order=_ORDER["priority"],
        reason="The new backend first, the old one as a way back.",
    )
