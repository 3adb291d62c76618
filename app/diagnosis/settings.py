"""Findings from a charger's settings as they were read (commissioning, part 4). Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from app.diagnosis.commands import dead_limit
from app.diagnosis.naming import found, span
from app.diagnosis.thresholds import Thresholds
from app.model.experiment import HOLD
from app.model.finding import Finding, Severity
from app.model.observation import SettingsSeen

MOST = 5000
LONGEST = 200
"""Settings that are judged, and characters of a key or value: a hostile unit may send any number [OURS]."""
_OFFLINE_LIMIT = re.compile(
    r"(offline|fallback|fail_?safe|disconnected|no_?(comm|connection)).*(limit|current|amp|power)"
    r"|(limit|current|amp|power).*(offline|fallback|fail_?safe|disconnected)",
    re.IGNORECASE,
)
"""Names of limits that hold without a backend (juicepassproxy: "offline" limits)."""
_APN = re.compile(r"apn\Z|apn_?name|access_?point_?name", re.IGNORECASE)
_SIM = re.compile(r"iccid|imsi|sim_?card", re.IGNORECASE)
_REGISTRATION = re.compile(r"(gsm|lte|mobile|modem|cellular|sim|network).*(registration|status|state)", re.IGNORECASE)
_UNREGISTERED = re.compile(r"denied|not.?regist|no.?sim|searching|unregist", re.IGNORECASE)
_SLOTS = re.compile(r"NetworkConfigurationPriority\Z", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")


def at_settings(seen: SettingsSeen, limits: Thresholds) -> Iterator[Finding]:
    """Judge all settings of one reading, as far as they have a sensible number and length."""
    told = {key: value[:LONGEST] for key, value in itertools.islice(seen.settings.items(), MOST) if len(key) <= LONGEST}
    named = {short(key): (key, value.strip()) for key, value in told.items()}
    yield from _heartbeat(named, limits)
    yield from _attempts(named, limits)
    yield from _pings(named)
    for key, value in told.items():
        yield from _limit(key, value.strip())
    yield from _mobile(told)
    yield from _slots(told)


def short(key: str) -> str:
    """Return the last part of a key in lower case: ``OCPPCommCtrlr.HeartbeatInterval`` is ``heartbeatinterval``."""
    return key.rpartition(".")[2].lower()


def security_profile(settings: Mapping[str, str]) -> int | None:
    """Return the security profile among settings; ``None`` where it is not told."""
    value = next((value for key, value in settings.items() if short(key) == "securityprofile"), "")
    return int(value) if value in ("0", "1", "2", "3") else None


def is_root_checked(settings: Mapping[str, str]) -> bool:
    """Say whether a new root must be signed by the old one (SEC16 §7.1)."""
    value = next((value for key, value in settings.items() if short(key) == "additionalrootcertificatecheck"), "")
    return value.lower() == "true"


def password(size: int, limits: Thresholds) -> Iterator[Finding]:
    """Judge the length of a password in bytes (SEC16 A00.FR.205: 16 to 20), without telling it."""
    least, most = limits.keys_password_least_bytes, limits.keys_password_most_bytes
    if 0 < size < least:
        yield _risk("The password", f"shorter than {least:.0f} bytes", "password", Severity.INFO)
    elif size > most:
        yield _risk("The password", f"longer than {most:.0f} bytes", "password", Severity.INFO)


Named = Mapping[str, tuple[str, str]]


def _heartbeat(named: Named, limits: Thresholds) -> Iterator[Finding]:
    key, value = named.get("heartbeatinterval", ("", ""))
    number = _number(value)
    if number is not None and number > limits.keys_heartbeat_most_s:
        yield _risk(key, f"{value} s", "heartbeat")


def _attempts(named: Named, limits: Thresholds) -> Iterator[Finding]:
    for name in ("transactionmessageattempts", "messageattempts/transactionevent"):
        key, value = named.get(name, ("", ""))
        number = _number(value)
        if number is not None and number < limits.keys_attempts_least:
            yield _risk(key, value, "attempts", Severity.FAULT if number == 0 else Severity.WARNING)


def _pings(named: Named) -> Iterator[Finding]:
    ping = _number(named.get("websocketpinginterval", ("", ""))[1])
    attempts = _number(named.get("transactionmessageattempts", ("", ""))[1])
    pause = _number(named.get("transactionmessageretryinterval", ("", ""))[1])
    if not ping or not attempts or not pause or ping < attempts * pause:
        return
    yield found(
        "PING-MISMATCH",
        Severity.WARNING,
        ("WebSocketPingInterval", f"{ping:.0f} s"),
        ("attempts × retry interval", f"{attempts:.0f} × {pause:.0f} s"),
        case="setting",
        interval=span(ping),
        product=span(attempts * pause),
    )


def _limit(key: str, value: str) -> Iterator[Finding]:
    number = _number(value.removesuffix("A").strip())
    if number == 0 and _OFFLINE_LIMIT.search(key):
        yield dead_limit(f"its setting {key} is {value}", (key, value), key=key, value=value)


def _mobile(settings: Mapping[str, str]) -> Iterator[Finding]:
    has_sim = any(_SIM.search(key) and value.strip(" 0-") for key, value in settings.items())
    for key, value in settings.items():
        if _REGISTRATION.search(key) and _UNREGISTERED.search(value):
            yield _sim(f"{key} is “{value}”", key, value)
        elif has_sim and _APN.search(key) and not value.strip():
            yield _sim("it has a SIM card and no access point name (APN)", key, "empty")


def _sim(what: str, key: str, value: str) -> Finding:
    return found("SIM-APN", Severity.WARNING, (key, value), what=what, key=key)


def _slots(settings: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in settings.items():
        slots = [slot for slot in re.split(r"[,\s]+", value) if slot]
        if _SLOTS.search(key) and len(slots) > 1:
            told = ", ".join(slots)
            proof = (key, value)
            yield found("OLD-PROFILE", Severity.INFO, proof, case="slots", experiment=HOLD, key=key, slots=told)


def _risk(key: str, value: str, case: str, severity: Severity = Severity.WARNING) -> Finding:
    return found("SETTING-RISK", severity, (key, value), case=case, key=key, value=value)


def _number(text: str) -> float | None:
    return float(text) if len(text) < 20 and _NUMBER.match(text) else None
