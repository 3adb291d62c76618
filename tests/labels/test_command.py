"""``rehome label`` reads photos and lines of a barcode reader, and says which charger they name."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from tests.labels.kit import PHOTOS


@pytest.fixture
def home(tmp_path: Path) -> list[str]:
    lines = '[[listed]]\nserial = "WB-4711-0042"\nidentity = "GARAGE-01"\n'
    (tmp_path / "settings.toml").write_text(lines, encoding="utf-8")
    return ["--home", str(tmp_path)]


@pytest.mark.parametrize("name", ["clean.png", "photo.jpg", "turned.jpg"])
def test_a_photo_drawn_by_other_programs_names_its_charger(
    name: str, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(PHOTOS / name), "--json", *home]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {item["symbology"] for item in found} >= {"QR Code", "Data Matrix"}
    assert {item["verdict"] for item in found} == {"exact"}
    assert {item["targets"][0]["listed"]["identity"] for item in found} == {"GARAGE-01"}


def test_no_secret_of_a_label_is_printed(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for form in ([], ["--json"]):
        main(["label", "--text", "WIFI:S:EVSE-1;P:geheim77;;", str(PHOTOS / "clean.png"), *form, *home])
        said = "".join(capsys.readouterr())
        assert "geheim77" not in said
        assert "8264" not in said


def test_lines_of_a_barcode_reader_are_matched_and_a_look_alike_stops(
    home: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = b"WB47110042\r\n\r\nGARAGE-O1\n\xff\xfe777\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    assert main(["label", "-", "--json", *home]) == 4
    found = json.loads(capsys.readouterr().out)
    assert [item["verdict"] for item in found] == ["exact", "alike", "unknown"]
    assert (found[1]["alike"][0]["scanned"], found[1]["alike"][0]["stands"]) == ("GARAGE-O1", "GARAGE-01")


def test_a_damaged_photo_is_said_and_the_next_one_is_read(
    home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    assert main(["label", str(tmp_path / "bad.jpg"), str(tmp_path), str(PHOTOS / "clean.png"), *home]) == 0
    said = capsys.readouterr()
    assert "bad.jpg: The photo can't be read" in said.err
    assert "verdict  found" in said.out


def test_nothing_found_is_an_exit_code(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "--text", "FOO-1234", *home]) == 3
    assert "not on the list" in capsys.readouterr().out
