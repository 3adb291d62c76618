"""Set up, run, test and build Rehome. Standard library only; any system; Python 3.11 to 3.13.

    python dev.py run [options]       start the desktop program (without options: on the demo garage;
                                      "run --" alone: on the real site)
    python dev.py test [pytest args]  lint, format, types, contracts and all tests; with arguments, only pytest;
                                      a few that fail side by side are run again alone, and named
    python dev.py bench [names]       run the benchmarks (--smoke: each as little as shows that it works)
    python dev.py build               make the frozen program in dist/rehome and try it
    python dev.py shots               take the pictures of every page for the documentation
    python dev.py lock [uv args]      resolve the dependencies again (--upgrade to move to newer ones)

Everything is installed into the folder .venv (or $REHOME_VENV) from hash-locked lists; a second start installs nothing.
Exit codes: 0 done · 1 a stage failed · 2 wrong usage or Python version · 3 something on this machine is missing.
"""

# ruff: noqa: E402
# Kept readable for Python 3.6, so that an old interpreter gets the message below and not a syntax error.
import sys

SUPPORTED = ((3, 11), (3, 13))
if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
    sys.stderr.write(
        "Rehome needs Python 3.11, 3.12 or 3.13; this is Python {}.{}.\n"
        "Start dev.py with one of those, for example: python3.12 dev.py run\n".format(*sys.version_info[:2])
    )
    sys.exit(2)

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCKS = ROOT / "packaging" / "locks"
sys.path.append(str(ROOT / "packaging"))  # no package: it would shadow the library of that name

import machine

TOUR_FOLDER = "demo-output"
PICTURES_FOLDER = "docs/pictures"

STAGE_FAILED = 1
WRONG_USAGE = 2
MACHINE_LACKS = 3

SETUP_FORMAT = 1
"""Raise it when an environment made by an older dev.py must be brought up to date."""

LOCK_PATIENCE_S = 900.0
"""How long to wait for another set-up of the same folder."""

INCLUDED = {"runtime": ("runtime",), "dev": ("runtime", "dev")}
"""What an environment of each level holds: the larger lock contains the smaller one."""

Runner = Callable[[Sequence[str], Mapping[str, str], Sequence[int]], int]
"""Runs a command with an environment and inherited file descriptors; returns its exit code."""


class SetupError(Exception):
    """Something the person at the keyboard has to put right; carries the exit code."""

    def __init__(self, message: str, code: int = STAGE_FAILED) -> None:
        super().__init__(message)
        self.code = code


class CutShort(SetupError):
    """A command of the set-up was killed: what it has done is unknown."""


def say(text: str) -> None:
    """Print progress for people; standard output stays free for the program."""
    print(text, file=sys.stderr, flush=True)


# --------------------------------------------------------------------------------------------- the environment


@dataclass
class Environment:
    """The virtual environment: absent, unfinished (marker present), out of date, or current (stamp matches).

    The marker is written before anything is touched and removed after the stamp is written, so a set-up that was
    killed at any point is seen by the next one, which starts over from an empty folder. A set-up that fails in order
    (no network, say) leaves an environment that worked before as it was.
    """

    folder: Path
    root: Path = ROOT
    locks: Path = LOCKS
    run: Runner = field(default_factory=lambda: run_quietly)

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def stamp(self) -> Path:
        """Says which locks the environment holds; written last."""
        return self.folder / "rehome-stamp.json"

    @property
    def marker(self) -> Path:
        """Present while a set-up is under way."""
        return self.folder / "rehome-unfinished"

    def digest(self, level: str) -> str:
        """Hash everything the environment depends on: lock, project, interpreter, place."""
        parts = [
            str(SETUP_FORMAT).encode(),
            repr(sys.version_info[:3]).encode(),
            str(self.folder).encode(),
            (self.root / "pyproject.toml").read_bytes(),
            (self.locks / f"{level}.txt").read_bytes(),
        ]
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def is_current(self, level: str) -> bool:
        """Tell whether nothing has to be installed; costs a few file reads."""
        try:
            stamped = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        held = stamped.get(level) if isinstance(stamped, dict) else None
        return held == self.digest(level) and self.python.exists() and not self.marker.exists()

    def ensure(self, level: str) -> bool:
        """Bring the environment up to ``level`` ("runtime" or "dev"); return whether anything was done."""
        if self.is_current(level):
            return False
        with exclusive(self.folder.with_name(self.folder.name + ".lock")) as descriptor:
            if self.is_current(level):
                return False
            self._make(level, descriptor)
        return True

    def _make(self, level: str, descriptor: int) -> None:
        say(f"Setting up {self.folder} ({level}); the first time this takes a minute ...")
        began = time.monotonic()
        self._discard_unusable(descriptor)
        self.folder.mkdir(parents=True, exist_ok=True)
        is_fresh = not self.python.exists()
        before = self._pause_stamp()
        if is_fresh:
            self._must([base_python(), "-m", "venv", str(self.folder)], "make the virtual environment", descriptor)
        try:
            self._install(level, descriptor)
        except SetupError as error:
            # pip takes back what it could not finish, so what worked before still does
            if not is_fresh and not isinstance(error, CutShort):
                self._write_stamp(before)
                self.marker.unlink()
            raise
        self._write_stamp(json.dumps({name: self.digest(name) for name in INCLUDED[level]}))
        self.marker.unlink()
        say(f"Set up in {time.monotonic() - began:.0f} s.")

    def _pause_stamp(self) -> str:
        """Declare the environment unfinished; return what its stamp said before."""
        before = self.stamp.read_text(encoding="utf-8") if self.stamp.exists() else "{}"
        self.marker.touch()
        self.stamp.unlink(missing_ok=True)
        return before

    def _install(self, level: str, descriptor: int) -> None:
        pip = [str(self.python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        pip += [] if sys.stderr.isatty() else ["-qq"]
        lock = str(self.locks / f"{level}.txt")
        self._must([*pip, "--require-hashes", "-r", lock], "install the locked dependencies", descriptor)
        project = ["-qq", "--no-deps", "--no-build-isolation", "-e", str(self.root)]
        self._must([*pip, *project], "install the project", descriptor)

    def _discard_unusable(self, descriptor: int) -> None:
        """Remove an environment whose set-up was interrupted, or whose interpreter is gone or another version."""
        if not self.folder.exists():
            return
        unfinished = self.marker.exists()
        if not unfinished and self.python.exists() and self._interpreter_fits(descriptor):
            return
        if not unfinished and not (self.folder / "pyvenv.cfg").exists() and any(self.folder.iterdir()):
            raise SetupError(
                f"{self.folder} is no virtual environment; move it away or set REHOME_VENV.", MACHINE_LACKS
            )
        say("The last set-up did not finish; starting over." if unfinished else "Replacing an unusable environment.")
        self.marker.touch()
        try:
            empty(self.folder, last=self.marker)
        except OSError as error:
            raise SetupError(f"Cannot remove {self.folder}: {error}. Close what uses it, then try again.") from error

    def _interpreter_fits(self, descriptor: int) -> bool:
        version = repr(tuple(sys.version_info[:2]))
        probe = f"import pip, sys; sys.exit(sys.version_info[:2] != {version})"
        return self.run([str(self.python), "-c", probe], child_environment(), (descriptor,)) == 0

    def _write_stamp(self, text: str) -> None:
        draft = self.stamp.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.stamp)

    def _must(self, command: Sequence[str], what: str, descriptor: int) -> None:
        code = self.run(command, child_environment(), (descriptor,))
        if code:
            shown = " ".join(command)
            kind = CutShort if code < 0 else SetupError
            raise kind(f"Could not {what} (exit code {code}):\n  {shown}\nThe next call tries again.")


def empty(folder: Path, *, last: Path) -> None:
    """Remove a folder's content, ``last`` at the very end, so that an interruption stays visible."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != last:
            entry.unlink()
    last.unlink()


def base_python() -> str:
    """Return the interpreter behind a virtual environment, so that the environment itself may be replaced."""
    return getattr(sys, "_base_executable", None) or sys.executable


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment for children, without what would lead pip or Python elsewhere."""
    astray = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in os.environ.items() if name not in astray} | more


def run_quietly(command: Sequence[str], env: Mapping[str, str], descriptors: Sequence[int] = ()) -> int:
    """Run one command of the set-up, without standard input; its output goes to standard error.

    The child inherits the set-up lock: should this process be killed, the lock lasts until the child is gone too.
    """
    kept = tuple(descriptors) if os.name == "posix" else ()
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(command, env=env, cwd=ROOT, stdin=quiet, stdout=sys.stderr, pass_fds=kept).returncode
    except OSError as error:
        say(f"{command[0]}: {error}")
        return 127


@contextlib.contextmanager
def exclusive(path: Path, patience_s: float = LOCK_PATIENCE_S) -> Iterator[int]:
    """Hold a file lock that the system releases when the process ends, however it ends; yield its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        deadline = time.monotonic() + patience_s
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                say("Another set-up of this folder is running; waiting for it ...")
                told = True
            if time.monotonic() > deadline:
                raise SetupError(f"Another set-up has held {path} for {patience_s:.0f} s; end it and try again.")
            time.sleep(0.2)
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------- commands


def screen(env: Mapping[str, str] = os.environ) -> str:
    """Tell on what a window could be seen: "xcb", "wayland", another of Qt's platforms; empty: on nothing."""
    platform = env.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform in {"offscreen", "minimal"}:
        return ""
    if platform not in {"", "xcb", "wayland"} or not sys.platform.startswith("linux"):
        return platform or sys.platform
    if env.get("DISPLAY") and platform != "wayland":
        return "xcb"
    return "wayland" if env.get("WAYLAND_DISPLAY") and platform != "xcb" else ""


def run_arguments(options: Sequence[str], *, display: bool) -> list[str]:
    """Return the desktop program's arguments: the options as given, else the demo, driven by itself if unseen."""
    if options:
        return list(options[1:] if options[0] == "--" else options)
    return ["--demo"] if display else ["--demo", "--offscreen-tour", TOUR_FOLDER]


def prepare(level: str, *, seen_on: str = "", for_build: bool = False) -> Environment:
    """Make machine and environment ready."""
    folder = Path(os.environ.get("REHOME_VENV") or ROOT / ".venv").absolute()
    environment = Environment(folder)
    if sys.platform.startswith("linux"):
        wants_venv = not environment.python.exists()
        machine.this_machine(run_quietly).ensure(screen=seen_on, for_build=for_build, wants_venv=wants_venv)
    environment.ensure(level)
    return environment


def attend(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a program in the foreground: Ctrl-C reaches it by itself, a request to end is passed on."""
    asked_to_end = threading.Event()
    started: list[subprocess.Popen[bytes]] = []

    def end(*_: object) -> None:
        asked_to_end.set()
        for process in started:
            process.terminate()

    previous = signal.signal(signal.SIGTERM, end)  # before there is a program that could be left behind
    try:
        process = subprocess.Popen(command, env=dict(env), cwd=ROOT)
        started.append(process)
        if asked_to_end.is_set():
            process.terminate()
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue  # the program got it too and ends in order
    finally:
        signal.signal(signal.SIGTERM, previous)


def run(options: Sequence[str]) -> int:
    """Start the desktop program."""
    seen_on = screen()
    environment = prepare("runtime", seen_on=seen_on)
    arguments = run_arguments(options, display=bool(seen_on))
    env = child_environment()
    if not seen_on:
        env.setdefault("QT_QPA_PLATFORM", "offscreen")
        say("There is no display, so the window is drawn offscreen.")
    is_tour = not seen_on and not options
    if is_tour:
        say(f"It is driven through one complete job on the demo garage; what it leaves goes to {TOUR_FOLDER}/.")
    code = attend([str(environment.python), "-m", "ui.main", *arguments], env)
    if code:
        say(f"The program ended with exit code {code}.")
    elif is_tour:
        say("Left behind:\n" + "\n".join(f"  {name}" for name in files_below(ROOT / TOUR_FOLDER)))
    return code


def files_below(folder: Path) -> list[str]:
    """List a folder's files as paths from the root."""
    return sorted(path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file())


def stages(python: str, pytest_arguments: Sequence[str]) -> Iterable[tuple[str, list[str]]]:
    """List what ``test`` runs, as name and command; with arguments only pytest, for quick rounds."""
    if not pytest_arguments:
        yield "lint", [python, "-m", "ruff", "check", "."]
        yield "format", [python, "-m", "ruff", "format", "--check", "."]
        yield "types", [python, "-m", "mypy"]
        yield "contracts", [python, "-c", LINT_IMPORTS, "--no-logo"]
    yield "tests", [python, "-m", "pytest", *(pytest_arguments or SIDE_BY_SIDE)]


SIDE_BY_SIDE = ("-q", "-n", "3", "--dist", "loadgroup")
"""Processes that run tests side by side, on two cores too: most tests mostly wait for a simulated charger."""

FEW = 5
"""So many failures may be the crowd's; more are the program's."""

TESTS_FAILED = 1
"""pytest's exit code where tests ran and some failed."""

LINT_IMPORTS = "from importlinter.cli import lint_imports_command as lint; lint()"
"""import-linter can't be started with ``-m``, and its script's path differs by system."""


def test(pytest_arguments: Sequence[str]) -> int:
    """Run every check, all of them even when one fails, and sum up."""
    environment = prepare("dev")
    env = child_environment(QT_QPA_PLATFORM="offscreen")
    results = []
    unstable: list[str] = []

    def run_stage(command: Sequence[str]) -> int:
        return attend(command, env)

    for name, command in stages(str(environment.python), pytest_arguments):
        say(f"\n=== {name}")
        began = time.monotonic()
        if name == "tests" and not pytest_arguments:
            code, unstable = side_by_side(command, run_stage)
        else:
            code = run_stage(command)
        results.append((name, code, time.monotonic() - began))
        if code == 130:
            break
    return sum_up(results, unstable)


def side_by_side(command: Sequence[str], run_pytest: Callable[[Sequence[str]], int]) -> tuple[int, list[str]]:
    """Run the tests side by side, and the few that failed once more, alone, in one process (decision 0032).

    Returns the exit code that counts, and the unstable: what failed in the crowd and passed alone.
    """
    with tempfile.TemporaryDirectory(prefix="rehome-tests-") as folder:
        crowd, alone = Path(folder, "crowd"), Path(folder, "alone")
        code = run_pytest([*command, *noting(crowd)])
        failed = failed_tests(crowd)
        if code != TESTS_FAILED or not 0 < len(failed) <= FEW:
            return code, []
        say(f"\n=== tests, alone: the {len(failed)} that failed side by side")
        code = run_pytest([*command[: command.index("pytest") + 1], "-q", *noting(alone), *failed])
        again = failed_tests(alone)
        return code, [name for name in failed if name not in again] if code in (0, TESTS_FAILED) else []


def noting(file: Path) -> list[str]:
    """Have pytest note which tests fail, in a file."""
    return ["-p", "tests.noting", "--note-failed", str(file)]


def failed_tests(file: Path) -> list[str]:
    """Read the node ids of the tests that failed; none where pytest did not come to its end."""
    try:
        return list(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def sum_up(results: Sequence[tuple[str, int, float]], unstable: Sequence[str] = ()) -> int:
    """Print one line per stage and unstable test, and return the exit code of the whole."""
    say("\n=== summary")
    for name, code, took_s in results:
        say(f"{name:10} {'passed' if code == 0 else f'FAILED (exit code {code})':24} {took_s:6.1f} s")
    if unstable:
        say("\nFailed side by side, passed alone. Each is a defect to mend, of the test or of the program:")
    for test_name in unstable:
        say(f"unstable: {test_name}")
    failed = [name for name, code, _ in results if code]
    say(f"\nFAILED: {', '.join(failed)}" if failed else "\nEverything passed.")
    return STAGE_FAILED if failed else 0


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks."""
    environment = prepare("dev")
    env = child_environment(QT_QPA_PLATFORM="offscreen")
    return attend([str(environment.python), str(ROOT / "tests" / "bench" / "run.py"), *arguments], env)


def build(arguments: Sequence[str]) -> int:
    """Make the frozen program, then start it and compare it with the source."""
    environment = prepare("dev", for_build=True)
    python = str(environment.python)
    folders = ["--distpath", str(ROOT / "dist"), "--workpath", str(ROOT / "build")]
    maker = [python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", *folders, *arguments]
    code = attend([*maker, str(ROOT / "packaging" / "rehome.spec")], child_environment())
    if code:
        say("FAILED: the program could not be frozen.")
        return STAGE_FAILED
    return attend([python, str(ROOT / "packaging" / "smoke.py"), str(ROOT / "dist" / "rehome")], child_environment())


def shots(arguments: Sequence[str]) -> int:
    """Take the pictures of every page, on the demo garage."""
    environment = prepare("runtime")
    env = child_environment(QT_QPA_PLATFORM="offscreen")
    return attend([str(environment.python), "-m", "ui.main", "--demo", "--shots", PICTURES_FOLDER, *arguments], env)


def lock(arguments: Sequence[str]) -> int:
    """Resolve the dependencies for every supported system and Python version at once (needs uv on the path)."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".venv" / "bin"))
    if uv is None:
        raise SetupError("uv is not installed (only this command needs it): pip install uv", MACHINE_LACKS)
    shape = ["--universal", "--generate-hashes", "--no-header", "--python-version", "3.11", "--quiet", *arguments]
    for level, extra in LOCK_INPUTS.items():
        out = (LOCKS / f"{level}.txt").relative_to(ROOT).as_posix()
        code = attend([uv, "pip", "compile", *shape, *extra, "pyproject.toml", "-o", out], child_environment())
        if code:
            return STAGE_FAILED
        if "://" in (ROOT / out).read_text(encoding="utf-8"):
            raise SetupError(f"{out} names a host; check the uv settings of this machine.")
    return 0


LOCK_INPUTS = {
    "runtime": ["--group", "build"],
    "dev": ["--group", "dev", "-c", "packaging/locks/runtime.txt"],
}
"""What goes into each lock besides the project's own dependencies."""

COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "test": test,
    "bench": bench,
    "build": build,
    "shots": shots,
    "lock": lock,
}


def main(argv: Sequence[str]) -> int:
    """Do what the command line asks and return the exit code."""
    if not argv or argv[0] not in COMMANDS:
        print(__doc__)
        return 0 if argv and argv[0] in {"-h", "--help", "help"} else WRONG_USAGE
    try:
        return COMMANDS[argv[0]](argv[1:])
    except machine.Lacking as error:
        say(f"\n{error}")
        return MACHINE_LACKS
    except SetupError as error:
        say(f"\n{error}")
        return error.code
    except KeyboardInterrupt:
        say("\nInterrupted. The next call recovers what was under way.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
