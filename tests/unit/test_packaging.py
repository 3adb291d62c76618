"""The frozen program's recipe carries everything, and the check of the result notices what is missing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "packaging" / "rehome.spec"

PRETEND = """
import json, sys
told = {"executables": {}}
class Analysis:
    def __init__(self, scripts, *, pathex, datas, hiddenimports, excludes):
        told.update(datas=[f"{to}/{source}" for source, to in datas], modules=hiddenimports, excludes=excludes)
        self.scripts = [(script.rsplit("/", 1)[1][:-3], script, "PYSOURCE") for script in scripts]
        self.pure, self.binaries, self.datas = [], [], []
def PYZ(pure): return pure
def EXE(archive, scripts, *, name, console, **more):
    told["executables"][name] = [console, [entry[0] for entry in scripts]]
def COLLECT(*parts, **more): pass
names = dict(globals(), SPECPATH=sys.argv[2])
exec(compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec"), names)
print(json.dumps(told))
"""


def follow(spec: Path) -> subprocess.CompletedProcess[str]:
    """Follow the recipe up to the point where PyInstaller would begin to work."""
    return subprocess.run(
        [sys.executable, "-c", PRETEND, str(spec), str(spec.parent)],
        cwd=ROOT.anchor,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.skipif(os.name == "nt", reason="the pretended Analysis splits POSIX paths")
def test_the_recipe_carries_drivers_data_and_launchers() -> None:
    done = follow(SPEC)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    drivers = [path.stem for path in (ROOT / "app" / "drivers").glob("[!_]*.py")]
    assert {f"app.drivers.{name}" for name in drivers} <= set(told["modules"])
    assert {"app.commands.drivers", "ui.main"} <= set(told["modules"])
    data = [name for name in told["datas"] if str(ROOT) in name]
    carried = {name.split(str(ROOT) + "/", 1)[1] for name in data}
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "resources").rglob("*") if path.is_file()}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "app").rglob("*.sql")}
    assert wanted <= carried
    assert sum(name.endswith(".json") and "/schemas/" in name for name in told["datas"]) > 50
    assert told["executables"] == {
        "rehome": [True, ["rehome"]],
        "rehome-gui": [False, ["rehome-gui"]],
        "rehome-print": [True, ["rehome-print"]],
        "rehome-photo": [True, ["rehome-photo"]],
    }


def test_the_recipe_refuses_a_tree_without_drivers(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    spec = tmp_path / "packaging" / "rehome.spec"
    spec.write_text(SPEC.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "app" / "drivers").mkdir(parents=True)
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "drivers" / "__init__.py").touch()
    done = follow(spec)
    assert done.returncode != 0
    assert "no drivers in the source tree" in done.stderr


@pytest.fixture
def smoke() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packaging_smoke", ROOT / "packaging" / "smoke.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def frozen(smoke: ModuleType, folder: Path, body: str, name: str = "rehome") -> object:
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return smoke.Frozen(folder, folder)


WHOLE = {
    "version": "1",
    "drivers": ["one", "two"],
    "profiles": ["p"],
    "schemas": 60,
    "icons": 9,
    "failures": 3,
    "resources": {"registers": 2},
    "libraries": ["bleak"],
    "bluetooth": "bluez_dbus",
}

posix = pytest.mark.skipif(os.name == "nt", reason="stands in with scripts")


@posix
def test_the_same_contents_pass(smoke: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = frozen(smoke, tmp_path, f"print(json.dumps({WHOLE}))")
    source_tree(smoke, monkeypatch)
    assert "2 drivers" in smoke.contents(program)


@posix
@pytest.mark.parametrize(
    "change", [{"drivers": []}, {"drivers": ["one"]}, {"schemas": 0}, {"icons": 8}, {"bluetooth": ""}]
)
def test_a_program_that_lost_something_fails(
    smoke: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    program = frozen(smoke, tmp_path, f"print(json.dumps({ {**WHOLE, **change} }))")
    source_tree(smoke, monkeypatch)
    with pytest.raises(smoke.Failed, match=next(iter(change))):
        smoke.contents(program)


def source_tree(smoke: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    real = smoke.finish

    def finish(command: list[str], **more: object) -> str:
        return json.dumps(WHOLE) if "-m" in command else real(command, **more)

    monkeypatch.setattr(smoke, "finish", finish)


@posix
def test_a_crash_is_told_with_its_words(smoke: ModuleType, tmp_path: Path) -> None:
    program = frozen(smoke, tmp_path, "sys.exit('no icons')", "rehome-gui")
    with pytest.raises(smoke.Failed, match="no icons"):
        smoke.window(program)


@posix
def test_a_program_that_hangs_is_ended(smoke: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "LIMIT_S", 0.5)
    program = frozen(smoke, tmp_path, "import threading; threading.Event().wait()", "rehome-gui")
    with pytest.raises(smoke.Failed, match="did not end"):
        smoke.window(program)


@posix
def test_the_program_is_started_away_from_the_source_tree(smoke: ModuleType, tmp_path: Path) -> None:
    body = "print(os.getcwd(), os.environ['REHOME_HOME'], os.environ.get('PYTHONPATH'))"
    told = frozen(smoke, tmp_path, body, "rehome-gui")
    assert smoke.window(told) == f"{tmp_path} {tmp_path / 'home'} None"


def test_a_missing_executable_fails(smoke: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(smoke.Failed, match="is missing"):
        smoke.version(smoke.Frozen(tmp_path, tmp_path))


def test_an_installed_wheel_finds_its_resources(tmp_path: Path) -> None:
    """The wheel carries the resources and the data beside the code, and needs the source tree for nothing."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=50)
    (wheel,) = tmp_path.glob("rehome-*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(site)
    assert not [name for name in names if name.startswith(("tests/", "packaging/", "dev"))]
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "app").rglob("*.sql")} <= names
    code = "import app; from app import resources as r; print(app.__file__, len(r.texts('icons', '.svg')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    place, icons = done.stdout.split()
    assert place.startswith(str(site))
    assert int(icons) == len(list((ROOT / "resources" / "icons").glob("*.svg")))
    entry_points = next(site.glob("rehome-*.dist-info")) / "entry_points.txt"
    assert "rehome-gui = ui.main:main" in entry_points.read_text(encoding="utf-8")
