"""The generated pages: fresh, complete, and every fact with its source and grade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.driver.registry import Registry
from app.model.profile import Approach, Evidence, Grade, OneWayDoor, Profile
from app.report.family import APPROACHES, CAPABILITIES, FORMS, GRADES, HOLDS, TRUST, parts, plain_text
from app.report.library import CHARGERS, DOORS, HELP, help_page, pages, registry_of_the_program

DOCS = Path(__file__).resolve().parents[2] / "docs"
AGAIN = "run: python -m app.report.library"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return registry_of_the_program()


@pytest.fixture(scope="module")
def found(registry: Registry) -> dict[str, str]:
    return dict(pages(registry))


def test_the_pages_say_what_the_profiles_say_now(found: dict[str, str]) -> None:
    for name, text in found.items():
        assert (DOCS / name).is_file(), f"docs/{name} is missing; {AGAIN}"
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name} is old; {AGAIN}"
    strays = {path.name for path in (DOCS / HELP).glob("*.md")} - {Path(name).name for name in found}
    assert not strays, AGAIN


def test_every_family_has_its_line_and_its_page(found: dict[str, str], registry: Registry) -> None:
    for profile in registry.profiles.values():
        lines = [line for line in found[CHARGERS].splitlines() if f"({HELP}/{profile.id}.md)" in line]
        assert len(lines) == 1, profile.id
        assert APPROACHES[profile.approach][0] in lines[0]
        assert lines[0].rstrip(" |").endswith(GRADES[profile.grade])


def test_every_fact_of_a_help_page_stands_with_source_and_grade(registry: Registry) -> None:
    for profile in registry.profiles.values():
        page = help_page(profile, registry)
        facts: tuple[Any, ...] = (
            *profile.quirks,
            *profile.one_way_doors,
            *profile.firmware,
            *profile.backend_keys,
            *profile.tries,
        )
        wanted: list[Evidence] = [fact.evidence for fact in facts]
        wanted += [item.evidence for item in (profile.outlook, profile.guide) if item is not None]
        shown = [row.evidence for part in parts(profile, registry.driver_of(profile)) for row in part.rows]
        for evidence in wanted:
            assert evidence.source
            assert evidence in shown, (profile.id, evidence)
        for evidence in profile.evidence:
            assert f"`{evidence.source}` ({GRADES[evidence.grade]})" in page


def test_doors_and_firmware_limits_are_all_in_the_register(found: dict[str, str], registry: Registry) -> None:
    rows = [line for line in found[DOORS].splitlines() if line.startswith("| [")]
    doors = sum(len(profile.one_way_doors) for profile in registry.profiles.values())
    limits = sum(len(profile.firmware) for profile in registry.profiles.values())
    assert len(rows) == doors + limits


def test_every_word_a_profile_can_use_can_be_said(registry: Registry) -> None:
    assert set(APPROACHES) == set(Approach)
    for profile in registry.profiles.values():
        for field in profile.guide.fields if profile.guide else ():
            assert field.holds in HOLDS
            assert not field.form or field.form in FORMS
        for key in profile.backend_keys:
            assert key.holds in HOLDS
            assert not key.form or key.form in FORMS
        assert profile.url is None or profile.url.trust in TRUST
    named = {kind.__name__ for driver in registry.drivers.values() for kind in driver.capabilities}
    assert named - {"ReadsOneSetting"} <= CAPABILITIES.keys()


def test_no_fact_becomes_markup(registry: Registry) -> None:
    nasty = "a | b <script> [x](y) *z*\nnext"
    evidence = Evidence(source=nasty, grade=Grade.REPORTED)
    base: Profile = registry.profiles["openevse-wifi"]
    profile = replace(base, one_way_doors=(OneWayDoor(id="d", text=nasty, evidence=evidence),))
    changed = Registry(registry.drivers.values(), [profile])
    for name, text in pages(changed).items():
        assert "<script>" not in text, name
        assert "[x](y)" not in text
    (row,) = [line for line in pages(changed)[DOORS].splitlines() if "script" in line]
    assert row.replace("\\|", "").count("|") == 5


def test_the_text_for_a_colleague_names_every_quirk_with_its_source(registry: Registry) -> None:
    for profile in registry.profiles.values():
        text = plain_text(profile, registry.driver_of(profile))
        for quirk in profile.quirks:
            assert f"{quirk.text} [{quirk.evidence.source}; " in text


def test_a_guided_familys_page_has_every_step_and_field(registry: Registry) -> None:
    for profile in registry.profiles.values():
        if profile.guide is None:
            continue
        text = plain_text(profile, registry.driver_of(profile))
        for step in profile.guide.steps:
            assert step in text
        for field in profile.guide.fields:
            assert f"{field.label}: " in text
