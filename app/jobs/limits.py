"""What a family's profile says of this very charger before a plan is carried out: firmware limits, doors by hand."""

from __future__ import annotations

from collections.abc import Iterator

from app.model.firmware import meets
from app.model.profile import FirmwareRule, Profile


def warnings(profile: Profile | None, version: str, *, is_by_hand: bool) -> Iterator[tuple[str, str]]:
    """Yield what to know before, each with its source.

    Firmware limits that are met are left out. Doors of what is written over an interface are acknowledged one by one
    (``app.jobs.doors``); where everything is typed by hand nothing stops at them, so they are said here.
    """
    if profile is None:
        return
    for rule in profile.firmware:
        is_met = meets(rule, version)
        if is_met is not True:
            yield _limit(rule, version, is_known=is_met is not None), rule.evidence.source
    for door in profile.one_way_doors if is_by_hand else ():
        yield f"Can't be undone: {door.text}", door.evidence.source


def _limit(rule: FirmwareRule, version: str, *, is_known: bool) -> str:
    wanted = " ".join(
        part
        for part in (f"from {rule.minimum}" if rule.minimum else "", f"to {rule.maximum}" if rule.maximum else "")
        if part
    )
    told = f"It has {version}." if is_known else "Whether it has that is not known."
    return " ".join(part for part in (f"Firmware {wanted}: {rule.needs.rstrip('.')}.", told, rule.update) if part)
