"""Findings from how a charger takes our commands: refusals, silence, and dropping out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.diagnosis import decode
from app.diagnosis.naming import found, span
from app.diagnosis.spoken import LONG_ANSWERS
from app.diagnosis.thresholds import Thresholds
from app.model.experiment import BIG_ANSWER, PLAIN_INSTEAD_OF_TLS
from app.model.finding import Finding, Severity
from app.model.observation import Answered, Ended, Unanswered

RESTARTING = frozenset(
    {
        "Reset", "UpdateFirmware", "SignedUpdateFirmware", "SetNetworkProfile", "InstallCertificate",
        "CertificateSigned", "DataTransfer",
    }
)  # fmt: skip
"""Commands after which a unit may drop at once (charge-points-in-practice, "After a credential … change")."""
WRITES = frozenset({"ChangeConfiguration", "SetVariables"})
REFUSED = frozenset({"Rejected", "NotSupported", "UnknownVariable", "UnknownComponent", "NotSupportedAttributeType"})
READS = frozenset({"GetConfiguration", "GetBaseReport", "GetReport", "GetVariables"})
_ADDRESS_KEY = re.compile(
    r"url|uri|backend|central_?system|csms|ocpp_?(server|host|endpoint|address)|server_?(url|address)", re.IGNORECASE
)
_PROFILE_KEY = re.compile(r"security_?profile", re.IGNORECASE)
_OVERWHELMED = frozenset({"InternalError", "OccurenceConstraintViolation", "RpcFrameworkError"})
"""Errors with which units refuse a question for too much."""
_DOWNGRADE = re.compile(r"downgrade|lower.*profile|security.*profile", re.IGNORECASE)


def written(seen: Answered) -> tuple[tuple[str, str, str], ...]:
    """List what a write command set, as key, value and the status of the answer."""
    if seen.action == "ChangeConfiguration":
        return ((_text(seen.request.get("key")), _text(seen.request.get("value")), _text(seen.answer.get("status"))),)
    if seen.action == "SetVariables":
        asked, told = _dicts(seen.request.get("setVariableData")), _dicts(seen.answer.get("setVariableResult"))
        statuses = {variable_name(entry): _text(entry.get("attributeStatus")) for entry in told}
        return tuple(
            (name := variable_name(entry), _text(entry.get("attributeValue")), statuses.get(name, ""))
            for entry in asked
        )
    return ()


def variable_name(entry: Mapping[str, Any]) -> str:
    """Spell a variable of OCPP 2.x as ``Component[/instance][@evse[.connector]].Variable[/instance]``."""
    component, variable = _dict(entry.get("component")), _dict(entry.get("variable"))
    evse = _dict(component.get("evse"))
    place = f"@{evse['id']}" + (f".{evse['connectorId']}" if "connectorId" in evse else "") if "id" in evse else ""
    return f"{_named(component)}{place}.{_named(variable)}"


def at_answer(seen: Answered, profile: int | None, is_root_checked: bool) -> Iterator[Finding]:
    """Judge an answer; ``profile`` is the unit's security profile where known (0 to 3)."""
    if seen.error:
        yield from _errors(seen)
        return
    for key, value, status in written(seen):
        if status in REFUSED:
            yield from _refused_write(seen, key, value, status, profile)
    status = _text(seen.answer.get("status"))
    if seen.action == "SetNetworkProfile" and status not in ("Accepted", ""):
        yield _refused_profile(seen, status, profile)
    elif seen.action in ("InstallCertificate", "CertificateSigned", "DeleteCertificate"):
        yield from _certificates(seen, status, is_root_checked)
    elif seen.action == "GetCompositeSchedule" and status == "Accepted":
        yield from _schedule(seen)


def _errors(seen: Answered) -> Iterator[Finding]:
    if seen.error == "SecurityError":
        yield found(
            "BOOT-PENDING",
            Severity.WARNING,
            (seen.action, f"{seen.error} {seen.error_text}".strip()),
            at=seen.at,
            case="security",
            action=seen.action,
        )
    elif seen.action in READS and seen.error in _OVERWHELMED and _is_long(seen.action, seen.request):
        yield big(seen.action, f"it answered {seen.error} to a question for many settings", seen.request, seen)


def _refused_write(seen: Answered, key: str, value: str, status: str, profile: int | None) -> Iterator[Finding]:
    proof = (seen.action, f"{key} = {value}: {status}")
    if _PROFILE_KEY.search(key):
        if not (value.isdecimal() and len(value) < 10 and profile is not None and int(value) > profile):
            what = f"it answered {status} to the security profile {value}"
            yield _ratchet(seen, what, proof, wanted=value, present="unknown" if profile is None else str(profile))
    elif _ADDRESS_KEY.search(key) or re.match(r"wss?://", value):
        if value.startswith("ws://") and profile is not None and profile >= 2:
            what = f"it answered {status} to a ws:// address while its security profile is {profile}"
            yield _ratchet(seen, what, proof, wanted="1", present=str(profile))
        else:
            yield locked(f"it answered {status} to a new value of {key}", proof, key=key, status=status, seen=seen)


def locked(what: str, *proofs: tuple[str, str], key: str, status: str, seen: Answered | None = None) -> Finding:
    """Name a charger that does not let its backend be changed."""
    return found(
        "VENDOR-LOCK",
        Severity.FAULT,
        *proofs,
        at=seen.at if seen is not None else None,
        alike=("PROFILE-RATCHET",) if key else (),
        experiment=PLAIN_INSTEAD_OF_TLS if key and "ws://" in " ".join(text for _, text in proofs) else None,
        what=what,
        key=key,
        status=status,
    )


def _ratchet(seen: Answered, what: str, proof: tuple[str, str], *, wanted: str, present: str) -> Finding:
    return found("PROFILE-RATCHET", Severity.FAULT, proof, at=seen.at, what=what, wanted=wanted, present=present)


def _refused_profile(seen: Answered, status: str, profile: int | None) -> Finding:
    data = _dict(seen.request.get("connectionData"))
    wanted = _text(data.get("securityProfile"))
    reason = _text(_dict(seen.answer.get("statusInfo")).get("reasonCode"))
    proof = (seen.action, " ".join(part for part in (status, reason, f"profile {wanted}") if part))
    is_lower = wanted.isdecimal() and len(wanted) < 10 and profile is not None and int(wanted) < profile
    if is_lower or _DOWNGRADE.search(reason):
        what = f"it answered {status} {reason}".strip() + f" to a network profile with security profile {wanted}"
        return _ratchet(seen, what, proof, wanted=wanted, present="unknown" if profile is None else str(profile))
    return locked(
        f"it answered {status} to a new network profile", proof, key="SetNetworkProfile", status=status, seen=seen
    )


def _certificates(seen: Answered, status: str, is_root_checked: bool) -> Iterator[Finding]:
    kind = _text(seen.request.get("certificateType")) or "a certificate"
    reason = _text(_dict(seen.answer.get("statusInfo")).get("reasonCode"))
    proof = (seen.action, f"{kind}: {status} {reason}".strip())
    if seen.action == "InstallCertificate" and status == "Rejected":
        case, alike = ("checked", ()) if is_root_checked else ("", ("CERT-STORE",))
        yield found("ROOT-RATCHET", Severity.FAULT, proof, at=seen.at, case=case, alike=alike, status=status, kind=kind)
    elif status == "Failed" or (seen.action == "CertificateSigned" and status == "Rejected"):
        action = seen.action
        yield found(
            "CERT-STORE", Severity.WARNING, proof, at=seen.at, case="full", status=status, kind=kind, action=action
        )


def wrongly_stored(seen: Answered, subject: str) -> Finding:
    """Name a charger that took a certificate that is no authority as a root."""
    kind = _text(seen.request.get("certificateType")) or "a root certificate"
    proofs = ((seen.action, f"{kind}: Accepted"), ("certificate", f"{subject}, no certificate authority"))
    return found("CERT-STORE", Severity.WARNING, *proofs, at=seen.at, subject=subject, kind=kind)


def _schedule(seen: Answered) -> Iterator[Finding]:
    schedule = _dict(seen.answer.get("chargingSchedule") or seen.answer.get("schedule"))
    periods = _dicts(schedule.get("chargingSchedulePeriod"))
    limits = [period.get("limit") for period in periods]
    if limits and all(limit == 0 for limit in limits):
        connector = seen.request.get("connectorId", seen.request.get("evseId", "?"))
        what = f"the composite schedule of connector {connector} allows nothing"
        yield dead_limit(what, (seen.action, f"connector {connector}: limit 0"), key="schedule", value="0", seen=seen)


def dead_limit(what: str, proof: tuple[str, str], *, key: str, value: str, seen: Answered | None = None) -> Finding:
    """Name a left-over limit of nothing."""
    at = seen.at if seen is not None else None
    return found("DEAD-LIMIT", Severity.FAULT, proof, at=at, what=what, key=key, value=value)


def at_silence(seen: Unanswered) -> Iterator[Finding]:
    """Judge a command that was never answered."""
    if _is_long(seen.action, seen.request):
        yield big(seen.action, f"no answer within {span(seen.waited_s)}", seen.request, seen)


POLITE = (1000, 1001)
"""Close codes of one who has decided to leave (RFC 6455 §7.4.1): a charger that has just been moved elsewhere does."""


def at_drop(seen: Ended, limits: Thresholds) -> Iterator[Finding]:
    """Judge a connection that ended right after a question of ours, unanswered."""
    if seen.is_by_us or seen.is_answered or not seen.last_sent or seen.last_sent_s > limits.drops_crash_s:
        return
    if seen.last_sent in RESTARTING or seen.code in POLITE or not seen.has_booted:
        return
    after = span(seen.last_sent_s)
    if seen.last_sent in READS:
        yield big(seen.last_sent, f"it dropped the connection {after} later", {}, seen)
        return
    yield found(
        "PROBE-CRASH",
        Severity.WARNING,
        ("last command", f"{seen.last_sent}, {after} before the end"),
        ("end", decode.close(seen.code)),
        at=seen.at,
        action=seen.last_sent,
        after=after,
    )


def big(action: str, what: str, request: Mapping[str, Any], seen: Answered | Unanswered | Ended) -> Finding:
    """Name a charger that chokes on a long answer."""
    keys = request.get("key")
    asked = "for everything" if not keys else f"for {len(keys)} keys" if isinstance(keys, list) else ""
    return found(
        "BIG-MESSAGE",
        Severity.WARNING,
        (action, f"{what} {asked}".strip()),
        at=seen.at,
        experiment=BIG_ANSWER,
        alike=("PROBE-CRASH",),
        action=action,
        what=what,
    )


def compressed(seen: Ended) -> Iterator[Finding]:
    """Judge what the WebSocket layer objected to: reserved bits are compression nobody agreed on."""
    if "reserved bit" in seen.fault.lower() or "rsv" in seen.fault.lower():
        proofs = (("WebSocket", seen.fault), ("end", decode.close(seen.code)))
        yield found("COMPRESS", Severity.FAULT, *proofs, at=seen.at, fault=seen.fault)


def _is_long(action: str, request: Mapping[str, Any]) -> bool:
    keys = request.get("key") or request.get("getVariableData")
    return action in LONG_ANSWERS and (not isinstance(keys, list) or len(keys) > 1 or not keys)


def _named(entry: Mapping[str, Any]) -> str:
    instance = entry.get("instance")
    return f"{_text(entry.get('name'))}/{_text(instance)}" if instance else _text(entry.get("name"))


def _text(value: Any) -> str:
    return str(value)[:500] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value[:200] if isinstance(entry, dict)] if isinstance(value, list) else []
