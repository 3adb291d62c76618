"""dev.py: an environment is set up once, recovers from anything, and missing libraries are named."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import dev
from dev import machine

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "packaging" / "locks"


class FakeTools:
    """Stands for venv and pip: makes the interpreter's file, notes every command, fails or dies when told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []
        self.answers: dict[str, int | BaseException] = {}

    def __call__(self, command: Sequence[str], env: Mapping[str, str], descriptors: Sequence[int]) -> int:
        name = self._name(command)
        self.calls.append(name)
        if name == "venv":
            self._make_interpreter()
        answer = self.answers.get(name, 0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _name(self, command: Sequence[str]) -> str:
        if "venv" in command:
            return "venv"
        if "--require-hashes" in command:
            return "dependencies"
        return "project" if "-e" in command else "version"

    def _make_interpreter(self) -> None:
        python = dev.Environment(self.folder).python
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        (self.folder / "pyvenv.cfg").touch()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "locks").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    for level in ("runtime", "dev"):
        (root / "locks" / f"{level}.txt").write_text("one==1\n", encoding="utf-8")
    return root


@pytest.fixture
def tools(project: Path) -> FakeTools:
    return FakeTools(project / ".venv")


@pytest.fixture
def environment(project: Path, tools: FakeTools) -> dev.Environment:
    return dev.Environment(project / ".venv", root=project, locks=project / "locks", run=tools)


ALL = ["venv", "dependencies", "project"]


def test_the_first_call_installs_everything_and_the_second_nothing(
    environment: dev.Environment, tools: FakeTools
) -> None:
    assert environment.ensure("runtime") is True
    assert tools.calls == ALL
    assert environment.ensure("runtime") is False
    assert tools.calls == ALL


def test_the_larger_set_contains_the_smaller_one(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("dev")
    assert environment.ensure("runtime") is False


def test_the_smaller_set_is_extended_in_place(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("runtime")
    tools.calls.clear()
    assert environment.ensure("dev") is True
    assert tools.calls == ["version", "dependencies", "project"]
    assert environment.is_current("runtime")
    assert environment.is_current("dev")


@pytest.mark.parametrize("changed", ["locks/runtime.txt", "pyproject.toml"])
def test_a_changed_lock_or_project_installs_again(
    environment: dev.Environment, tools: FakeTools, project: Path, changed: str
) -> None:
    environment.ensure("runtime")
    tools.calls.clear()
    (project / changed).write_text("two==2\n", encoding="utf-8")
    assert environment.ensure("runtime") is True
    assert tools.calls == ["version", "dependencies", "project"]


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.parametrize("end", [KeyboardInterrupt(), -9], ids=["Ctrl-C", "killed"])
def test_an_interrupted_set_up_starts_over(
    environment: dev.Environment, tools: FakeTools, stage: str, end: BaseException | int
) -> None:
    tools.answers[stage] = end
    with pytest.raises((KeyboardInterrupt, dev.SetupError)):
        environment.ensure("runtime")
    assert not environment.is_current("runtime")
    debris = environment.folder / "half-installed.py"
    debris.touch()
    tools.answers.clear()
    tools.calls.clear()
    assert environment.ensure("runtime") is True
    assert tools.calls == ALL
    assert not debris.exists()
    assert environment.is_current("runtime")


def test_an_upgrade_killed_half_way_starts_over(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("runtime")
    tools.answers["dependencies"] = -9
    with pytest.raises(dev.CutShort):
        environment.ensure("dev")
    assert not environment.is_current("runtime")
    tools.answers.clear()
    tools.calls.clear()
    environment.ensure("runtime")
    assert tools.calls == ALL


def test_an_upgrade_without_network_leaves_what_worked(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("runtime")
    tools.answers["dependencies"] = 1
    with pytest.raises(dev.SetupError, match="install the locked dependencies"):
        environment.ensure("dev")
    assert environment.is_current("runtime")
    assert not environment.is_current("dev")


def test_an_environment_made_by_hand_is_used_and_survives_a_failure(
    environment: dev.Environment, tools: FakeTools
) -> None:
    tools([sys.executable, "-m", "venv"], {}, ())
    own = environment.folder / "own.py"
    own.touch()
    tools.answers["dependencies"] = 1
    for _ in range(2):
        with pytest.raises(dev.SetupError):
            environment.ensure("runtime")
    assert own.exists()
    tools.answers.clear()
    environment.ensure("runtime")
    assert own.exists()
    assert environment.is_current("runtime")


def test_an_environment_of_another_python_is_replaced(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("runtime")
    environment.stamp.write_text(json.dumps({"runtime": "made by another Python"}), encoding="utf-8")
    tools.answers["version"] = 1
    tools.calls.clear()
    environment.ensure("runtime")
    assert tools.calls == ["version", *ALL]


def test_an_environment_whose_interpreter_is_gone_is_replaced(environment: dev.Environment, tools: FakeTools) -> None:
    environment.ensure("runtime")
    environment.python.unlink()
    tools.calls.clear()
    environment.ensure("runtime")
    assert tools.calls == ALL


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"runtime": 7}'])
def test_a_broken_stamp_counts_as_none(environment: dev.Environment, tools: FakeTools, stamp: str) -> None:
    environment.ensure("runtime")
    environment.stamp.write_text(stamp, encoding="utf-8")
    assert environment.ensure("runtime") is True
    assert environment.is_current("runtime")


def test_a_folder_that_is_no_environment_is_not_touched(environment: dev.Environment, tools: FakeTools) -> None:
    environment.folder.mkdir()
    (environment.folder / "thesis.odt").touch()
    with pytest.raises(dev.SetupError, match="is no virtual environment"):
        environment.ensure("runtime")
    assert (environment.folder / "thesis.odt").exists()
    assert tools.calls == []


HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from typing import Any
import dev
with dev.exclusive(Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    command = [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_two_set_ups_of_one_folder_exclude_each_other(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(dev.SetupError, match="Another set-up"), dev.exclusive(tmp_path / "lock", patience_s=0):
        pass


def test_the_lock_of_a_killed_set_up_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait(timeout=10)
    with dev.exclusive(tmp_path / "lock", patience_s=0):
        pass


def test_the_venv_module_is_asked_for_only_where_it_is_needed() -> None:
    bare = machine.Machine(has_library=lambda _: True, run=lambda *_: 1, has_module=lambda _: False, is_debian=True)
    bare.ensure(wants_venv=False)
    with pytest.raises(machine.Lacking, match=r"sudo apt-get install .* python3\.\d+-venv"):
        bare.ensure(wants_venv=True)


def machine_with(missing: set[str], calls: list[str], **facts: object) -> machine.Machine:
    def run(command: Sequence[str], env: Mapping[str, str]) -> int:
        calls.append(" ".join(command[:2]))
        assert env["DEBIAN_FRONTEND"] == "noninteractive"
        if command[1] == "install" and "update" not in str(facts.get("fails", "")):
            missing.clear()
        return 0

    given = {"is_root": True, "is_debian": True, "has_package_lists": lambda: True, **facts}
    given.pop("fails", None)
    return machine.Machine(has_library=lambda name: name not in missing, run=run, has_module=lambda _: True, **given)


def test_a_complete_machine_needs_nothing() -> None:
    calls: list[str] = []
    machine_with(set(), calls).ensure(screen="xcb")
    assert calls == []


def test_missing_libraries_are_installed_by_root_on_debian() -> None:
    calls: list[str] = []
    machine_with({"libGL.so.1"}, calls).ensure()
    assert calls == ["apt-get install"]


def test_package_lists_are_fetched_where_there_are_none() -> None:
    calls: list[str] = []
    machine_with({"libGL.so.1"}, calls, has_package_lists=lambda: False).ensure()
    assert calls == ["apt-get update", "apt-get install"]


def test_without_root_the_exact_command_is_told() -> None:
    lacking = machine_with({"libGL.so.1", "libxcb-cursor.so.0"}, [], is_root=False)
    with pytest.raises(machine.Lacking) as told:
        lacking.ensure(screen="xcb")
    assert "libGL.so.1, libxcb-cursor.so.0" in str(told.value)
    assert "sudo apt-get install --yes --no-install-recommends libgl1 libxcb-cursor0" in str(told.value)


def test_screen_libraries_are_asked_for_only_where_there_is_a_screen() -> None:
    machine_with({"libxcb-cursor.so.0"}, [], is_root=False).ensure(screen="wayland")


def test_other_systems_are_told_the_libraries() -> None:
    with pytest.raises(machine.Lacking, match=r"libEGL\.so\.1") as told:
        machine_with({"libEGL.so.1"}, [], is_debian=False).ensure()
    assert "apt-get" not in str(told.value)


def test_what_apt_could_not_bring_is_told() -> None:
    with pytest.raises(machine.Lacking, match="apt-get install"):
        machine_with({"libGL.so.1"}, [], fails="update install").ensure()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
def test_the_real_machine_is_seen() -> None:
    seen = machine.this_machine(lambda *_: 1)
    assert seen.has_library("libc.so.6")
    assert not seen.has_library("libno-such-thing.so.9")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ""),
        ({"DISPLAY": ":0"}, "xcb"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wayland"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "xcb"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": "wayland"}, "wayland"),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, ""),
        ({"QT_QPA_PLATFORM": "vnc:size=800x600"}, "vnc"),
        ({"QT_QPA_PLATFORM": "xcb"}, ""),
    ],
)
def test_a_screen_is_noticed(env: dict[str, str], expected: str) -> None:
    assert dev.screen(env) == expected


def test_options_go_through_as_they_are() -> None:
    assert dev.run_arguments([], display=True) == ["--demo"]
    assert dev.run_arguments([], display=False) == ["--demo", "--offscreen-tour", "demo-output"]
    assert dev.run_arguments(["--theme", "dark"], display=True) == ["--theme", "dark"]
    assert dev.run_arguments(["--", "--help"], display=False) == ["--help"]
    assert dev.run_arguments(["--"], display=True) == [], "the real site"


def test_the_summary_names_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.sum_up([("lint", 0, 0.1), ("types", 1, 2.0), ("tests", 2, 3.0)]) == 1
    assert "FAILED: types, tests" in capsys.readouterr().err
    assert dev.sum_up([("lint", 0, 0.1)]) == 0


CROWDED = """
import os, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent
IS_ALONE = "PYTEST_XDIST_WORKER" not in os.environ

@pytest.mark.xdist_group("some of us")
@pytest.mark.parametrize("what", ["a - b", "c@d"])
def test_shaky(what):
    assert IS_ALONE or what != "c@d"

def test_sound():
    assert not IS_ALONE, "not run again"

@pytest.mark.parametrize("number", range(int((HERE / "broken").read_text())))
def test_broken(number):
    with (HERE / "runs").open("a") as file:
        file.write(".")
    assert False
"""


Crowd = Callable[[int], tuple[int, list[str], int]]


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    """Return a function that runs these tests, so many of them broken: exit code, unstable, runs of broken ones."""

    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    def run_pytest(command: Sequence[str]) -> int:
        env = {**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True).returncode

    def run(broken: int) -> tuple[int, list[str], int]:
        (tmp_path / "test_crowd.py").write_text(CROWDED)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p xdist.plugin\n")
        (tmp_path / "broken").write_text(str(broken))
        (tmp_path / "runs").write_text("")
        code, unstable = dev.side_by_side([sys.executable, "-m", "pytest", *dev.SIDE_BY_SIDE], run_pytest)
        return code, unstable, len((tmp_path / "runs").read_text())

    return run


SHAKY = ["test_crowd.py::test_shaky[c@d]"]


def test_what_fails_side_by_side_alone_is_run_again_and_named(crowd: Crowd) -> None:
    assert crowd(0) == (0, SHAKY, 0)


def test_what_fails_again_fails(crowd: Crowd) -> None:
    assert crowd(1) == (1, SHAKY, 2)


def test_a_file_that_can_not_be_read_fails_whatever_passed_alone(crowd: Crowd, tmp_path: Path) -> None:
    (tmp_path / "test_no_python.py").write_text("def")
    assert crowd(0)[0] != 0


def test_many_failures_are_not_the_crowds(crowd: Crowd) -> None:
    assert crowd(dev.FEW) == (1, [], dev.FEW)


def test_the_summary_names_every_unstable_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.sum_up([("tests", 0, 3.0)], ["tests/a.py::b", "tests/a.py::c[d]"]) == 0
    told = capsys.readouterr().err
    assert "unstable: tests/a.py::b\nunstable: tests/a.py::c[d]\n" in told


def test_arguments_narrow_the_test_run_to_pytest() -> None:
    assert [name for name, _ in dev.stages("python", ["-k", "x"])] == ["tests"]
    assert [name for name, _ in dev.stages("python", [])] == ["lint", "format", "types", "contracts", "tests"]


def test_usage_is_told_for_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["fly"]) == 2
    assert "python dev.py run" in capsys.readouterr().out
    assert dev.main(["--help"]) == 0


def test_children_are_not_led_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    env = dev.child_environment(QT_QPA_PLATFORM="offscreen")
    assert not {"PYTHONPATH", "PIP_USER"} & env.keys()
    assert env["QT_QPA_PLATFORM"] == "offscreen"


def test_the_exit_code_of_the_program_is_passed_on() -> None:
    assert dev.attend([sys.executable, "-c", "raise SystemExit(7)"], os.environ) == 7


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_request_to_end_reaches_the_program() -> None:
    waiting = "import signal, os; signal.signal(signal.SIGTERM, lambda *_: os._exit(9)); print('up', flush=True); signal.pause()"
    code = f"import dev, os, sys; sys.exit(dev.attend([sys.executable, '-c', {waiting!r}], os.environ))"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 9


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_request_to_end_that_comes_while_the_program_starts_reaches_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def asked_meanwhile(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", asked_meanwhile)
    assert dev.attend([sys.executable, "-c", "import signal; signal.pause()"], os.environ) == 128 + signal.SIGTERM


OLD_PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python")) + sorted(
    Path.home().glob(".pyenv/versions/3.10.*/bin/python")
)


@pytest.mark.skipif(not OLD_PYTHONS, reason="no older Python on this machine")
@pytest.mark.parametrize("python", OLD_PYTHONS, ids=lambda path: path.parent.parent.name)
def test_an_old_python_is_told_which_one_is_needed(python: Path) -> None:
    done = subprocess.run([python, "dev.py", "run"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr


PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^ ]+)(?: ; (.*?))?(?: \\)?$")


def pins(level: str) -> set[tuple[str, str]]:
    lines = (LOCKS / f"{level}.txt").read_text(encoding="utf-8").splitlines()
    found = [PIN.match(line) for line in lines if line and not line.startswith((" ", "#"))]
    assert all(found), "a line of the lock is no pinned requirement"
    return {(match[1], match[2]) for match in found if match}


@pytest.mark.parametrize("level", ["runtime", "dev"])
def test_a_lock_names_no_host_and_hashes_everything(level: str) -> None:
    text = (LOCKS / f"{level}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert str(Path.home()) not in text
    assert "--index" not in text
    assert "--find-links" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_development_lock_contains_the_runtime_lock() -> None:
    assert pins("runtime") <= pins("dev")


def test_the_lock_covers_what_each_system_needs() -> None:
    names = {name for name, _ in pins("runtime")}
    assert {"secretstorage", "pywin32-ctypes", "colorama"} <= names, "keyring needs these on Linux and Windows"
    assert ("pyside6-essentials", "6.12.0") not in pins("runtime")
