"""The ways that are left: read strictly, each founded, and named by every profile that offers one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.diagnosis.ways import parse, ways
from app.driver.registry import load_profiles
from app.errors import ProfileError
from app.model.profile import Grade

GOOD = """
[dns]
title = "By DNS"
works_when = "a"
fails_when = "b"
risk = "c"
source = "somewhere"
grade = "source"
"""


def test_every_way_says_when_it_works_when_it_fails_and_what_is_left_of_risk():
    assert {"ask-old-backend", "dns-stand-in", "install-root-first", "new-sim", "controller-swap"} <= set(ways())
    for way in ways().values():
        assert all((way.title, way.works_when, way.fails_when, way.risk, way.evidence.source))
        assert way.evidence.grade is not Grade.UNVERIFIED
    assert next(iter(ways())) == "ask-old-backend", "the best way comes first"
    assert not ways()["firmware-reflash"].is_for_the_field


def test_every_try_of_every_profile_names_a_way():
    for profile in load_profiles(resources.texts("profiles", ".toml")):
        for attempt in profile.tries:
            assert attempt.way in ways(), f"{profile.id}: {attempt.way}"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('risk = "c"', "", "risk"),
        ('risk = "c"', 'risk = " "', "risk"),
        ('risk = "c"', "risk = 3", "risk"),
        ('risk = "c"', 'risk = "c"\nprice = 3', "price"),
        ('risk = "c"', 'risk = "c"\nneeds = "tools"', "needs"),
        ('risk = "c"', 'risk = "c"\nis_for_the_field = 1', "is_for_the_field"),
        ('grade = "source"', 'grade = "rumour"', "rumour"),
        ('source = "somewhere"', "", "source"),
        ("[dns]", "x = 1\n[dns]", "“x”"),
        ("[dns]", "[dns", "ways.toml"),
    ],
)
def test_a_wrong_file_is_refused_by_name(old: str, new: str, named: str):
    with pytest.raises(ProfileError, match=re.escape(named)):
        parse(GOOD.replace(old, new))


@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    try:
        parse(text)
    except ProfileError as error:
        assert error.advice
