"""The keys of ``GET /getOcppParameters``: as settings, and as the backend they make the charger dial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from app.driver import described
from app.driver.measuring import at
from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot

URL, IDENTITY, PASSWORD = "CentralSystemURL", "ChargePointId", "BasicAuthPassword"
PROTOCOL, PRIORITY, SLOTS = "OcppProtocol", "NetworkConfigurationPriority", "NetworkConnectionProfiles"
SECRETS = frozenset({PASSWORD, "WifiPassword"})
STAGED = SECRETS | {URL, IDENTITY, PROTOCOL, PRIORITY, "WifiSSID"}
"""What counts only after a restart, and is taken back where no connection comes of it (settings.h, kConnection)."""

MASK = "****"
"""What it shows of a key that can only be written (configuration_module.h, kMaskedValue)."""
KEYS_LIMIT, VALUE_LIMIT = 400, 8_000
SLOT_LIMIT = 5
"""``kMaxProfileSlots`` (settings.h)."""
IDENTITY_LIMIT, URL_LIMIT, PASSWORD_LEAST = 48, 512, 16
"""Bounds of its own validators (settings.h; network_connection_profile_type.h)."""

UNTOLD = "The charger never tells it."
NOT_IN_USE = "It stands for slot 0, which this charger does not use now: going back goes by its priority of slots."

REASONS = {
    PRIORITY: "It dials by another slot now; the address is written into slot 0.",
    PROTOCOL: "Slot 0 shall speak the version the charger speaks now.",
    PASSWORD: "The backend's password; empty = it shows none.",
    IDENTITY: "The identity under which the backend knows this charger.",
    URL: "The new backend, tried after the next restart.",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One of its network profiles."""

    number: int
    url: str
    version: str
    security: int


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key."""
    return described.load("openocpp")


def settings(found: Mapping[str, Any]) -> tuple[Setting, ...]:
    """Return every key of an answer, each once."""
    listed = at(found, ("rsp", "configurationKey"))
    items = [item for item in listed[:KEYS_LIMIT] if isinstance(item, dict)] if isinstance(listed, list) else []
    values: dict[str, tuple[str, bool]] = {}
    for item in items:
        key, value = item.get("key"), item.get("value")
        if isinstance(key, str) and 0 < len(key) <= 100:
            values.setdefault(key, (_plain(key, value), item.get("readonly") is True))
    in_use = slot_in_use({key: value for key, (value, _) in values.items()})
    is_hidden = in_use is not None and in_use.number != 0
    return tuple(_setting(key, value, readonly, is_hidden) for key, (value, readonly) in values.items())


def _plain(key: str, value: Any) -> str:
    text = value[:VALUE_LIMIT] if isinstance(value, str) else ""
    return unquoted(text) if key == PROTOCOL else text


def unquoted(text: str) -> str:
    """Strip the quotes that the charger leaves around its protocol."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _setting(key: str, value: str, readonly: bool, is_hidden: bool) -> Setting:
    is_secret = key in SECRETS or (value == MASK and not readonly)
    known = descriptions().get(key) or described.Description(key=key, label=key, secret=is_secret)
    is_told = not is_secret and not (is_hidden and key in (URL, PROTOCOL))
    return replace(known, readonly=known.readonly or readonly).setting(value if is_told else None, is_readable=is_told)


def excluded(found: tuple[Setting, ...]) -> dict[str, str]:
    """Return why what can't be read can't be brought back."""
    return {item.key: UNTOLD if item.is_secret else NOT_IN_USE for item in found if not item.is_readable}


def slot_in_use(values: Mapping[str, str]) -> Slot | None:
    """Return the network profile that comes first, ``None`` where it tells none."""
    first = values.get(PRIORITY, "").partition(",")[0].strip()
    number = int(first) if first.isdecimal() and len(first) < 3 else 0
    return slot(values, number)


def slot(values: Mapping[str, str], number: int) -> Slot | None:
    """Return one network profile: the list is one JSON object a line, an unused slot is an empty line."""
    lines = values.get(SLOTS, "").split("\n")[:SLOT_LIMIT]
    try:
        found = json.loads(lines[number]) if number < len(lines) and lines[number] else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    security = found.get("securityProfile")
    return Slot(
        number=number,
        url=str(found.get("ocppCsmsUrl") or "")[:VALUE_LIMIT],
        version=str(found.get("ocppVersion") or "")[:20],
        security=security if isinstance(security, int) and 0 <= security <= 3 else 0,
    )


def values_of(found: tuple[Setting, ...]) -> dict[str, str]:
    """Return the values it tells."""
    return {item.key: item.value for item in found if item.value is not None}


def backend_of(found: tuple[Setting, ...]) -> Backend:
    """Return the backend it dials, or will dial after a restart: it tells no difference."""
    values = values_of(found)
    used = slot_in_use(values)
    url = used.url if used is not None else values.get(URL, "")
    profile = SecurityProfile(used.security) if used is not None else SecurityProfile.NONE
    return Backend(url=url, identity=values.get(IDENTITY, ""), security_profile=profile)


def planned(backend: Backend, snapshot: Snapshot, profile: Profile) -> tuple[Change, ...]:
    """Return the changes in write order, the address last. Raises ValueRejected, NotSupported."""
    changes = []
    for order, (key, value) in enumerate(_wanted(backend, snapshot, profile).items()):
        before = snapshot.get(key)
        if before is None:
            raise NotSupported(f"This charger has no key “{key}”.", "Set the backend on its own portal page.")
        if before.is_readable and before.value == value:
            continue
        changes.append(
            Change(
                key=key,
                before=before.value,
                after=value,
                is_secret=key in SECRETS,
                needs_restart=True,
                order=order,
                reason=REASONS[key],
            )
        )
    return tuple(changes)


def _wanted(backend: Backend, snapshot: Snapshot, profile: Profile) -> dict[str, str]:
    if backend.security_profile is SecurityProfile.TLS_CLIENT:
        raise NotSupported("A certificate of its own can't be given to it here.", "Use security profile 1 or 2.")
    if backend.url.partition(":")[0].lower() not in (profile.url.schemes if profile.url else ("ws", "wss")):
        raise ValueRejected("This charger dials ws:// and wss:// addresses only.", "Correct the address.")
    wants_password = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    wanted = {PASSWORD: (backend.secret if wants_password else Secret("")).reveal(), IDENTITY: backend.identity}
    wanted |= _slot_zero(values_of(snapshot.settings))
    wanted[URL] = backend.url
    for key, value in wanted.items():
        fits(key, value)
    return wanted


def _slot_zero(values: Mapping[str, str]) -> dict[str, str]:
    """Return what brings slot 0 into use without a change of protocol; nothing where it is."""
    used, zero = slot_in_use(values), slot(values, 0)
    if used is None or used.number == 0:
        return {}
    is_other = zero is None or zero.version != used.version
    return {PRIORITY: "0"} | ({PROTOCOL: used.version} if is_other else {})


def fits(key: str, value: str) -> None:
    """Raise ValueRejected for a value that its validators would reject, naming the limit."""
    size = len(value.encode())
    if key == PASSWORD and 0 < size < PASSWORD_LEAST:
        raise ValueRejected(
            f"The password has {size} bytes; this charger takes none of less than {PASSWORD_LEAST}.",
            f"Let the backend's operator set a password of at least {PASSWORD_LEAST} characters for this charger.",
        )
    if key == IDENTITY and (size > IDENTITY_LIMIT or ":" in value or not value):
        raise ValueRejected(
            f"This charger takes an identity of 1 to {IDENTITY_LIMIT} bytes, without a colon.",
            "Let the backend's operator choose such an identity.",
        )
    if key == URL and size > URL_LIMIT:
        raise ValueRejected(f"The address has {size} bytes; this charger keeps {URL_LIMIT}.", "Use a shorter one.")
