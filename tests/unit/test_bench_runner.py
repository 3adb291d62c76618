"""The benchmark runner finds every benchmark and notices one that crashes or hangs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_runner", ROOT / "tests" / "bench" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, name: str, body: str) -> Path:
    path = folder / f"bench_{name}.py"
    path.write_text(body, encoding="utf-8")
    return path


def test_a_benchmark_is_told_to_be_short(runner: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "one", "import sys; print('given:', sys.argv[1:])")
    assert runner.run(path, smoke=True)
    assert "given: ['--smoke']" in capfd.readouterr().out


def test_a_benchmark_reaches_the_product(runner: ModuleType, tmp_path: Path) -> None:
    assert runner.run(write(tmp_path, "one", "import app.errors"), smoke=True)


def test_a_crash_is_noticed(runner: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not runner.run(write(tmp_path, "one", "raise SystemExit(3)"), smoke=True)
    assert "FAILED: exit code 3" in capfd.readouterr().out


def test_a_hang_is_ended(runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.LIMIT_S, True, 0.5)
    assert not runner.run(write(tmp_path, "one", "import threading; threading.Event().wait()"), smoke=True)


def test_benchmarks_are_found_and_chosen_by_name(runner: ModuleType, tmp_path: Path) -> None:
    paths = [write(tmp_path, name, "") for name in ("one", "two")]
    (tmp_path / "helper.py").touch()
    assert runner.found(tmp_path, []) == paths
    assert runner.found(tmp_path, ["two"]) == paths[1:]
    with pytest.raises(SystemExit, match="no such benchmark: three"):
        runner.found(tmp_path, ["three"])
