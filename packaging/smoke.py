"""Try the frozen program: python packaging/smoke.py [folder]. Standard library only.

Starts it headless and in a window, from an empty folder with a data folder of its own, and compares what it carries
(drivers, profiles, schemas, icons, failures) with the source tree.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 300.0
"""Longest time of one start, the demo's whole job included."""


class Failed(Exception):
    """The frozen program is not what it must be."""


@dataclass
class Frozen:
    """The program under test and the empty folder it is started in."""

    folder: Path
    work: Path

    def start(self, name: str, *arguments: str) -> str:
        """Run an executable to its end and return its standard output."""
        program = self.folder / (name + (".exe" if os.name == "nt" else ""))
        if not program.is_file():
            raise Failed(f"{program} is missing")
        return finish([str(program), *arguments], cwd=self.work, env=environment(self.work))


def environment(work: Path) -> dict[str, str]:
    """Return an environment in which nothing leads back to the source tree or to the user's data."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    null = "keyring.backends.null.Keyring"
    return kept | {
        "REHOME_HOME": str(work / "home"),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHON_KEYRING_BACKEND": null,
    }


def finish(command: Sequence[str], *, cwd: Path, env: dict[str, str]) -> str:
    """Run a command to its end and return its standard output."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command)} did not end within {LIMIT_S:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def version(frozen: Frozen) -> str:
    """The version is the source tree's."""
    told = frozen.start("rehome", "--version").strip()
    expected = finish([sys.executable, "-m", "app", "--version"], cwd=ROOT, env=dict(os.environ)).strip()
    if told != expected:
        raise Failed(f"the frozen program says “{told}”, the source tree “{expected}”")
    return told


def contents(frozen: Frozen) -> str:
    """Drivers, profiles, schemas, icons and failures are the source tree's, and there are some."""
    held = json.loads(frozen.start("rehome", "drivers", "--json"))
    source = json.loads(finish([sys.executable, "-m", "app", "drivers", "--json"], cwd=ROOT, env=dict(os.environ)))
    different = [name for name in source if held.get(name) != source[name]]
    empty = [name for name in ("drivers", "profiles", "schemas", "icons", "failures") if not held.get(name)]
    if different or empty:
        raise Failed(f"different from the source tree: {different}; empty: {empty}\nfrozen {held}\nsource {source}")
    return ", ".join(f"{len(v) if isinstance(v, list) else v} {name}" for name, v in held.items() if name != "version")


def acceptance(frozen: Frozen) -> str:
    """Every acceptance case of the source tree is there; they are found by folder."""
    wanted = ["accept", "--list", "--suite", "full"]
    held = frozen.start("rehome", *wanted)
    source = finish([sys.executable, "-m", "app", *wanted], cwd=ROOT, env=dict(os.environ))
    if held != source or "A16-" not in held or "A201-" not in held:
        raise Failed(f"the frozen program lists other cases:\n{held}")
    return f"{held.count('A16-')} and {held.count('A201-')} acceptance cases"


def trust(frozen: Frozen) -> str:
    """Its own authority is made on first use, and its root exported."""
    root = frozen.work / "root.cer"
    frozen.start("rehome", "trust", "export", str(root))
    if not root.read_bytes():
        raise Failed("the root certificate is empty")
    return "a root certificate"


def demo(frozen: Frozen) -> str:
    """One complete job on simulated chargers, with its report."""
    folder = frozen.work / "report"
    json.loads(frozen.start("rehome", "demo", "--json", "--out", str(folder)))
    written = sorted(path.suffix for path in folder.iterdir())
    if written != [".html", ".json", ".pdf"]:
        raise Failed(f"the demo's report consists of {written}")
    return "one complete job, reported as HTML, JSON and PDF"


def printing(frozen: Frozen) -> str:
    """A report becomes a PDF."""
    page = frozen.work / "report.html"
    page.write_text("<!doctype html><title>Report</title><p>Saved.</p>", encoding="utf-8")
    pdf = page.with_suffix(".pdf")
    frozen.start("rehome-print", str(page), str(pdf))
    if not pdf.read_bytes().startswith(b"%PDF-"):
        raise Failed("rehome-print wrote no PDF")
    return f"{pdf.stat().st_size} bytes"


def label(frozen: Frozen) -> str:
    """A photo of a label is decoded, read, and matched to the list of a site."""
    photo = ROOT / "tests" / "labels" / "photos" / "photo.jpg"
    home = frozen.work / "listed"
    home.mkdir()
    (home / "settings.toml").write_text('[[listed]]\nserial = "WB-4711-0042"\n', encoding="utf-8")
    said = json.loads(frozen.start("rehome", "label", "--json", "--home", str(home), str(photo)))
    if {item["verdict"] for item in said} != {"exact"}:
        raise Failed(f"the label was read as {said}")
    return f"{len(said)} codes of a photo"


def window(frozen: Frozen) -> str:
    """The window opens on the demo garage and shows every page."""
    return frozen.start("rehome-gui", "--demo", "--smoke").strip() or "opened and closed"


CHECKS: Sequence[Callable[[Frozen], str]] = (version, contents, acceptance, trust, demo, printing, label, window)


def main(argv: Sequence[str]) -> int:
    """Run every check, all of them even when one fails."""
    folder = Path(argv[0] if argv else ROOT / "dist" / "rehome").resolve()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{folder}: {size / 1e6:.0f} MB")
    failed = []
    with tempfile.TemporaryDirectory(prefix="rehome-smoke-") as work:
        for check in CHECKS:
            began = time.monotonic()
            try:
                told = check(Frozen(folder, Path(work)))
            except (Failed, ValueError, OSError) as error:
                failed.append(check.__name__)
                print(f"FAILED  {check.__name__}: {error}")
            else:
                print(f"passed  {check.__name__} ({time.monotonic() - began:.1f} s): {told}")
    print(f"FAILED: {', '.join(failed)}" if failed else "The frozen program is whole.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
