"""Findings from TLS handshakes and certificates: who refused whom, and why. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime

from app.diagnosis import decode
from app.diagnosis.naming import found
from app.diagnosis.thresholds import Thresholds
from app.model.experiment import CERTIFICATE_PERSONALITY, PLAIN_INSTEAD_OF_TLS
from app.model.finding import Finding, Severity
from app.model.frame import Certificate, Handshake, Hello
from app.model.observation import TlsEnd, TlsFailed

OLD_VERSIONS = frozenset({"SSL 3.0", "TLS 1.0", "TLS 1.1"})
NAMELESS_ALERTS = frozenset({42, 46})
"""Alerts that don't tell a wrong name from missing trust (connection-failures, "TLS alerts")."""
GOODBYES = frozenset({0, 90})
"""close_notify and user_canceled: it leaves without a reason (RFC 8446 §6.1)."""
_NAME_WORDS = ("unrecognized name", "hostname", "unknown name")


def at_tls_failure(seen: TlsFailed) -> Iterator[Finding]:
    """Judge a TLS handshake that came to nothing."""
    code = cause(seen)
    if code == "TLS-NAME":
        yield _name(seen)
    elif code == "TLS-SUITE":
        yield _suite(seen)
    elif code == "CLOCK":
        yield _clock(seen)
    elif code == "TLS-TRUST":
        yield _trust(seen)
    elif code == "AUTH-401":
        yield _no_certificate(seen)


def cause(seen: TlsFailed) -> str:
    """Return the code of what made a handshake fail, empty where nothing tells."""
    if seen.end is TlsEnd.REFUSED_BY_US:
        return _our_reason(seen.reason.lower())
    code = decode.alert(seen.alert).code if seen.alert is not None else ""
    if code:
        return "TLS-NAME" if code == "TLS-TRUST" and seen.alert in NAMELESS_ALERTS and _is_misnamed(seen) else code
    if seen.alert is not None and seen.alert not in GOODBYES:
        return ""
    if seen.after == "Finished" and seen.end is not TlsEnd.SILENT:
        return "TLS-NAME"  # TLS was agreed: what is checked afterwards is the name
    if seen.after == "Certificate" and seen.end is not TlsEnd.SILENT:
        return "TLS-NAME" if _is_misnamed(seen) else "TLS-TRUST"
    if seen.end is TlsEnd.CLOSED_BY_UNIT and seen.hello is not None:
        return "TLS-TRUST" if seen.after else "TLS-SUITE"
    return ""


def _our_reason(reason: str) -> str:
    """Tell why we refused it: no common ground, a client certificate, or a flood (which is no fault of TLS)."""
    if "certificate" in reason:
        return "AUTH-401"
    return "" if "bytes of handshake" in reason else "TLS-SUITE"


def _is_misnamed(seen: TlsFailed) -> bool:
    """Say whether the unit asked for a name that our certificate did not carry, or for none: it dials an IP."""
    asked = seen.hello.server_name if seen.hello is not None else ""
    if seen.served is None or not asked:
        return any(word in seen.reason.lower() for word in _NAME_WORDS)
    names = {name.lower() for name in seen.served.names}
    return asked.lower() not in names and f"cn={asked.lower()}" not in seen.served.subject.lower()


def how(seen: TlsFailed) -> str:
    """Put the end of a handshake into words that follow “it”."""
    if seen.alert is not None:
        return f"answers with TLS alert {seen.alert}: {decode.alert(seen.alert).text}"
    step = {"Certificate": "after seeing our certificate", "Finished": "as soon as TLS is agreed"}
    return f"hangs up {step.get(seen.after, 'during the TLS handshake')}, without a reason"


def _proofs(seen: TlsFailed) -> list[tuple[str, str]]:
    proofs = [("TLS", f"{seen.end.value}; {how(seen)}" if seen.end is not TlsEnd.REFUSED_BY_US else seen.reason)]
    if seen.served is not None:
        proofs.append(("certificate shown", f"{seen.personality}: {seen.served.subject}"))
    if seen.hello is not None:
        proofs.append(("hello", offer(seen.hello)))
    return proofs


def offer(hello: Hello) -> str:
    """Put what a hello offers into one line."""
    parts = [", ".join(hello.versions), f"{len(hello.suites)} suites", f"name “{hello.server_name or 'none'}”"]
    return "; ".join(part for part in parts if part)


def _trust(seen: TlsFailed) -> Finding:
    is_sure = seen.alert == 48
    return found(
        "TLS-TRUST",
        Severity.FAULT,
        *_proofs(seen),
        at=seen.at,
        experiment=None if is_sure else CERTIFICATE_PERSONALITY,
        alike=() if is_sure else ("TLS-NAME", "CLOCK"),
        how=how(seen),
        remote=seen.remote,
        personality=seen.personality,
    )


def _name(seen: TlsFailed) -> Finding:
    is_sure = seen.alert == 112
    return found(
        "TLS-NAME",
        Severity.WARNING if seen.after == "Finished" and seen.alert is None else Severity.FAULT,
        *_proofs(seen),
        at=seen.at,
        experiment=None if is_sure else CERTIFICATE_PERSONALITY,
        alike=() if is_sure else ("TLS-TRUST", "CLOCK"),
        how=how(seen),
        asked=(seen.hello.server_name if seen.hello else "") or "no name",
        names=", ".join(seen.served.names[:8]) if seen.served and seen.served.names else "no name it told",
        remote=seen.remote,
        personality=seen.personality,
    )


def _suite(seen: TlsFailed) -> Finding:
    hello = seen.hello or Hello()
    is_old = bool(hello.versions) and set(hello.versions) <= OLD_VERSIONS
    told = "We found nothing in common with it" if seen.end is TlsEnd.REFUSED_BY_US else f"It {how(seen)}"
    return found(
        "TLS-SUITE",
        Severity.FAULT,
        *_proofs(seen),
        ("suites", ", ".join(hello.suites[:12]) or "unknown"),
        at=seen.at,
        experiment=None if is_old or seen.end is TlsEnd.REFUSED_BY_US else CERTIFICATE_PERSONALITY,
        alike=() if is_old or seen.end is TlsEnd.REFUSED_BY_US else ("TLS-TRUST",),
        how=told,
        versions=", ".join(hello.versions) or "no version it told",
        suites=", ".join(hello.suites[:6]) or "no cipher it told",
        remote=seen.remote,
        personality=seen.personality,
    )


def _clock(seen: TlsFailed) -> Finding:
    return found(
        "CLOCK",
        Severity.FAULT,
        *_proofs(seen),
        at=seen.at,
        case="tls",
        experiment=PLAIN_INSTEAD_OF_TLS,
        alike=("TLS-TRUST",),
        how=how(seen),
        remote=seen.remote,
    )


def _no_certificate(seen: TlsFailed) -> Finding:
    reading = "it shows no client certificate that we take"
    return found(
        "AUTH-401",
        Severity.FAULT,
        *_proofs(seen),
        at=seen.at,
        reading=reading,
        user="none",
        identity=f"the unit at {seen.remote}",
    )


def proved(failed: TlsFailed, shake: Handshake) -> Finding | None:
    """Judge a unit that refused one certificate of ours and took another: that names the cause for good."""
    taken = shake.tls.personality if shake.tls is not None else ""
    refused = failed.personality
    if not taken or not refused or taken == refused or "rogue" in (refused, taken):
        return None
    proofs = [("refused", refused), ("taken", taken), ("first", how(failed))]
    if refused == "short":
        return found("TLS-TRUST", Severity.WARNING, *proofs, at=shake.at, case="chain", how=how(failed))
    if refused == "cn":
        return None  # it reads the alternative names, as it should
    if refused == "san":
        return found("TLS-NAME", Severity.WARNING, *proofs, at=shake.at, case="proved", how=how(failed))
    if taken == "timeless":
        return found("CLOCK", Severity.WARNING, *proofs, at=shake.at, case="proved", how=how(failed))
    if taken == "cn":
        return found("TLS-NAME", Severity.WARNING, *proofs, at=shake.at, case="proved", how=how(failed))
    return found("TLS-SUITE", Severity.WARNING, *proofs, at=shake.at, case="proved", refused=refused, taken=taken)


def at_session(shake: Handshake, limits: Thresholds) -> Iterator[Finding]:
    """Judge what came about: whether the unit checks our certificate at all, and its own (security profile 3)."""
    if shake.tls is not None and shake.tls.personality == "rogue":
        proof = ("certificate shown", "signed by nobody")
        yield found("TLS-TRUST", Severity.WARNING, proof, at=shake.at, case="anything", remote=shake.remote)
    if shake.tls is not None and shake.tls.peer is not None and shake.at is not None:
        yield from expiry(shake.tls.peer, shake.at, limits, code="CERT-STORE")


def expiry(
    certificate: Certificate, now: datetime, limits: Thresholds, *, code: str = "TLS-TRUST"
) -> Iterator[Finding]:
    """Judge how long a certificate is valid still (commissioning part 3, "Leaf expiry", "Root expiry")."""
    if certificate.not_after is None:
        return
    days = (certificate.not_after - now).total_seconds() / 86_400
    good = limits.certificate_root_good_days if certificate.is_ca else limits.certificate_leaf_good_days
    bad = limits.certificate_root_bad_days if certificate.is_ca else limits.certificate_leaf_bad_days
    if days > good:
        return
    until = f"{certificate.not_after:%Y-%m-%d}"
    yield found(
        code,
        Severity.FAULT if days < bad else Severity.WARNING,
        ("valid until", until),
        ("certificate", certificate.subject),
        at=now,
        case="expiring",
        subject=certificate.subject,
        days=f"{max(0.0, days):.0f}",
        until=until,
    )


def is_address(host: str) -> bool:
    """Say whether a host is an IP address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
