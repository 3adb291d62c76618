"""What profiles know, as pages of documentation: ``python -m app.report.library`` writes them into ``docs``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import app.drivers
from app import resources
from app.driver.registry import Registry, load_drivers, load_profiles
from app.model.profile import Approach, Evidence, FirmwareRule, Profile
from app.report.family import APPROACHES, GRADES, Part, Row, does, firmware_rule, parts, verdict

CHARGERS = "supported-chargers.md"
DOORS = "one-way-doors.md"
HELP = "chargers"
"""Folder of the help pages, one per profile."""

MADE = "made from `resources/profiles` by `python -m app.report.library`; a test keeps it fresh"


def pages(registry: Registry) -> Mapping[str, str]:
    """Return every page by its path below ``docs``."""
    order = sorted(registry.profiles.values(), key=lambda item: (item.vendor.lower(), item.family.lower()))
    profiles = sorted(order, key=lambda item: not item.vendor)
    helps = {f"{HELP}/{item.id}.md": help_page(item, registry) for item in profiles}
    return {CHARGERS: overview(profiles, registry), DOORS: register(profiles), **helps}


def overview(profiles: list[Profile], registry: Registry) -> str:
    """Return the table of all families."""
    counts = Counter(item.approach for item in profiles)
    lines = [
        "# Supported chargers",
        "",
        f"All {len(profiles)} families Rehome knows. This page is {MADE}.",
        "*In general* is what a visit to the family means before its firmware, its backend and its network are looked",
        "at; `rehome triage` says it of one charger. What can't be undone stands in [one-way doors](one-way-doors.md).",
        "",
        "| | families | what that means |",
        "| --- | --- | --- |",
        *(f"| {APPROACHES[kind][0]} | {counts[kind]} | {APPROACHES[kind][1]} |" for kind in Approach if counts[kind]),
        "",
        "Evidence: *proved* seen by us on real units · *from source* read in firmware source or a vendor document ·",
        "*reported* told by users · *unverified* general knowledge, never the ground for a write.",
        "",
        "| vendor | family | way | Rehome | in general | firmware | evidence |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_overview_row(item, registry) for item in profiles),
    ]
    return "\n".join(lines) + "\n"


def _overview_row(profile: Profile, registry: Registry) -> str:
    models = f"<br>{_cell(', '.join(profile.models))}" if profile.models else ""
    firmware = "<br>".join(_cell(firmware_rule(rule)) for rule in profile.firmware)
    cells = (
        _cell(profile.vendor),
        f"[{_cell(profile.family)}]({HELP}/{profile.id}.md){models}",
        APPROACHES[profile.approach][0],
        _cell(does(profile, registry.driver_of(profile))),
        f"{_cell(verdict(profile))} ({GRADES[profile.outlook.evidence.grade]})" if profile.outlook else "",
        firmware,
        GRADES[profile.grade],
    )
    return f"| {' | '.join(cells)} |"


def register(profiles: list[Profile]) -> str:
    """Return the register of what can't be undone and of firmware limits."""
    lines = [
        "# One-way doors and firmware limits",
        "",
        "What can't be undone, family by family, and which firmware is needed for what: shown and acknowledged before",
        f"a job passes them. This page is {MADE}.",
        "",
        "## One-way doors",
        "",
        "| family | what can't be undone | source | evidence |",
        "| --- | --- | --- | --- |",
    ]
    for profile in profiles:
        for door in profile.one_way_doors:
            lines.append(_register_row(profile, door.text, door.evidence))
    lines += ["", "## Firmware limits", "", "| family | limit | source | evidence |", "| --- | --- | --- | --- |"]
    for profile in profiles:
        for rule in profile.firmware:
            lines.append(_register_row(profile, _limit(rule), rule.evidence))
    return "\n".join(lines) + "\n"


def _limit(rule: FirmwareRule) -> str:
    return f"{firmware_rule(rule)}. {rule.update}".strip() if rule.update else firmware_rule(rule)


def _register_row(profile: Profile, text: str, evidence: Evidence) -> str:
    family = f"[{_cell(profile.family)}]({HELP}/{profile.id}.md)"
    return f"| {family} | {_cell(text)} | {_cell(evidence.source)} | {GRADES[evidence.grade]} |"


def help_page(profile: Profile, registry: Registry) -> str:
    """Return one family's help page."""
    driver = registry.driver_of(profile)
    approach, sentence = APPROACHES[profile.approach]
    general = f" In general: **{verdict(profile)}**." if profile.outlook else ""
    lines = [f"# {_text(profile.family)}", "", f"{_text(profile.vendor)} · **{approach}**. {sentence}{general}", ""]
    lines += [_text(profile.summary), ""] if profile.summary else []
    lines += [f"Also: {_text(', '.join(profile.models))}", ""] if profile.models else []
    for part in parts(profile, driver):
        lines += [f"## {part.title}", "", *_rows(part), ""]
    lines += [f"This page is {MADE.replace('resources/profiles', f'resources/profiles/{profile.id}.toml')}."]
    return "\n".join(lines) + "\n"


def _rows(part: Part) -> Iterator[str]:
    for row in part.rows:
        yield f"{_head(row)}{_source(row)}"
        indent = "   " if row.number else "  "
        yield from (f"{indent}- {_text(note)}" for note in row.notes)


def _head(row: Row) -> str:
    text = f"`{row.text}`" if row.is_code else _text(row.text)
    if row.number:
        return f"{row.number}. {text}"
    return f"- **{_text(row.label)}**: {text}" if row.label else f"- {text}"


def _source(row: Row) -> str:
    evidence = row.evidence
    if evidence is None:
        return ""
    grade = GRADES[evidence.grade]
    return f" ({grade})" if evidence.source == row.text else f" ({grade}: {_text(evidence.source)})"


def _text(text: str) -> str:
    """Keep a text from being taken for markup."""
    for sign in ("\\", "*", "[", "]", "`"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.replace("<", "&lt;").split())


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def registry_of_the_program() -> Registry:
    """Load all drivers and profiles."""
    return Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))


def write(folder: Path) -> int:
    """Write all pages below a folder, drop help pages of profiles that are gone, and return how many there are."""
    found = pages(registry_of_the_program())
    (folder / HELP).mkdir(parents=True, exist_ok=True)
    for old in (folder / HELP).glob("*.md"):
        if f"{HELP}/{old.name}" not in found:
            old.unlink()
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return len(found)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1] if len(sys.argv) > 1 else 'docs'))} pages written\n")
