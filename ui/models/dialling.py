"""What to type into a charger so that it dials us, by its model's habit."""

from __future__ import annotations

from dataclasses import dataclass

from app.model.backend import Backend
from app.model.guidance import URL_LIKE, Guidance, render
from app.model.profile import Grade, Profile
from ui.i18n import worded

PLACEHOLDER = "<identity>"
QUOTED_PLACEHOLDER = "%3Cidentity%3E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """One model's instructions: the exact text for its address field, what it then dials, what to know."""

    title: str
    typed: str
    dialled: str
    notes: tuple[str, ...]
    grade: Grade | None = None
    is_possible: bool = True
    found_by: str = ""
    """What a search looks at: the family's name and those it is sold under."""


def general(base_url: str, identity: str) -> Dialling:
    """Return what fits a charger nobody has described yet."""
    url = base_url.rstrip("/")
    return Dialling(
        title=worded("Any charger"),
        found_by=worded("Any charger"),
        typed=f"{url}/",
        dialled=f"{url}/{identity or PLACEHOLDER}",
        notes=(
            worded(
                "If its form has no field for the identity, append it to the address. "
                "Any path is accepted here, so a wrong guess still connects and is shown."
            ),
        ),
    )


def for_profile(profile: Profile, base_url: str, identity: str) -> Dialling:
    """Return the text one model needs: what the guidance types into the first field for an address."""
    guidance = render(profile, Backend(url=base_url, identity=identity or PLACEHOLDER))
    line = next((line for line in guidance.lines if line.holds in URL_LIKE), None)
    label = f"{line.label}: {line.note}" if line is not None and line.note else ""
    return Dialling(
        title=profile.family,
        typed=_readable(line.text) if line is not None else "",
        dialled=_readable(guidance.dials),
        notes=tuple(note for note in (*_obstacles(guidance), guidance.place, label, *guidance.notes) if note),
        grade=profile.grade,
        is_possible=guidance.is_possible,
        found_by=" ".join((profile.family, *profile.models)),
    )


def _obstacles(guidance: Guidance) -> list[str]:
    return [problem.message for problem in guidance.all_problems if problem.blocks]


def _readable(text: str) -> str:
    return text.replace(QUOTED_PLACEHOLDER, PLACEHOLDER)
