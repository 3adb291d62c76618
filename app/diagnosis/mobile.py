"""Findings from what a modem tells of its card and its network (commissioning part 2). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.diagnosis.naming import found
from app.diagnosis.thresholds import Thresholds
from app.model.finding import Finding, Severity
from app.model.mobile import MobileLink, Registration, Sim
from app.model.observation import MobileSeen

CARDS = {
    Sim.ABSENT: "no-sim",
    Sim.FAILED: "sim-failed",
    Sim.PIN: "pin",
    Sim.PUK: "puk",
    Sim.LOCKED: "locked",
}
REGISTRATIONS = {
    Registration.DENIED: "denied",
    Registration.LIMITED: "denied",
    Registration.OFF: "unregistered",
    Registration.SEARCHING: "unregistered",
}


def at_mobile(seen: MobileSeen, limits: Thresholds) -> Iterator[Finding]:
    """Name what keeps a modem from the backend, the nearest cause alone; roaming and a weak signal may come on top."""
    link = seen.link
    case = CARDS.get(link.sim) or REGISTRATIONS.get(link.registration, "")
    if not case and link.registration.is_registered and link.apn == "":
        case = "no-apn"
    if case:
        yield _sim(case, Severity.FAULT, seen)
    elif link.registration is Registration.ROAMING:
        yield _sim("roaming", Severity.INFO, seen)
    if case not in CARDS.values() and (weak := weakness(link, limits)):
        yield _sim("weak", Severity.WARNING if weak[1] else Severity.INFO, seen, signal=weak[0])


def weakness(link: MobileLink, limits: Thresholds) -> tuple[str, bool] | None:
    """Return a signal that is not good in words, and whether it is bad; ``None`` = good, or not told."""
    told = [
        (link.rsrp_dbm, limits.lte_rsrp_good_dbm, limits.lte_rsrp_bad_dbm, "RSRP", "dBm"),
        (link.rsrq_db, limits.lte_rsrq_good_db, limits.lte_rsrq_bad_db, "RSRQ", "dB"),
    ]
    if link.rsrp_dbm is None:
        told.append((link.rssi_dbm, limits.lte_rssi_good_dbm, limits.lte_rsrp_bad_dbm, "RSSI", "dBm"))
    poor = [
        (name, value, unit, value < bad) for value, good, bad, name, unit in told if value is not None and value < good
    ]
    if not poor:
        return None
    return ", ".join(f"{name} {value:g} {unit}" for name, value, unit, _ in poor), any(is_bad for *_, is_bad in poor)


def _sim(case: str, severity: Severity, seen: MobileSeen, *, signal: str = "") -> Finding:
    link = seen.link
    proofs = [("SIM", link.sim.value), ("network", link.registration.value)]
    proofs += [("operator", link.operator)] if link.operator else []
    proofs += [("APN", link.apn or "none")] if link.apn is not None else []
    proofs += [("signal", signal)] if signal else []
    return found(
        "SIM-APN",
        severity,
        *proofs,
        at=seen.at,
        case=case,
        what=link.registration.value,
        key="modem",
        operator=link.operator or "the network",
        left=_left(link),
        signal=signal,
        card=f" (card {link.iccid})" if link.iccid else "",
    )


def _left(link: MobileLink) -> str:
    count = link.puk_left if link.sim is Sim.PUK else link.pin_left
    if count is None:
        return "how many tries are left is not told"
    return "one try is left" if count == 1 else f"{count} tries are left"
