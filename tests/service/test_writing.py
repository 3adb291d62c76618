"""A site file written by the app is the file that is read on the box."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from app.bridge.station import Start
from app.errors import DiskFull, SiteError
from app.model.backend import SecurityProfile
from app.model.secret import Secret
from app.service import writing
from app.service.reading import load
from app.service.site import BackendPlan, BoxPlan, RelayPlan, SitePlan, StandPlan

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def plan(folder: Path) -> SitePlan:
    main = BackendPlan(
        name="main", url="wss://csms.example", version="2.0.1", security_profile=SecurityProfile.TLS_BASIC, roots=(PEM,)
    )
    proved = BackendPlan(name="proved", url="wss://csms.example", security_profile=SecurityProfile.TLS_CLIENT)
    box = BoxPlan(
        identity="STALL-1", backend="main", secret=Secret("correct horse battery"), box_id="0910042001260513",
        circuit_a=32.0, start=Start.TAG, id_tag="FREE", is_revived=True,
    )  # fmt: skip
    relay = RelayPlan(
        identity="DC-1", backend="proved", chain=PEM, key=Secret("-----BEGIN KEY-----"), unit_identity="old",
        unit_secret=Secret("another secret"), watches_only=True, without=("BOOT-ADDED",), vendor="Acme", model="Wall",
    )  # fmt: skip
    return SitePlan(
        name="Harbour", address="192.0.2.10", folder=folder / "state", backends=(main, proved), boxes=(box,),
        relays=(relay,), standin=StandPlan(dns=True, name_sets=("juicebox-enel-us",)),
    )  # fmt: skip


def test_what_is_written_is_read_as_the_same_plan(tmp_path: Path) -> None:
    made = writing.save(plan(tmp_path), tmp_path, with_secrets=True)
    assert made[0] == tmp_path / "site.toml"
    assert load(made[0], environment={}) == plan(tmp_path)
    lines = made[0].read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("[[")] == ["[[box]]", "[[relay]]"]
    assert {path.stat().st_mode & 0o077 for path in made if path.parent.name == "secrets"} == {0}


def test_without_secrets_the_file_says_which_are_missing(tmp_path: Path) -> None:
    writing.save(plan(tmp_path), tmp_path, with_secrets=False)
    text = (tmp_path / "site.toml").read_text(encoding="utf-8")
    assert "correct horse" not in text
    assert not (tmp_path / "secrets").exists()
    with pytest.raises(SiteError) as caught:
        load(tmp_path / "site.toml", environment={})
    missing = [problem for problem in caught.value.problems if "No such file" in problem]
    assert len(missing) == 3


def test_a_full_disk_leaves_the_former_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing.save(plan(tmp_path), tmp_path, with_secrets=True)
    before = (tmp_path / "site.toml").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(DiskFull):
        writing.save(replace(plan(tmp_path), name="Other"), tmp_path, with_secrets=True)
    assert (tmp_path / "site.toml").read_bytes() == before
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.parametrize("identity", ["../../evil", "..\\evil", "/tmp/evil", "DE*ABC/7"])
def test_no_identity_chooses_where_a_secret_is_written(tmp_path: Path, identity: str) -> None:
    site = plan(tmp_path)
    folder = tmp_path / "one" / "two"
    relay = replace(site.relays[0], identity=identity)
    made = writing.save(replace(site, relays=(relay,)), folder, with_secrets=True)
    assert {path.resolve().parent for path in made} == {folder, folder / "secrets"}
    assert all(path.is_file() for path in made)
    assert {path.name for path in tmp_path.iterdir()} == {"one"}
