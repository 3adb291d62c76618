"""How a detector puts a finding together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.model.experiment import Experiment
from app.model.finding import Evidence, Finding, Severity

Proof = tuple[str, str]
"""Label and text."""


def found(
    code: str,
    severity: Severity,
    *proofs: Proof,
    at: datetime | None = None,
    case: str = "",
    experiment: Experiment | None = None,
    alike: tuple[str, ...] = (),
    details: Mapping[str, str] | None = None,
    **more: str,
) -> Finding:
    """Build a finding.

    ``case`` picks the text where a code shows itself in several ways; ``alike`` are codes that look the same, and
    ``experiment`` tells them apart.
    """
    told = {**(details or {}), **more}
    if case:
        told["case"] = case
    if experiment is not None:
        told["experiment"] = experiment.experiment_id
    if alike:
        told["alike"] = ",".join(alike)
    evidence = tuple(Evidence(label=label, text=text, at=at) for label, text in proofs)
    return Finding(code=code, severity=severity, evidence=evidence, details=told, at=at)


def span(seconds: float) -> str:
    """Put a duration into words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
