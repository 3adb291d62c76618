"""What the profiles tell a technician: nobody is left without an outlook, a place to type, or something to try."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app import resources
from app.diagnosis.ways import ways
from app.driver.registry import load_profiles
from app.model.backend import Backend, JoinRule, SecurityProfile
from app.model.guidance import URL_LIKE, render
from app.model.profile import Approach, Evidence, Grade, Profile, Verdict
from app.model.secret import Secret

PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}
EACH = [pytest.param(profile, id=profile.id) for profile in PROFILES.values()]
GUIDED = [pytest.param(one, id=one.id) for one in PROFILES.values() if one.approach is Approach.GUIDED]
NOBODY = [pytest.param(one, id=one.id) for one in PROFILES.values() if one.approach is Approach.NONE]

TABLE_2_8 = {
    "ABB Terra AC": "abb-terra-ac",
    "ABB Terra DC": "abb-terra-dc",
    "Autel MaxiCharger AC / Compact": "autel-maxicharger",
    "Wallbox": "wallbox",
    "Easee": "easee",
    "Zaptec": "zaptec",
    "Schneider EVlink Pro AC": "schneider-evlink",
    "Mennekes ACU / Smart / Gateway": "mennekes-acu",
    "Mennekes AMTRON 4You / 4Business": "mennekes-4you",
    "Etrel / Landis+Gyr INCH, sonnenCharger": "etrel-inch",
    "Vestel EVC04, Webasto Unite, Ampure Unite, E.ON vBox": "vestel-evc04",
    "EN+ Caro": "enplus-caro",
    "SyncEV Compact": "syncev-compact",
    "Grizzl-E": "grizzl-e",
    "FoxESS": "foxess-a",
    "Teison": "teison",
    "Ocular / BS-EV": "ocular-bs-ev",
    "Homecharge": "homecharge-efr",
    "Rolec EVO": "rolec-evo",
    "Amina": "ocpp-amina",
    "Evnex": "ocpp-evnex",
    "Huawei SCharger": "huawei-scharger",
    "NEcharge": "necharge-pro",
    "Lite-On IQW2": "liteon-iqw2",
    "EnerCharge DC": "enercharge-dc",
}
"""Every row of chargers-commercial 2.8, and the profile that carries it."""

EVCC_QUIRKS = {
    "remote-start-only": {"autel-maxicharger", "easee", "wallbox"},
    "stack-level-zero": {"abb-terra-ac", "wallbox"},
    "relative-profiles": {"wallbox"},
    "absolute-profiles": {"juicebox-ocpp"},
    "power-profiles-only": {"huawei-scharger"},
    "no-change-availability": {"enplus-caro"},
    "slow-redial": {"abb-terra-ac", "mennekes-4you", "foxess-a"},
    "meter-interval-floor": {"easee", "mennekes-acu"},
    "no-boot-on-reconnect": {"wallbox", "abb-terra-dc"},
    "no-subprotocol": {"grizzl-e"},
    "empty-boot-vendor": {"huawei-scharger"},
}
"""Quirks by which tests and findings may tell families apart (chargers-commercial part 4; docs/profiles.md)."""

KEY20 = "ThisIsMy20ByteKey012"


def facts(profile: Profile) -> Iterator[Evidence]:
    yield from profile.evidence
    yield from (item.evidence for item in (*profile.quirks, *profile.one_way_doors, *profile.backend_keys))
    yield from (item.evidence for item in (*profile.firmware, *profile.tries))
    if profile.outlook is not None:
        yield profile.outlook.evidence
    if profile.guide is not None:
        yield profile.guide.evidence
        yield from (item.evidence for item in profile.guide.fields)


@pytest.mark.parametrize("profile", EACH)
def test_every_profile_has_an_outlook_and_founded_facts(profile: Profile):
    assert profile.outlook is not None
    assert profile.outlook.reason
    assert profile.summary
    assert all(item.source.strip() for item in facts(profile))


@pytest.mark.parametrize("profile", GUIDED)
def test_who_is_guided_is_told_what_to_type_or_why_not(profile: Profile):
    guide = profile.guide
    assert guide is not None
    assert guide.steps
    if not any(item.holds in URL_LIKE for item in guide.fields):
        assert any("not known" in step for step in guide.steps)
        assert profile.outlook is not None
        assert profile.outlook.verdict is Verdict.UNKNOWN
    assert guide.evidence.grade is not Grade.UNVERIFIED, "a guide is a ground to act"
    if "not known" in guide.place.lower():
        assert profile.url is None, "no habit is claimed of a page nobody has seen"


@pytest.mark.parametrize("profile", NOBODY)
def test_who_is_served_by_nobody_has_something_to_try(profile: Profile):
    assert profile.tries
    assert all(attempt.way in ways() for attempt in profile.tries)
    assert profile.guide is None
    assert profile.outlook is not None
    assert profile.outlook.verdict is not Verdict.NOW


@pytest.mark.parametrize("profile", GUIDED)
def test_an_ordinary_backend_can_be_typed_or_it_is_said_why_not(profile: Profile):
    backend = Backend(url="ws://192.168.1.20:8180", identity="BOX-1")
    guidance = render(profile, backend)
    addressed = any(line.holds in URL_LIKE for line in guidance.lines)
    assert guidance.is_possible == addressed, [problem.message for problem in guidance.all_problems]
    assert guidance.restart
    assert guidance.patience_s >= 300
    if addressed:
        assert Backend(url=guidance.dials, identity="").same_target(Backend(url=backend.full_url, identity=""))


@pytest.mark.parametrize("profile", GUIDED)
def test_forms_and_habits_do_not_contradict_each_other(profile: Profile):
    assert profile.guide is not None
    rule = profile.url.join if profile.url is not None else None
    for item in profile.guide.fields:
        assert item.form != "trailing-slash" or rule in (None, JoinRule.APPEND_IF_MISSING)
        assert item.holds != "identity" or rule is not JoinRule.AS_IS


@pytest.mark.parametrize(("row", "profile_id"), TABLE_2_8.items())
def test_every_row_of_the_table_is_there(row: str, profile_id: str):
    assert profile_id in PROFILES, row


@pytest.mark.parametrize(("quirk", "families"), EVCC_QUIRKS.items())
def test_quirks_that_tests_and_findings_know_stand_where_they_belong(quirk: str, families: set[str]):
    having = {profile.id for profile in PROFILES.values() if any(item.id == quirk for item in profile.quirks)}
    assert families <= having


def test_the_quirks_that_others_may_use_are_listed_in_the_docs():
    page = resources.path("profiles").parents[1].joinpath("docs", "profiles.md").read_text(encoding="utf-8")
    for quirk in EVCC_QUIRKS:
        assert f"`{quirk}`" in page


@pytest.mark.parametrize(
    ("profile_id", "url", "typed"),
    [
        ("teison", "wss://csms.example", ["csms.example:443", "socpp1.6"]),
        ("ocular-bs-ev", "ws://192.168.1.10:9000/central", ["192.168.1.10:9000/central/"]),
        ("grizzl-e", "ws://192.168.1.10:9000", ["192.168.1.10:9000"]),
        ("zaptec", "wss://csms.example/ocpp", ["wss://csms.example/ocpp/BOX-1", KEY20.encode().hex()]),
        (
            "bender-web",
            "ws://backend:8080/OCPPJProxy/v16",
            ["BOX-1", "OCPP-J 1.6", "ws://backend:8080/OCPPJProxy/v16/"],
        ),
    ],
)
def test_each_oddity_of_the_table_is_rendered(profile_id: str, url: str, typed: list[str]):
    has_key = profile_id == "zaptec"
    backend = Backend(
        url=url,
        identity="BOX-1",
        security_profile=SecurityProfile.TLS_BASIC if has_key else SecurityProfile.NONE,
        secret=Secret(KEY20 if has_key else ""),
    )
    guidance = render(PROFILES[profile_id], backend)
    assert [line.text for line in guidance.lines][: len(typed)] == typed
    assert guidance.is_possible


def test_a_path_that_a_charger_can_not_take_is_refused_in_words():
    guidance = render(PROFILES["grizzl-e"], Backend(url="ws://csms.example/ocpp/16", identity="BOX-1"))
    assert not guidance.is_possible
    assert any("it would dial ws://csms.example:80/BOX-1" in problem.message for problem in guidance.all_problems)


def test_no_juicebox_is_said_to_take_another_address_over_ocpp():
    for profile in PROFILES.values():
        if re.search("juice(box|pump)|waybox", profile.id):
            assert profile.approach in (Approach.NONE, Approach.BRIDGE, Approach.DIAGNOSE)
            assert not profile.backend_keys
    assert PROFILES["juicebox-wifi"].outlook is not None
    assert PROFILES["juicebox-wifi"].outlook.verdict is Verdict.BRIDGE
