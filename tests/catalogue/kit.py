"""The provocation kit: for every code of the catalogue, a peer that misbehaves exactly so."""

from __future__ import annotations

import re

from app.diagnosis import catalogue
from app.model.finding import Finding

_PLACE = re.compile(r"\{([a-z_]+)\}")


def is_told_whole(finding: Finding) -> None:
    """Assert that a finding has a proof and that its texts lack no detail."""
    assert finding.evidence, finding.code
    assert all(item.text for item in finding.evidence), finding
    text = catalogue.told_for(catalogue.catalogue()[finding.code], finding.details.get("case", ""))
    case = finding.details.get("case", "")
    assert not case or case in text.cases, (finding.code, case)
    for part in (text.title, text.symptom, text.cause, text.remedy, text.vendor):
        missing = [name for name in _PLACE.findall(part) if not finding.details.get(name)]
        assert not missing, (finding.code, case, missing)
    assert text.vendor, finding.code
