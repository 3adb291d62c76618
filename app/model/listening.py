"""How our endpoint listens: where, how strictly, and with which face in TLS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PERSONALITIES: Mapping[str, str] = {
    "auto": "RSA or EC, as the charger can",
    "rsa": "RSA key",
    "ec": "EC key (P-256)",
    "tls12": "TLS 1.2 only",
    "tls13": "TLS 1.3 only",
    "cn": "Name in the common name only",
    "san": "Name in the alternative names only",
    "short": "Without the intermediate certificate",
    "timeless": "Valid since 1970, for a charger without a clock",
    "rogue": "Signed by nobody",
    "imported": "Imported certificate",
}
"""The faces we can show in TLS, each to find or rule out one cause; in words."""

PROFILES: Mapping[int, str] = {
    0: "0 · nothing",
    1: "1 · password",
    2: "2 · password and TLS",
    3: "3 · TLS with client certificate",
}
"""OCPP's security profiles (SEC16 A00, P2-201 A00), in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenPlan:
    """What one listener does. ``port`` 0 = any free one; ``security_profile`` ``None`` = take all and report."""

    host: str
    port: int
    is_strict: bool = False
    """Refuse what RFC 6455, OCPP-J and the security profile refuse, instead of taking it in and reporting it."""
    security_profile: int | None = None
    personality: str = "auto"
    tls: bool = True
    """Answer TLS on the same port."""
    more_ports: tuple[int, ...] = ()
    """Further ports on the same address: those that the addresses of dead backends name. One that can't be opened is
    told in ``ListenState.more`` and stops none of the others."""
    keeps_login: bool = False
    """Keep what a charger sent as ``Authorization`` with its open connection (``Channel.login``), to pass it on."""
