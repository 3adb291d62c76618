"""What is rendered to type leads to the backend and nowhere else, for every habit; limits and secrets are never silent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.driver.registry import load_profiles
from app.model.backend import Backend, JoinRule, SecurityProfile
from app.model.guidance import ADDRESS_FIELDS, Guidance, render
from app.model.profile import Profile
from app.model.profile_reading import parse
from app.model.secret import Secret

PROFILES = load_profiles(resources.texts("profiles", ".toml"))
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SOURCE = {"source": "a manual", "grade": "source"}

hosts = st.sampled_from(["csms.example", "192.168.1.20", "[fd00::1]", "CSMS.Example", "a-b.c"])
ports = st.sampled_from(["", ":80", ":443", ":8180"])
paths = st.lists(st.sampled_from(["ocpp", "16", "a%20b", "Ä", ""]), max_size=4).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
identities = st.text(st.characters(codec="utf-8", exclude_characters="/:", exclude_categories=["C"]), min_size=1)
secrets = st.text(st.sampled_from("QXZ!§9"), min_size=8, max_size=30).map(lambda text: Secret(f"~{text}~"))
profiles_of_security = st.sampled_from(SecurityProfile)


@st.composite
def backends(draw: st.DrawFn, schemes: tuple[str, ...] = ("ws", "wss")) -> Backend:
    scheme = draw(st.sampled_from(schemes))
    return Backend(
        url=f"{scheme}://{draw(hosts)}{draw(ports)}{draw(paths)}",
        identity=draw(identities),
        security_profile=draw(profiles_of_security),
        secret=draw(secrets),
    )


def guided(*fields: dict[str, Any], **url: Any) -> Profile:
    return parse(
        {
            "id": "x",
            "family": "X",
            "vendor": "X",
            "driver": "ocpp-local",
            "approach": "guided",
            "evidence": [SOURCE],
            "timing": {"restart_s": 1, "redial_s": 1, "patience_s": 1},
            "guide": {"tool": "app", "place": "Menu", "fields": [{**SOURCE, **item} for item in fields], **SOURCE},
            **({"url": url} if url else {}),
        },
        origin="x",
    )


URL = {"label": "Server URL", "holds": "url"}
IDENTITY = {"label": "Charger ID", "holds": "identity"}
KEY = {"label": "Password", "holds": "secret"}


def plain(url: str = "ws://csms.example/ocpp", identity: str = "BOX-1") -> Backend:
    return Backend(url=url, identity=identity)


def with_key(secret: str) -> Backend:
    return Backend(
        url="wss://csms.example/ocpp",
        identity="BOX-1",
        security_profile=SecurityProfile.TLS_BASIC,
        secret=Secret(secret),
    )


def words(guidance: Guidance) -> str:
    return " ".join(problem.message for problem in guidance.all_problems)


def leads_to(guidance: Guidance, backend: Backend) -> bool:
    return Backend(url=guidance.dials, identity="").same_target(Backend(url=backend.full_url, identity=""))


FORMS = [
    (JoinRule.APPEND, ""),
    (JoinRule.APPEND, "no-scheme"),
    (JoinRule.APPEND, "no-trailing-slash"),
    (JoinRule.APPEND_IF_MISSING, ""),
    (JoinRule.APPEND_IF_MISSING, "no-scheme"),
    (JoinRule.APPEND_IF_MISSING, "trailing-slash"),
    (JoinRule.AS_IS, ""),
    (JoinRule.AS_IS, "no-scheme"),
]


@given(backends(), st.sampled_from(FORMS))
def test_every_habit_dials_the_whole_address_of_the_backend(backend: Backend, habit: tuple[JoinRule, str]):
    rule, form = habit
    guidance = render(guided(URL | {"form": form}, KEY, join=rule.value), backend)
    assert leads_to(guidance, backend), guidance
    assert not any(problem.field == "url" and problem.blocks for problem in guidance.all_problems) or "blank" in words(
        guidance
    )


@given(backends(), st.sampled_from(JoinRule), st.booleans())
def test_host_port_and_path_fields_put_together_lead_there_too(backend: Backend, rule: JoinRule, is_split: bool):
    where = ("host", "port") if is_split else ("host-port",)
    fields = [{"label": holds, "holds": holds} for holds in (*where, "path")]
    assert leads_to(render(guided(*fields, join=rule.value), backend), backend)


@given(backends(), st.sampled_from(PROFILES))
def test_no_shipped_profile_sends_a_charger_elsewhere_without_a_word(backend: Backend, profile: Profile):
    guidance = render(profile, backend, root_pem=PEM)
    if guidance.is_possible:
        assert leads_to(guidance, backend)
        assert backend.url.partition(":")[0] in (profile.url.schemes if profile.url else ("ws", "wss"))


@given(backends(), st.sampled_from(PROFILES))
def test_a_secret_stands_in_its_own_line_and_nowhere_else(backend: Backend, profile: Profile):
    guidance = render(profile, backend)
    for spelling in backend.secret.spellings():
        assert spelling not in repr(guidance)
        assert all(spelling not in line.text for line in guidance.lines if not line.is_secret)
        assert spelling not in words(guidance) + guidance.dials + " ".join(guidance.notes)


@given(backends(), st.sampled_from(PROFILES))
def test_a_limit_is_never_passed_silently(backend: Backend, profile: Profile):
    guidance = render(profile, backend)
    limits = [item.limit for item in profile.guide.fields] if profile.guide else [None]
    for line, limit in zip(guidance.lines, limits, strict=True):
        url_limit = profile.url.limit if profile.url and line.holds == "url" else None
        for most in (limit, url_limit):
            assert most is None or len(line.text) <= most or any(problem.blocks for problem in line.problems)


def test_the_lines_keep_the_order_of_the_page():
    guidance = render(guided(IDENTITY, KEY, URL, join="append"), plain())
    assert [(line.label, line.text) for line in guidance.lines] == [
        ("Charger ID", "BOX-1"),
        ("Password", ""),
        ("Server URL", "ws://csms.example/ocpp"),
    ]
    assert "empty" in guidance.lines[1].note


def test_forty_digits_are_filled_up_and_said():
    hex40 = guided(URL, KEY | {"form": "hex40"}, join="append")
    short = render(hex40, with_key("Secret-Key-16-by"))
    assert short.lines[1].text == b"Secret-Key-16-by".hex() + "00000000"
    assert "zeros" in words(short)
    assert short.is_possible
    whole = render(hex40, with_key("ThisIsMy20ByteKey012"))
    assert (whole.lines[1].text, words(whole)) == ("5468697349734d793230427974654b6579303132", "")
    digits = render(hex40, with_key("Ab" * 20))
    assert (digits.lines[1].text, digits.is_possible) == ("Ab" * 20, True)
    assert "digits stand for" in words(digits)
    assert "20 bytes" in words(render(hex40, with_key("x" * 21)))
    assert not render(hex40, with_key("x" * 21)).is_possible


def test_hex_is_the_password_digit_by_digit():
    assert render(guided(URL, KEY | {"form": "hex"}, join="append"), with_key("Ab1")).lines[1].text == "416231"


@pytest.mark.parametrize(
    ("profile", "backend", "said"),
    [
        (guided(URL, join="append", limit=10), plain(), "keeps 10 characters"),
        (guided(URL | {"limit": 9}, join="append"), plain(), "keeps 9 characters"),
        (guided(URL, join="append", schemes=["ws"]), plain("wss://csms.example/"), "can't dial wss://"),
        (guided(URL, join="append"), with_key("a-password-of-it"), "take a password"),
        (guided(URL, KEY, join="append", secret_limit_bytes=8), with_key("a-password-of-it"), "8 bytes"),
        (guided({"label": "Server", "holds": "host-port"}, join="append"), plain(), "it would dial"),
        (guided(IDENTITY, join="append"), plain(), "No field for the address"),
        (guided(URL, join="append"), plain("http://csms.example"), "ws://"),
        (guided(URL, join="append"), plain(identity="a/b"), "slash"),
    ],
)
def test_what_does_not_fit_is_said_and_stops(profile: Profile, backend: Backend, said: str):
    guidance = render(profile, backend)
    assert said in words(guidance)
    assert not guidance.is_possible


def test_a_client_certificate_is_not_promised():
    backend = Backend(url="wss://csms.example/", identity="B", security_profile=SecurityProfile.TLS_CLIENT)
    assert "client certificate" in words(render(guided(URL, KEY, join="append"), backend))


def test_the_root_certificate_is_a_file_only_where_tls_is_spoken():
    profile = guided(URL, KEY, {"label": "Certificate", "holds": "certificate"}, join="append")
    line = render(profile, with_key("a-password-of-it"), root_pem=PEM).lines[2]
    assert (line.text, line.is_file) == (PEM, True)
    missing = render(profile, with_key("a-password-of-it"))
    assert "root certificate" in words(missing)
    assert missing.is_possible
    without = render(profile, plain(), root_pem=PEM).lines[2]
    assert (without.text, without.is_file) == ("", False)
    assert "Not needed" in without.note


def test_an_identity_that_needs_codes_is_said():
    as_is = render(guided(URL, join="as_is"), plain(identity="Box 1"))
    assert as_is.lines[0].text == "ws://csms.example/ocpp/Box%201"
    assert "%-codes" in words(as_is)
    assert "%-coded" in " ".join(render(guided(URL, IDENTITY, join="append"), plain(identity="Box 1")).notes)


def test_a_subprotocol_field_tells_tls():
    profile = guided(URL, {"label": "Port", "holds": "subprotocol", "form": "s-if-tls"}, join="append")
    assert render(profile, plain()).lines[1].text == "ocpp1.6"
    assert render(profile, plain("wss://csms.example/")).lines[1].text == "socpp1.6"


def test_an_unknown_habit_is_said_to_be_unknown():
    guidance = render(guided(URL), plain())
    assert not guidance.is_certain
    assert "not known" in guidance.notes[0]
    assert guidance.dials == "ws://csms.example/ocpp/BOX-1"


def test_addresses_never_stand_in_other_lines():
    for profile in PROFILES:
        for line in render(profile, plain()).lines:
            assert line.holds in ADDRESS_FIELDS or "csms.example" not in line.text
