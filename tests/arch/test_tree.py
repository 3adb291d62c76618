"""What the repository holds, and what it must not."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from app import resources
from app.driver.registry import load_profiles
from app.errors import ProfileError

ROOT = Path(__file__).resolve().parents[2]

REGISTRIES = tuple(
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("files", "python" + "hosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmjs", "com"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    ]
)
MACHINE_PATH = re.compile(
    rf"(?<![\w.])({re.escape(str(ROOT))}\b|/(?:root|home/\w+)/\w|/Users/\w+/\w|[A-Z]:\\Users\\\w)"
)
"""The folder this tree lies in, and people's home folders."""
TEXT_LIMIT_BYTES = 2_000_000


def tracked() -> list[Path]:
    """List what the repository holds; without git (an unpacked archive), what lies in its folders."""
    if shutil.which("git") and (ROOT / ".git").exists():
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, timeout=30)
        if done.returncode == 0:
            return [ROOT / name for name in done.stdout.decode().split("\0") if name]
    folders = ("app", "ui", "resources", "packaging", "tests", "docs")
    held = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return [path for path in [*ROOT.glob("*.*"), *held] if path.is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in set(tracked()) - {Path(__file__).resolve()}:
        if path.is_file() and path.suffix not in {".png", ".ico"} and path.stat().st_size < TEXT_LIMIT_BYTES:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return found


def test_no_file_names_a_package_registry() -> None:
    found = [name for name, text in texts().items() if any(host in text for host in REGISTRIES)]
    assert not found


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    found = {name: match[0] for name, text in texts().items() if (match := MACHINE_PATH.search(text))}
    assert not found


@pytest.mark.parametrize("path", ["/" + "root/x", f"see {ROOT}/app", 'open("/home/jane/x")', "C:\\Users\\jane"])
def test_such_a_path_is_seen(path: str) -> None:
    assert MACHINE_PATH.search(path)


def test_the_packaging_folder_is_no_package() -> None:
    assert not list((ROOT / "packaging").rglob("__init__.py")), "it would shadow the library of that name"


def test_nothing_generated_is_tracked() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert not [
        name for name in names if re.search(r"(^|/)(uv\.lock|__pycache__|dist|build|demo-output|\.venv)(/|$)", name)
    ]


def test_every_profile_states_source_and_grade() -> None:
    profiles = load_profiles(resources.texts("profiles", ".toml"))
    assert profiles
    for profile in profiles:
        facts = [*profile.evidence, *(item.evidence for item in (*profile.quirks, *profile.one_way_doors))]
        assert profile.evidence, profile.id
        assert all(item.source.strip() for item in facts), profile.id


def test_a_profile_without_evidence_is_refused() -> None:
    with pytest.raises(ProfileError, match="evidence"):
        load_profiles({"bare": 'id = "bare"\nfamily = "Bare"\nvendor = "None"\ndriver = "none"\n'})


def test_the_version_is_told_once() -> None:
    from app import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project.get("version", __version__) == __version__


def test_the_licence_is_complete() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "ISC License" in (ROOT / "resources" / "icons" / "LICENSE").read_text(encoding="utf-8")
