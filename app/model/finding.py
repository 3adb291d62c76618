"""A named fault with its proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Severity(Enum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves a finding: a short label (``request line``, ``frame 12``) and the redacted text itself."""

    label: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault by its catalogue code; title, cause and remedy are read from ``resources/failures/<code>``.

    ``details`` fill the ``{placeholders}`` of those texts.
    """

    code: str
    severity: Severity
    evidence: tuple[Evidence, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    unit_id: str = ""
    at: datetime | None = None
