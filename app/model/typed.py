"""What to type at any charger, also one whose own fields nobody has described. Pure."""

from __future__ import annotations

from dataclasses import replace

from app.model.backend import Backend, JoinRule, Problem
from app.model.guidance import Guidance, Line, render
from app.model.profile import Approach, Profile

NOWHERE = "No place is known where this could be typed at such a charger: these are the texts, should one be found."


def guidance_for(profile: Profile | None, backend: Backend, *, root_pem: str = "") -> Guidance:
    """Return a guided family's fields; for any other: address, identity, both in one line, and the password."""
    if profile is not None and profile.guide is not None:
        return render(profile, backend, root_pem=root_pem)
    if profile is None:
        address = _line("Address", "url", backend.url)
        known = Guidance(profile_id="", family="", lines=(address,), dials=backend.full_url, is_certain=False)
    else:
        known = render(profile, backend)
    problems = known.problems
    if profile is not None and profile.approach is Approach.NONE:
        problems = (*problems, Problem(field="url", message=NOWHERE, blocks=False))
    return replace(known, lines=(*known.lines, *_others(profile, backend)), problems=problems)


def _others(profile: Profile | None, backend: Backend) -> list[Line]:
    lines = []
    if profile is None or profile.url is None or profile.url.join is not JoinRule.AS_IS:
        note = "Where there is one field only."
        lines.append(_line("Identity", "identity", backend.identity))
        lines.append(_line("Both in one line", "url", backend.full_url, note=note))
    if backend.secret:
        lines.append(_line("Password", "secret", backend.secret.reveal(), is_secret=True))
    return lines


def _line(label: str, holds: str, text: str, *, note: str = "", is_secret: bool = False) -> Line:
    return Line(label=label, holds=holds, text=text, note=note, is_secret=is_secret)
