"""Work out how a unit that has dialled the bridge is dialled on to its backend, and what is changed by that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.bridge import corrections as made
from app.bridge.corrections import Change
from app.bridge.relay_order import RelayOrder
from app.bridge.target import Target
from app.model.backend import SecurityProfile, redact_url
from app.model.frame import Handshake
from app.model.secret import Secret
from app.ocpp.handshake import SUBPROTOCOLS, basic_login, reading, version_of

NAMELESS = "unnamed@"
"""How the listener calls a unit that says no identity, followed by its address (``handshake.read_handshake``)."""
_BASIC = (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where to dial for a unit, and what is different there from what the unit said."""

    target: Target
    version: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldOff:
    """Why a unit can't be let through, in words."""

    reason: str


class _Sums:
    """Collects the changes as far as the order allows them."""

    def __init__(self, order: RelayOrder) -> None:
        self._order = order
        self.changes: list[Change] = []

    def may(self, code: str, before: str, after: str) -> bool:
        """Note a change and return true, or return false where it is forbidden."""
        if code not in made.UNAVOIDABLE and not self._order.allows(code):
            return False
        self.changes.append(Change(code, before, after))
        return True


def aim(order: RelayOrder, shake: Handshake, login: Secret) -> Aim | HeldOff:
    """Compare what the unit showed with what its backend wants. ``login`` is its ``Authorization`` as sent."""
    user, password = basic_login(login.reveal())
    if order.unit_secret and reading(password, order.unit_secret) in ("none", "wrong"):
        return HeldOff("it did not show the password that the plan asks of it")
    spoken = shake.chosen_subprotocol
    wanted = version_of(order.target.subprotocol)
    if spoken.lower() in SUBPROTOCOLS and version_of(spoken) != wanted:
        return HeldOff(f"it speaks OCPP {version_of(spoken)}, and its backend OCPP {wanted}")
    sums = _Sums(order)
    target = _named(order, shake, sums)
    target = _spoken(target, shake, sums)
    refused = _secured(order, target, shake, sums)
    if refused:
        return HeldOff(refused)
    target = _proved(target, password, sums)
    if user is not None and user != target.identity and target.security_profile in _BASIC:
        sums.may(made.USER, f"user name “{user}”", f"user name “{target.identity}”")
    if shake.deviations:
        sums.may(made.HANDSHAKE, "; ".join(shake.deviations), "RFC 6455 kept")
    return Aim(target=target, version=wanted, changes=tuple(sums.changes))


def _named(order: RelayOrder, shake: Handshake, sums: _Sums) -> Target:
    """Give it the backend's identity and URL."""
    target, own = order.target, shake.identity
    names = f"“{own}”", f"“{target.identity}”"
    if own.startswith(NAMELESS):  # it says none, so there is none that could be left as it is
        sums.changes.append(Change(made.IDENTITY, *names))
    elif own != target.identity and not sums.may(made.IDENTITY, *names):
        target = replace(target, identity=own)
    scheme = "wss" if shake.tls is not None else "ws"
    sums.may(made.URL, f"{scheme}://{shake.local}{_bare(shake.path)}", redact_url(target.full_url))
    return target


def _bare(path: str) -> str:
    """Return a dialled path without what may be a secret."""
    bare, mark, _ = redact_url(path).partition("?")
    return f"{bare}?…" if mark else bare


def _spoken(target: Target, shake: Handshake, sums: _Sums) -> Target:
    """Name the OCPP version where the unit does not."""
    chosen = shake.chosen_subprotocol
    if chosen.lower() == target.subprotocol:
        return target
    offered = ", ".join(shake.subprotocols) or "none named"
    if sums.may(made.SUBPROTOCOL, offered, target.subprotocol):
        return target
    return replace(target, subprotocol=chosen)


def _secured(order: RelayOrder, target: Target, shake: Handshake, sums: _Sums) -> str:
    """Note what becomes of the encryption; return why it can't be let through, if so."""
    is_secure = target.url.lower().startswith("wss:")
    has = f"{shake.tls.version}, {shake.tls.suite}, with the bridge's certificate" if shake.tls else "no TLS"
    trust = "the roots of the plan" if target.roots else "the system's roots"
    wants = f"TLS, the backend's certificate checked against {trust}" if is_secure else "no TLS"
    if not is_secure and shake.tls is None:
        return ""
    code = made.TLS_REMOVED if not is_secure else made.TLS_ADDED if shake.tls is None else made.TLS_CHANGED
    if code in order.without:
        return f"{code} would be needed, and the plan forbids it"
    sums.changes.append(Change(code, has, wants))  # not even a watching bridge can do without
    return ""


def _proved(target: Target, password: bytes | None, sums: _Sums) -> Target:
    """Settle what proves the unit to its backend: password or certificate."""
    if target.security_profile is SecurityProfile.TLS_CLIENT:
        shown = "a certificate the bridge holds"
        if not sums.may(made.CERTIFICATE, "no certificate of the unit's reaches the backend", shown):
            target = replace(target, chain="", key=Secret(""), security_profile=SecurityProfile.NONE)
    if target.security_profile not in _BASIC:
        if password is None or sums.may(made.PASSWORD_REMOVED, _sort(password), "none"):
            return target
        return _with_password(target, password)
    wanted = _bytes_of(target)
    if not target.secret:  # the plan leaves it to the unit
        return _with_password(target, password)
    if password == wanted or sums.may(_difference(password, wanted), _sort(password), _sort(wanted)):
        return target
    return _with_password(target, password)


def _difference(sent: bytes | None, wanted: bytes) -> str:
    if sent is None:
        return made.PASSWORD_ADDED
    is_same_key = sent.lower() == wanted.hex().encode() or wanted.lower() == sent.hex().encode()
    return made.PASSWORD_RECODED if is_same_key else made.PASSWORD_CHANGED


def _with_password(target: Target, password: bytes | None) -> Target:
    """Send a password exactly as given, or none."""
    if password is None:
        plain = SecurityProfile.NONE if target.security_profile in _BASIC else target.security_profile
        return replace(target, secret=Secret(""), security_profile=plain)
    profile = SecurityProfile.TLS_BASIC if target.url.lower().startswith("wss:") else SecurityProfile.BASIC
    return replace(target, secret=Secret(password.hex()), is_hex=True, security_profile=profile)


def _bytes_of(target: Target) -> bytes:
    secret = target.secret.reveal()
    try:
        return bytes.fromhex(secret) if target.is_hex else secret.encode()
    except ValueError:
        return secret.encode()


def _sort(password: bytes | None) -> str:
    """Describe a password without giving it away."""
    if password is None:
        return "no password"
    is_hex = len(password) >= 8 and len(password) % 2 == 0 and not password.strip(b"0123456789abcdefABCDEF")
    return f"{len(password)} hexadecimal digits" if is_hex else f"{len(password)} bytes"
