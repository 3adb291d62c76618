"""``rehome explain`` over files: the answer for a person and for a program, wishes, and the keys of a move in order."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.diagnosis.keypage import page

ROOT = Path(__file__).resolve().parents[2]
ALFEN = {
    "configurationKey": [
        {"key": "BackOffice-URL-wired", "readonly": False, "value": "ws://old.example/"},
        {"key": "BackOffice-Path-wired", "readonly": False, "value": "old"},
        {"key": "AuthorizationKey", "readonly": False, "value": "geheim12geheim12"},
        {"key": "LocalAuthorizeOffline", "readonly": False, "value": "true"},
        {"key": "AllowOfflineTxForUnknownId", "readonly": False, "value": "true"},
        {"key": "Bell\u0007", "value": "\u001b[31mred"},
    ]
}
EVBOX = "evb_ServerURL=wss://EU.EVERON.IO/\nevb_UseBackend=true\nevb_SerialAsConnectorId=true\nevb_APNName=old\n"
MODEL = [
    {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "NetworkConfigurationPriority"},
        "variableAttribute": [{"value": "1", "mutability": "ReadWrite"}],
    },
    {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": "ActiveNetworkProfile"},
        "variableAttribute": [{"value": "1", "mutability": "ReadOnly"}],
    },
]


@pytest.fixture
def alfen(tmp_path: Path) -> str:
    file = tmp_path / "dump.json"
    file.write_text(json.dumps([3, "1", ALFEN]), encoding="utf-8")
    return str(file)


def facts(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_it_says_which_make_it_is_and_what_each_setting_means(alfen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", alfen]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Alfen Eve, by BackOffice-URL-wired, BackOffice-Path-wired")
    assert "Accept known cards offline: Starts sessions for cards it knows" in told
    assert "geheim" not in told
    assert "\x07" not in told
    assert "\x1b" not in told


def test_as_json_it_is_for_programs(alfen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", alfen, "--json", "--wishes"]) == 0
    told = facts(capsys)
    assert (told["stack"], told["profile"], told["ocpp"], told["is_tie"]) == ("alfen", "ocpp-alfen", "1.6", False)
    assert told["candidates"][0]["proofs"] == ["BackOffice-URL-wired", "BackOffice-Path-wired"]
    assert "HeartbeatInterval" in told["missing"]
    assert {item["question"] for item in told["questions"]} >= {"offline", "billing", "limits"}
    assert "geheim" not in json.dumps(told)


def test_a_wish_that_is_not_fulfilled_ends_with_5_and_the_settings(
    alfen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", alfen, "--json", "--wish", "offline=nobody", "--wish", "billing=ends"]) == 5
    first, second = facts(capsys)["wishes"]
    assert (first["verdict"], second["verdict"]) == ("does not fit", "fits")
    assert {item["key"]: item["after"] for item in first["changes"]} == {
        "LocalAuthorizeOffline": "false",
        "AllowOfflineTxForUnknownId": "false",
    }
    assert main(["explain", alfen, "--brief", "--wish", "offline=everyone"]) == 0
    assert "“Everyone”: fits" in capsys.readouterr().out


@pytest.mark.parametrize("wish", ["offline", "weather=sun", "offline=robots"])
def test_a_wish_nobody_knows_is_refused_with_those_there_are(
    alfen: str, wish: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", alfen, "--wish", wish]) == 1
    assert "→" in capsys.readouterr().err


def test_the_keys_of_a_move_come_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "evbox.txt"
    file.write_text(EVBOX + "AuthorizationKey=\n", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a-new-password-1\n"))
    words = ["--url", "ws://new.example/ocpp", "--identity", "CP-1", "--password-stdin", "--apn", "internet"]
    assert main(["explain", str(file), "--json", *words]) == 0
    out = capsys.readouterr().out
    changes = json.loads(out)["changes"]
    assert [item["key"] for item in changes] == [
        "evb_APNName",
        "AuthorizationKey",
        "evb_SerialAsConnectorId",
        "evb_ServerURL",
    ]
    assert changes[-1]["after"] == "ws://new.example/ocpp/"
    assert "a-new-password-1" not in out
    assert b"a-new-password-1".hex() not in out


def test_a_2x_station_is_moved_over_a_free_slot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"reportData": MODEL}), encoding="utf-8")
    assert main(["explain", str(file), "--json", "--url", "ws://new.example", "--identity", "CP-1"]) == 0
    changes = facts(capsys)["changes"]
    assert [item["key"] for item in changes] == ["NetworkProfile/2", "OCPPCommCtrlr.NetworkConfigurationPriority"]
    assert changes[-1]["after"] == "2,1"


def test_where_no_key_holds_the_address_a_move_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "small.txt"
    file.write_text("HeartbeatInterval=300\n", encoding="utf-8")
    assert main(["explain", str(file), "--url", "ws://new.example", "--identity", "CP-1"]) == 1
    assert "offers no key for its backend address" in capsys.readouterr().err
    assert main(["explain", str(file), "--url", "http://new.example", "--identity", "CP-1"]) == 1
    assert main(["explain", str(file), "--url", "ws://new.example"]) == 2


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"hello\nworld\n", b"[" * 50_000])
def test_a_file_without_settings_is_refused_in_words(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.bin"
    file.write_bytes(content)
    assert main(["explain", str(file)]) == 1
    assert "no settings" in capsys.readouterr().err
    assert main(["explain", str(tmp_path / "gone.json")]) == 1


def test_the_page_of_vendor_keys_is_fresh() -> None:
    written = (ROOT / "docs" / "vendor-keys.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m app.diagnosis.keypage > docs/vendor-keys.md"
