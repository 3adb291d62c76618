"""Profiles are read strictly, and docs/profiles.md names every key the reader takes."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.driver import described, states
from app.driver.registry import load_profiles
from app.errors import ProfileError
from app.model.backend import JoinRule
from app.model.profile import Approach, Grade
from app.model.profile_reading import parse

EVIDENCE = [{"source": "repo:path", "grade": "source"}]
LEAST: dict[str, Any] = {
    "id": "x",
    "family": "X",
    "vendor": "X",
    "driver": "d",
    "approach": "direct",
    "evidence": EVIDENCE,
    "timing": {"restart_s": 1, "redial_s": 2, "patience_s": 3},
}


FIELD = {"label": "Server", "holds": "url", "source": "x", "grade": "source"}
GUIDE = {"tool": "The app", "place": "Settings › OCPP", "source": "x", "grade": "source"}


def read(**changes: Any) -> Any:
    return parse(LEAST | changes, origin="test")


def test_the_least_profile():
    profile = read()
    assert (profile.timing.redial_s, profile.connectors, profile.url) == (2.0, 1, None)
    assert profile.grade is Grade.SOURCE


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"colour": "red"}, "colour"),
        ({"id": 7}, "id"),
        ({"connectors": True}, "connectors"),
        ({"evidence": []}, "evidence"),
        ({"evidence": [{"source": " ", "grade": "source"}]}, "source"),
        ({"evidence": [{"source": "x", "grade": "sure"}]}, "sure"),
        ({"evidence": [{"source": "x", "grade": "source", "why": "x"}]}, "why"),
        ({"url": {"join": "glue"}}, "glue"),
        ({"url": {}}, "join"),
        ({"match": {"boot_vendor_like": "("}}, "boot_vendor_like"),
        ({"match": {"ports": [70000]}}, "ports"),
        ({"match": {"mdns_types": "_x._tcp"}}, "mdns_types"),
        ({"timing": {"restart_s": "1"}}, "restart_s"),
        ({"quirks": [{"id": "q", "text": "t"}]}, "source"),
        ({"one_way_doors": [{"id": "q", "text": "t", "source": "x"}]}, "grade"),
        ({"instructions": [1]}, "instructions"),
        ({"approach": "magic"}, "magic"),
        ({"approach": "guided"}, "[guide]"),
        ({"guide": GUIDE}, "[guide]"),
        ({"approach": "guided", "guide": GUIDE | {"restart": "often"}}, "often"),
        ({"approach": "guided", "guide": GUIDE | {"fields": [FIELD | {"holds": "colour"}]}}, "colour"),
        ({"approach": "guided", "guide": GUIDE | {"fields": [FIELD | {"form": "hex"}]}}, "hex"),
        ({"approach": "guided", "guide": GUIDE | {"fields": [FIELD | {"holds": "choice"}]}}, "value"),
        ({"approach": "guided", "guide": GUIDE | {"fields": [{"label": "URL", "holds": "url"}]}}, "source"),
        ({"firmware": [{"needs": "OCPP", "source": "x", "grade": "source"}]}, "minimum"),
        ({"tries": [{"way": "dns"}]}, "source"),
        ({"outlook": {"verdict": "maybe", "reason": "x", "source": "x", "grade": "source"}}, "maybe"),
        ({"match": {"scheme": "gopher"}}, "gopher"),
        ({"match": {"mac_prefixes": ["AA:BB"]}}, "AA:BB"),
    ],
)
def test_a_wrong_profile_is_refused_by_name(changes: dict[str, Any], names: str):
    with pytest.raises(ProfileError, match=re.escape(names)) as caught:
        read(**changes)
    assert "docs/profiles.md" in caught.value.advice


def test_a_file_that_is_no_toml_is_named():
    with pytest.raises(ProfileError, match="broken"):
        load_profiles({"broken": "id = "})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*LEAST, "match", "url", "quirks", "backend_keys", "priority"]), JSON)
def test_any_value_anywhere_is_read_or_refused(key: str, value: Any):
    with suppress(ProfileError):
        parse(LEAST | {key: value}, origin="test")


def test_every_shipped_profile_is_read_and_founded():
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    assert len({profile.id for profile in profiles}) == len(profiles)
    for profile in profiles:
        assert profile.grade is not Grade.UNVERIFIED


def test_a_guide_is_read_whole():
    profile = read(approach="guided", guide=GUIDE | {"fields": [FIELD | {"form": "no-scheme", "limit": 60}]})
    assert profile.approach is Approach.GUIDED
    assert profile.guide is not None
    assert (profile.guide.fields[0].form, profile.guide.fields[0].limit, profile.guide.restart) == (
        "no-scheme",
        60,
        "unknown",
    )


def test_openevse_habits():
    profile = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "openevse-wifi")
    assert profile.url is not None
    assert (profile.url.join, profile.url.secret_limit_bytes) == (JoinRule.APPEND_IF_MISSING, 20)
    assert [door.id for door in profile.one_way_doors] == ["max-current-hard"]


def test_the_page_names_every_key_of_the_reader():
    reader = Path("app/model/profile_reading.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'self\.(?:take|texts|tables|regex|choice|one_of)\(\w+, "(\w+)"', reader))
    page = Path("docs/profiles.md").read_text(encoding="utf-8")
    assert keys
    assert {
        key for key in keys if f"`{key}`" not in page and f"`[{key}]`" not in page and f"`[[{key}]]`" not in page
    } == set()


# Descriptions and states


@pytest.mark.parametrize("name", ["openevse-wifi", "openevse-rapi"])
def test_shipped_descriptions_are_read(name: str):
    for key, found in described.load(name).items():
        assert found.key == key
        assert found.label
        assert not found.one_way or found.readonly


@pytest.mark.parametrize(
    "text",
    [
        "[a]",
        "a = 1",
        "[a]\nlabel = 3",
        '[a]\nlabel = "A"\nkind = "odd"',
        '[a]\nlabel = "A"\ncolour = "x"',
        '[a]\nlabel="A"\nlimit = true',
    ],
)
def test_a_wrong_description_is_refused(text: str):
    with pytest.raises(ProfileError, match="a"):
        described.parse(tomllib.loads(text), origin="test")


def test_states_know_a_car():
    table = states.load("openevse")
    assert table.read(254, has_car=True) == ("SuspendedEVSE", "sleeping")
    assert table.read(254, has_car=False) == ("Available", "sleeping")
    assert table.read(3, has_car=True) == ("Charging", "")
    assert table.read(99, has_car=False) == ("", "state 99")


@pytest.mark.parametrize("document", [{"x": {"word": "Available"}}, {"1": {"word": "Fine"}}, {"1": {}}, {"1": 3}])
def test_a_wrong_state_table_is_refused(document: dict[str, Any]):
    with pytest.raises(ProfileError):
        states.parse(document, origin="test")
