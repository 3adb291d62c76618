"""Findings of jobs: a setting that did not take, a unit that is slow to return. Pure."""

from __future__ import annotations

from app.model.finding import Evidence, Finding, Severity


def not_applied(key: str, wanted: str, found: str | None, *, is_secret: bool = False, when: str = "") -> Finding | None:
    """Judge a read-back: ``None`` where it matches. ``found`` ``None`` = the unit does not show the key any more.

    ``when`` says at which reading (``after the restart``). Secrets are never quoted.
    """
    if found == wanted:
        return None
    if is_secret:
        shape = "another value than written" if found else "no value"
    elif found is None:
        shape = "nothing"
    elif found and wanted.startswith(found):
        shape = f"only the first {len(found)} of {len(wanted)} characters"
    else:
        shape = f"“{found}”"
    evidence = [Evidence(label=f"{key} read back", text=shape)]
    if not is_secret:
        evidence.insert(0, Evidence(label=f"{key} written", text=wanted))
    return Finding(
        code="NOT-APPLIED",
        severity=Severity.FAULT,
        evidence=tuple(evidence),
        details={"key": key, "shape": shape, "when": when or "right after writing"},
    )


def slow_return(waited_s: float, patience_s: float, usual_s: float) -> Finding | None:
    """Judge how long a unit is gone: amber at twice its usual time, red after its patience (failures, "how long")."""
    if waited_s < 2 * usual_s and waited_s < patience_s:
        return None
    is_over = waited_s >= patience_s
    return Finding(
        code="SLOW-RETURN",
        severity=Severity.FAULT if is_over else Severity.WARNING,
        evidence=(Evidence(label="gone for", text=f"{waited_s:.0f} s"),),
        details={
            "waited": _minutes(waited_s),
            "usual": _minutes(usual_s),
            "patience": _minutes(patience_s),
        },
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
