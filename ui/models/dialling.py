"""What to type into a charger so that it dials us, by its model's habit."""

from __future__ import annotations

from dataclasses import dataclass

from app.model.backend import JoinRule, dialled_url
from app.model.profile import Grade, Profile, UrlHabit
from ui.i18n import worded

PLACEHOLDER = "<identity>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """One model's instructions: the exact text for its address field, what it then dials, what to know."""

    title: str
    typed: str
    dialled: str
    notes: tuple[str, ...]
    grade: Grade | None = None
    is_possible: bool = True


def general(base_url: str, identity: str) -> Dialling:
    """Return what fits a charger nobody has described yet."""
    url = base_url.rstrip("/")
    return Dialling(
        title=worded("Any charger"),
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
    """Return the text one model needs."""
    habit = profile.url
    if habit is None:
        plain = general(base_url, identity)
        return Dialling(
            title=profile.family, typed=plain.typed, dialled=plain.dialled, notes=plain.notes, grade=profile.grade
        )
    typed = _typed(habit, base_url.rstrip("/"), identity)
    dialled = dialled_url(typed, identity or PLACEHOLDER, habit.join).replace("%3Cidentity%3E", PLACEHOLDER)
    notes = [habit.note] if habit.note else []
    if habit.limit is not None and len(typed) > habit.limit:
        text = "Too long: this model keeps {limit} characters, this is {count}."
        notes.insert(0, worded(text, limit=habit.limit, count=len(typed)))
    scheme = base_url.partition(":")[0]
    if scheme not in habit.schemes:
        notes.insert(0, worded("This model can't dial {scheme}://.", scheme=scheme))
    return Dialling(
        title=profile.family,
        typed=typed,
        dialled=dialled,
        notes=tuple(notes),
        grade=profile.grade,
        is_possible=scheme in habit.schemes and (habit.limit is None or len(typed) <= habit.limit),
    )


def _typed(habit: UrlHabit, url: str, identity: str) -> str:
    if habit.join is JoinRule.AS_IS:
        return f"{url}/{identity or PLACEHOLDER}"
    return f"{url}/" if habit.join is JoinRule.APPEND_IF_MISSING else url
