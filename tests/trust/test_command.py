"""``rehome trust``: what it prints and writes, and that no call writes the authority's key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.__main__ import main
from app.trust import describe


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


def test_the_root_is_shown_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    home = ["--home", str(tmp_path / "home")]
    assert main(["trust", "show", "--json", *home]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["root"]["is_ca"]
    assert "authority.pem" in shown["key"]
    assert main(["trust", "export", str(tmp_path / "root.cer"), *home]) == 0
    assert describe.describe((tmp_path / "root.cer").read_bytes()).fingerprint == shown["root"]["fingerprint"]
    assert "PRIVATE" not in capsys.readouterr().out


def test_papers_for_a_charger_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    call = ["trust", "issue", "../CP 7", "--out", str(tmp_path / "out"), "--home", str(tmp_path / "home")]
    assert main(call) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"_CP_7.pem", "_CP_7.key"}
    assert describe.common_name((tmp_path / "out" / "_CP_7.pem").read_text()) == "../CP 7"
    assert "PRIVATE" not in capsys.readouterr().out


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    home = ["--home", str(tmp_path)]
    (tmp_path / "hello.pem").write_text("hello")
    for call, words in (
        (["export"], "needs a name"),
        (["import", str(tmp_path / "hello.pem")], "neither PEM nor PKCS#12"),
        (["import", str(tmp_path / "gone.pem")], "can't be read"),
        (["issue", "CP", "--csr", str(tmp_path / "hello.pem")], "no certificate signing request"),
    ):
        assert main(["trust", *call, *home]) == 1
        assert words in capsys.readouterr().err


def test_a_face_that_is_not_there_keeps_serve_from_starting(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    call = ["serve", "--host", "127.0.0.1", "--port", "0", "--seconds", "1", "--home", str(tmp_path)]
    assert main([*call, "--personality", "imported"]) == 1
    assert "No certificate was imported" in capsys.readouterr().err
