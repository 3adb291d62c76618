"""Resources are found from the tree, from a wheel's layout and frozen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app import resources

ROOT = Path(__file__).resolve().parents[2]


def test_resources_are_found_in_the_tree() -> None:
    assert resources.path("icons", "plug.svg") == ROOT / "resources" / "icons" / "plug.svg"
    assert resources.path("icons", "plug.svg").is_file()


def test_texts_are_read_by_suffix_and_named_without_it() -> None:
    icons = resources.texts("icons", ".svg")
    assert icons["plug"].lstrip().startswith("<")
    assert list(icons) == sorted(icons)
    assert not any(name.endswith(".svg") or name == "LICENSE" for name in icons)


def test_a_folder_that_is_absent_is_empty() -> None:
    assert resources.texts("no-such-folder", ".toml") == {}


@pytest.mark.parametrize("part", ["", ".", "..", "../app", "/etc", "a\\b", "C:", "a\0b"])
def test_no_name_leads_out_of_the_folder(part: str) -> None:
    with pytest.raises(ValueError, match="not a name inside"):
        resources.path("icons", part)


def test_resources_are_found_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resources" / "checks").mkdir(parents=True)
    (tmp_path / "resources" / "checks" / "one.toml").write_bytes("ü = 1\r\n".encode())
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert resources.texts("checks", ".toml") == {"one": "ü = 1\n"}


def test_resources_are_found_in_a_wheels_layout(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "resources" / "icons").mkdir(parents=True)
    (tmp_path / "resources" / "icons" / "plug.svg").write_text("<svg/>", encoding="utf-8")
    for name in ("__init__.py", "resources.py"):
        shutil.copy(ROOT / "app" / name, tmp_path / "app")
    code = "from app import resources; print(resources.texts('icons', '.svg'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "{'plug': '<svg/>'}"
