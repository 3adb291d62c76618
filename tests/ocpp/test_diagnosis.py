"""Findings and their texts: every code is explained, every explanation is filled, nothing is markup."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app import resources
from app.diagnosis import applied, catalogue
from app.diagnosis.watch import Watch
from app.errors import ProfileError
from app.model.finding import Finding, Severity
from app.model.frame import Boot, Handshake, Knock
from app.model.observation import BootSeen, Stateless, Unbooted, UnsetClock

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMED = {
    "URL-COMPOSE",
    "SUBPROTO-NONE",
    "AUTH-401",
    "SCHEME-PORT",
    "SOAP-LEGACY",
    "HS-HEADER",
    "JSON-BROKEN",
    "BOOT-SCHEMA",
    "ID-SPELLING",
    "ID-TWIN",
    "CLOCK",
    "NO-BOOT-ON-RECONNECT",
    "NOT-APPLIED",
    "SLOW-RETURN",
    "STATUS-MISSING",
}


def shake(remote: str = "10.0.0.1:5", identity: str = "CP") -> Handshake:
    return Handshake(
        raw=b"",
        request_line=f"GET /{identity} HTTP/1.1",
        path=f"/{identity}",
        headers=(),
        identity=identity,
        subprotocols=("ocpp1.6",),
        chosen_subprotocol="ocpp1.6",
        remote=remote,
    )


def boot(serial: str) -> BootSeen:
    fields = {"chargePointVendor": "V", "chargePointModel": "M"}
    return BootSeen(handshake=shake(), boot=Boot(serial=serial, fields=fields))


def test_every_named_failure_has_its_text():
    assert set(catalogue.catalogue()) >= NAMED


@pytest.mark.parametrize("code", sorted(resources.texts("failures", ".toml")))
def test_every_text_is_whole_and_plain(code: str):
    if code.startswith("_"):
        return
    text = catalogue.catalogue()[code]
    finding = Finding(code=code, severity=Severity.INFO, details=dict.fromkeys(text.details, "<b>x</b>\n\u202e"))
    told = catalogue.explain(finding)
    for part in (told.title, told.symptom, told.cause, told.remedy, told.vendor):
        assert "{" not in part
        assert "\n" not in part
        assert "\u202e" not in part
    assert told.is_known
    assert text.title[0].isupper()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title = 5", "title"),
        ('title = "t"', "symptom"),
        ('title="t"\nsymptom="s"\ncause="c"\nremedy="r"', "source"),
        ('title="t"\nsymptom="s"\ncause="{x}"\nremedy="r"\nsources=["s"]', "placeholder"),
        ('title="t"\nsymptom="s"\ncause="c"\nremedy="r"\nsources=["s"]\nextra=1', "extra"),
        ('title="<b>t</b>"\nsymptom="s"\ncause="c"\nremedy="r"\nsources=["s"]', "markup"),
        ("no toml at all", "X-1"),
    ],
)
def test_a_careless_text_is_refused(text: str, fault: str):
    with pytest.raises(ProfileError) as error:
        catalogue.parse("X-1", text)
    assert fault in error.value.message


def test_an_unknown_code_explains_itself():
    told = catalogue.explain(Finding(code="NEW-ONE", severity=Severity.INFO))
    assert (told.title, told.is_known) == ("NEW-ONE", False)


@pytest.mark.parametrize("former", sorted(catalogue.FORMER))
def test_a_name_of_an_older_version_is_explained_by_its_new_one(former: str):
    details = {"identity": "CP1", "url": "ws://new.example", "answer": "HTTP 400", "compared": "So it is."}
    told = catalogue.explain(Finding(code=former, severity=Severity.WARNING, details=details))
    assert told.is_known
    assert "unknown" not in told.cause.replace("unknown authority", "")


def test_notes_on_frames_are_put_into_words():
    assert "5 elements" in catalogue.explain_note("ELEMENTS-5")
    assert catalogue.explain_note("SOMETHING-ELSE") == "SOMETHING-ELSE"


def test_one_identity_from_two_addresses_in_turn_is_a_twin():
    watch = Watch()
    codes = [
        [finding.code for finding in watch(shake(remote))] for remote in ("10.0.0.1:5", "10.0.0.2:6", "10.0.0.1:7")
    ]
    assert codes == [[], [], ["ID-TWIN"]]


def test_a_new_lease_is_no_twin():
    watch = Watch()
    assert not any(list(watch(shake(remote))) for remote in ("10.0.0.1:5", "10.0.0.2:6", "10.0.0.2:7", "10.0.0.3:1"))


def test_one_identity_with_two_serials_is_a_twin():
    watch = Watch()
    assert not list(watch(boot("A")))
    assert not list(watch(boot("")))
    (finding,) = watch(boot("B"))
    assert finding.code == "ID-TWIN"
    assert finding.evidence[0].text == "A and B"


def test_an_empty_vendor_is_told_although_the_schema_allows_it():
    (finding,) = Watch()(BootSeen(handshake=shake(), boot=Boot(fields={"chargePointModel": "M"})))
    assert finding.code == "BOOT-SCHEMA"
    assert "chargePointVendor" in catalogue.explain(finding).cause


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (UnsetClock(action="StatusNotification", stamp="1970-01-01T00:00:00Z", at=NOW), "CLOCK"),
        (Unbooted(waited_s=30, heard=("Heartbeat",)), "NO-BOOT-ON-RECONNECT"),
        (Stateless(waited_s=30), "STATUS-MISSING"),
        (Knock(seq=1, at=NOW, remote="x", verdict="tls", text="", first_bytes=b"\x16"), "SCHEME-PORT"),
        (Knock(seq=1, at=NOW, remote="x", verdict="soap", text="", first_bytes=b"POST"), "SOAP-LEGACY"),
    ],
)
def test_an_observation_becomes_its_finding(seen: object, code: str):
    (finding,) = Watch()(seen)  # type: ignore[arg-type]
    assert finding.code == code
    assert finding.evidence
    assert catalogue.explain(finding).is_known


def test_a_setting_that_took_is_no_finding():
    assert applied.not_applied("key", "value", "value") is None


@pytest.mark.parametrize(
    ("found", "shape"), [("ws://a", "only the first 6 of 12"), ("other", "“other”"), (None, "nothing")]
)
def test_a_setting_that_did_not_take_is_told_by_its_shape(found: str | None, shape: str):
    finding = applied.not_applied("key", "ws://abcdefg", found)
    assert finding is not None
    assert shape in catalogue.explain(finding).cause


def test_a_secret_that_did_not_take_is_not_quoted():
    finding = applied.not_applied("key", "hunter22", "hunter", is_secret=True)
    assert "hunter" not in repr(finding)


def test_a_return_is_slow_after_twice_the_usual_and_overdue_after_its_patience():
    assert applied.slow_return(100, 1200, 60) is None
    amber, red = applied.slow_return(130, 1200, 60), applied.slow_return(1200, 1200, 60)
    assert amber is not None
    assert red is not None
    assert (amber.severity, red.severity) == (Severity.WARNING, Severity.FAULT)
    assert "20 min" in catalogue.explain(red).remedy
