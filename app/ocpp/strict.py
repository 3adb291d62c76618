"""What the standards and the security profile have a central system refuse, and with which HTTP status. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.model.frame import Handshake
from app.model.listening import ListenPlan
from app.ocpp.request import Fault, Request, upgrade_faults

BASIC = 'WWW-Authenticate: Basic realm="OCPP"\r\n'
RIGHT_READINGS = frozenset({"", "plain", "bytes"})
"""Readings of a password that are the standard's; without an expected one (empty) any is taken."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer instead of the upgrade. ``text`` says why, and at which byte."""

    status: int
    text: str
    extra: str = ""


def refusal(request: Request, shake: Handshake, plan: ListenPlan, *, peer_name: str = "") -> Refusal | None:
    """Return what a strict listener answers instead of the upgrade; ``None`` = let it in.

    ``peer_name`` is the common name of its client certificate.
    """
    return (
        _malformed(upgrade_faults(request))
        or _nameless(shake)
        or (_insecure(shake, plan.security_profile, peer_name) if plan.security_profile else None)
    )


def lacks_version(shake: Handshake) -> bool:
    """Say whether no version was agreed: 101 without subprotocol, then close (J16 §3.2, J201 §3.2)."""
    return not shake.chosen_subprotocol


def _malformed(faults: Iterable[Fault]) -> Refusal | None:
    for fault in faults:
        if fault.status:
            extra = "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n" if fault.status == 426 else ""
            return Refusal(fault.status, f"Refused as RFC 6455 demands: {fault.text} ({fault.place}).", extra)
    return None


def _nameless(shake: Handshake) -> Refusal | None:
    if "no-identity" not in shake.url_habits:
        return None
    return Refusal(404, f"Refused as OCPP-J demands: the path “{shake.path[:80]}” names no identity.")


def _insecure(shake: Handshake, profile: int, peer_name: str) -> Refusal | None:
    if profile >= 2 and shake.tls is None:
        return Refusal(401, f"Refused: security profile {profile} wants TLS (wss), it came in plain (ws).")
    if profile == 3:
        return _wrong_certificate(shake, peer_name)
    return _wrong_password(shake, profile)


def _wrong_certificate(shake: Handshake, peer_name: str) -> Refusal | None:
    if shake.tls is None or shake.tls.peer is None:
        return Refusal(401, "Refused: security profile 3 wants a client certificate, it showed none.")
    if peer_name != shake.identity:
        return Refusal(
            401, f"Refused: its certificate is for “{peer_name[:64]}”, its path says “{shake.identity}” (SEC16 A00)."
        )
    return None


def _wrong_password(shake: Handshake, profile: int) -> Refusal | None:
    why = ""
    if shake.user is None:
        why = "it sent no readable Authorization header"
    elif shake.user != shake.identity:
        why = f"its user name is “{shake.user[:64]}” instead of its identity"
    elif not shake.has_password or shake.password_reading == "none":
        why = "it sent no password"
    elif shake.password_reading not in RIGHT_READINGS:
        why = (
            "its password is wrong" if shake.password_reading == "wrong" else "its password is sent as hexadecimal text"
        )
    return Refusal(401, f"Refused: security profile {profile} wants HTTP Basic; {why}.", BASIC) if why else None
