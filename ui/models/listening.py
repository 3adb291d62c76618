"""How we listen, in words."""

from __future__ import annotations

from app.model.frame import Certificate, Hello, TlsSession
from app.model.listening import PERSONALITIES, PROFILES, ListenPlan
from ui.i18n import worded

WHY = {
    "auto": "What most backends show. The charger must know our root certificate.",
    "rsa": "For chargers that can't work with elliptic curves.",
    "ec": "If a charger fails with RSA and works with this, its backend must have an EC certificate.",
    "tls12": "If a charger fails otherwise and works with this, it stumbles over TLS 1.3.",
    "tls13": "Shows whether a charger can do TLS 1.3 at all.",
    "cn": "Old chargers look at the common name alone; new ones refuse this.",
    "san": "Chargers that look at the common name alone refuse this.",
    "short": "Most chargers must refuse this: it tells whether a missing intermediate certificate is the cause.",
    "timeless": "If a charger works with this and not otherwise, its clock is wrong.",
    "rogue": "A charger that comes in nevertheless does not check certificates at all.",
    "imported": "The certificate of a real backend, to try it out with its own name and chain.",
}
"""What each TLS personality is good for."""


def personality_text(name: str) -> str:
    """Return a TLS personality in words."""
    return worded(PERSONALITIES.get(name, name))


def personality_why(name: str) -> str:
    """Say what a TLS personality is good for."""
    return worded(WHY[name]) if name in WHY else ""


def profile_text(profile: int | None) -> str:
    """Return a security profile in words."""
    if profile is None:
        return worded("Any: take all, report")
    return worded(PROFILES.get(profile, str(profile)))


def plan_text(plan: ListenPlan) -> str:
    """Sum up what is unusual about a plan; empty where nothing is."""
    parts = []
    if plan.is_strict:
        parts.append(worded("strict"))
    if plan.security_profile is not None:
        parts.append(worded("profile {number}", number=plan.security_profile))
    if not plan.tls:
        parts.append(worded("no TLS"))
    elif plan.personality != "auto":
        parts.append(worded("TLS: {face}", face=personality_text(plan.personality)))
    return " · ".join(parts)


def certificate_text(certificate: Certificate) -> str:
    """Describe a certificate in one line."""
    until = f"{certificate.not_after:%Y-%m-%d}" if certificate.not_after else "?"
    return worded(
        "{subject}, {key}, valid until {until}", subject=certificate.subject, key=certificate.key, until=until
    )


def session_lines(session: TlsSession) -> str:
    """Lay out a TLS session: what was agreed, who proved what, what the unit had offered."""
    agreed = worded("{version} with {suite}", version=session.version, suite=session.suite)
    shown = worded("Our certificate: {face}", face=personality_text(session.personality))
    whose = certificate_text(session.peer) if session.peer else worded("none")
    peer = worded("Its certificate: {whose}", whose=whose)
    return "\n".join((agreed, shown, peer, "", hello_lines(session.hello)))


def hello_lines(hello: Hello) -> str:
    """Lay out what a unit offers in TLS."""
    nothing = worded("none")
    rows = (
        (worded("Versions"), hello.versions),
        (worded("Server name (SNI)"), (hello.server_name,) if hello.server_name else ()),
        (worded("Protocols (ALPN)"), hello.alpn),
        (worded("Cipher suites"), hello.suites),
        (worded("Curves"), hello.groups),
        (worded("Signatures"), hello.signatures),
    )
    blocks = []
    for title, values in rows:
        listed = "\n".join(f"  {value}" for value in values) or f"  {nothing}"
        blocks.append(f"{title}\n{listed}")
    return "\n".join(blocks)
