"""Findings from units that came to us under the name of a former backend. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.diagnosis import tls
from app.diagnosis.naming import found
from app.model.finding import Finding, Severity
from app.model.frame import Handshake, OldHost
from app.model.observation import TlsFailed

VERIFYING = frozenset({"TLS-TRUST", "TLS-NAME", "CLOCK"})
"""What fails where a unit looks at our certificate; everything else may fail without that."""


def at_handshake(shake: Handshake) -> Iterator[Finding]:
    """Judge a unit that was let in."""
    if shake.old_host is not None:
        proofs = [("dialled name", f"{shake.old_host.name} ({shake.old_host.told_by})"), ("came to", shake.local)]
        details = _details(shake.old_host, shake.remote)
        yield found("OLD-BACKEND", Severity.WARNING, *proofs, at=shake.at, details=details)


def at_tls_failure(seen: TlsFailed) -> Iterator[Finding]:
    """Judge a unit that looked at our certificate and left: standing in for its backend ends there."""
    if seen.old_host is None or tls.cause(seen) not in VERIFYING:
        return
    proofs = [("dialled name", f"{seen.old_host.name} ({seen.old_host.told_by})"), ("TLS", tls.how(seen))]
    if seen.served is not None:
        proofs.append(("certificate shown", f"{seen.served.subject}, for {', '.join(seen.served.names[:4])}"))
    details = {**_details(seen.old_host, seen.remote), "how": tls.how(seen)}
    yield found("OLD-BACKEND", Severity.FAULT, *proofs, at=seen.at, case="verifies", details=details)


def _details(old: OldHost, remote: str) -> dict[str, str]:
    whose = old.knows or "a former backend"
    return {"name": old.name, "told_by": old.told_by, "whose": whose, "remote": remote}
