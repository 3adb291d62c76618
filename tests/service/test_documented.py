"""The site file that docs/bridge.md shows is one that the bridge takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.errors import SiteError
from app.service.reading import load

ROOT = Path(__file__).resolve().parents[2]


def shown(folder: Path) -> Path:
    text = (ROOT / "docs" / "bridge.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(\[site\].*?)```", text, re.DOTALL)
    assert found
    (folder / "secrets").mkdir()
    for name in ("STALL-1.password", "CP-7.password", "old-7.password"):
        (folder / "secrets" / name).write_text("correct horse battery")
        (folder / "secrets" / name).chmod(0o600)
    (folder / "root.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    path = folder / "site.toml"
    path.write_text(found[1], encoding="utf-8")
    return path


def test_every_key_of_the_documented_file_is_known(tmp_path: Path) -> None:
    plan = load(shown(tmp_path))
    assert (len(plan.boxes), len(plan.relays), plan.standin.name_sets) == (1, 1, ("juicebox-enel-us",))


def test_a_set_of_names_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = shown(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("juicebox-enel-us", "juicebox-mars"), encoding="utf-8")
    with pytest.raises(SiteError, match=r"juicebox-mars.*juicebox-enel-us"):
        load(path)
