"""A site's file: what a person may write, and what they are told about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bridge.station import Start
from app.errors import SiteError
from app.model.backend import SecurityProfile
from app.service.reading import load

GOOD = """
[site]
name = "Harbour garage"
address = "192.0.2.10"

[backend.main]
url = "wss://csms.example/ocpp"
version = "2.0.1"
security_profile = 2

[backend.old]
url = "ws://old.example:8080"

[standin]
dns = true
name_sets = ["juicebox-enel-us"]
ntp = true

[[box]]
id = "0910042001260513476122621631"
identity = "STALL-1"
circuit_a = 32
start = "tag"
id_tag = "FREE"
password = "file:stall1.secret"

[[relay]]
identity = "DC-1"
unit_identity = "old-name"
backend = "old"
"""


def write(folder: Path, text: str, name: str = "site.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def secret(folder: Path, name: str, value: str, mode: int = 0o600) -> None:
    path = folder / name
    path.write_text(value, encoding="utf-8")
    path.chmod(mode)


def problems(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(SiteError) as caught:
        load(write(folder, text), environment={})
    return caught.value.problems


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    secret(tmp_path, "stall1.secret", "correct horse battery\n")
    plan = load(write(tmp_path, GOOD), environment={})
    (box,), (relay,) = plan.boxes, plan.relays
    assert (plan.name, plan.address, plan.folder) == ("Harbour garage", "192.0.2.10", tmp_path / "state")
    assert (box.backend, box.start, box.circuit_a, box.secret.reveal()) == (
        "main", Start.TAG, 32.0, "correct horse battery",
    )  # fmt: skip
    assert (relay.backend, relay.unit_identity, relay.adds_boot) == ("old", "old-name", True)
    assert [backend.security_profile for backend in plan.backends] == [
        SecurityProfile.TLS_BASIC, SecurityProfile.NONE,
    ]  # fmt: skip
    assert (plan.standin.dns, plan.standin.web) == (True, False)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('id_tag = "FREE"\n', "").replace("circuit_a = 32", "circuit_a = 4\ncolour = 1")
    text = text.replace('backend = "old"', 'backend = "none"').replace('"192.0.2.10"', '"somewhere"')
    found = problems(tmp_path, text)
    expected = [
        "address: “somewhere” is not an IP address",
        "box[1].password: stall1.secret can't be read: No such file or directory",
        "box[1].id_tag: is needed where start is “tag”",
        "box[1].circuit_a: must be between 6 and 80",
        "box[1].colour: is not a key of this table",
        "relay[1].backend: there is no [backend.none]",
    ]
    for text in expected:
        assert any(text in problem for problem in found), (text, found)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('url = "wss://csms.example/ocpp"', 'url = "ws://csms.example/ocpp"', "security profile 2 needs wss://"),
        ('url = "wss://csms.example/ocpp"', 'url = "https://csms.example"', "must begin with ws:// or wss://"),
        ('url = "wss://csms.example/ocpp"', 'url = "wss://me:pw@csms.example"', "must hold no login"),
        ("security_profile = 2", "security_profile = 3", "are needed for security profile 3"),
        ('version = "2.0.1"', 'version = "1.5"', "must be one of 1.6, 2.0.1"),
        ('password = "file:stall1.secret"', 'password = "plain text"', "a secret does not stand in this file"),
        ('identity = "STALL-1"', 'identity = "Stall 1"', "has characters that backends refuse"),
        ('identity = "DC-1"', 'identity = "STALL-1"\nbackend = "main"', "has the wrong type"),
        ('id = "0910042001260513476122621631"', 'id = "x"', "is not a JuiceBox's serial number"),
        ("circuit_a = 32", "circuit_a = true", "box[1].circuit_a: has the wrong type (bool)"),
        ("circuit_a = 32", "", "box[1].circuit_a: is missing"),
        ("[standin]", "[standing]", "standing: is not a key of this table"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    secret(tmp_path, "stall1.secret", "correct horse battery")
    text = GOOD.replace(old, new, 1)
    if told == "has the wrong type":
        with pytest.raises(SiteError, match="is not TOML"):  # a key twice
            load(write(tmp_path, text), environment={})
        return
    assert any(told in problem for problem in problems(tmp_path, text))


def test_two_units_of_one_name_are_refused(tmp_path: Path) -> None:
    secret(tmp_path, "stall1.secret", "correct horse battery")
    box = GOOD[GOOD.index("[[box]]") : GOOD.index("[[relay]]")]
    found = problems(tmp_path, GOOD + box)
    assert "the identity STALL-1 at main stands there 2 times" in found
    assert "the box id 0910042001260513476122621631 stands there 2 times" in found


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret(tmp_path, "stall1.secret", "correct horse battery", 0o644)
    assert any("can be read by others; chmod 600" in problem for problem in problems(tmp_path, GOOD))


def test_secrets_come_from_the_environment_and_from_systemd(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "stall").write_text("from systemd", encoding="utf-8")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "given"), "STALL": "from outside"}
    for place, value in (("env:STALL", "from outside"), ("credential:stall", "from systemd")):
        path = write(tmp_path, GOOD.replace("file:stall1.secret", place))
        assert load(path, environment=environment).boxes[0].secret.reveal() == value
    for place in ("env:NOTHING", "credential:../given/stall", "credential:none"):
        path = write(tmp_path, GOOD.replace("file:stall1.secret", place))
        with pytest.raises(SiteError):
            load(path, environment=environment)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[site\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"a = " + b"[" * 5000, "is not TOML"),
        (b"#" * 1_000_001, "is longer than"),
        (b"", "nothing to bridge"),
        (b"site = 3\nbox = [1]\nbackend = []\n", "is not a table"),
    ],
)
def test_files_that_are_no_site_are_refused_in_words(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    with pytest.raises(SiteError) as caught:
        load(path, environment={})
    assert told in caught.value.message


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"none\.toml can't be read"):
        load(tmp_path / "none.toml")
