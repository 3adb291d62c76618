"""The address of our own endpoint, as this unit must dial it."""

from __future__ import annotations

import ipaddress
import socket

from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.frame import ListenState
from app.model.secret import Secret
from app.model.unit import Unit


def our_backend(state: ListenState, unit: Unit, wanted: Backend) -> Backend:
    """Return our endpoint as a backend for the rehearsal, under the identity the unit will have.

    The real password is used only where the real backend gets it unencrypted as well.
    """
    in_clear = wanted.security_profile is SecurityProfile.BASIC and not wanted.is_tls
    return Backend(
        url=our_url(state, unit),
        identity=wanted.identity,
        security_profile=SecurityProfile.BASIC if in_clear else SecurityProfile.NONE,
        secret=wanted.secret if in_clear else Secret(""),
        name="this computer",
    )


def our_url(state: ListenState, unit: Unit) -> str:
    """Return the URL of our endpoint; where it listens on every address, the one this unit's network sees."""
    if not _is_unspecified(state.host):
        return state.url
    host = _towards(unit) or "127.0.0.1"
    shown = f"[{host}]" if ":" in host else host
    return f"ws://{shown}:{state.port}/"


def _is_unspecified(host: str) -> bool:
    try:
        return host == "" or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _towards(unit: Unit) -> str:
    """Return this computer's address on the way to the unit (nothing is sent)."""
    for way in unit.ways:
        if not isinstance(way.address, NetAddress):
            continue
        family = socket.AF_INET6 if ":" in way.address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((way.address.host, 9))
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return ""
