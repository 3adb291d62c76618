"""What Linux has to bring for Qt to start, and how to get it. Used by dev.py; standard library only.

The lists were found by trying, one at a time, in an empty Debian 12.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WINDOW_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
"""What Qt loads even offscreen, and the Debian package of each."""

SCREEN_LIBRARIES = {
    "xcb": {
        "libxcb-cursor.so.0": "libxcb-cursor0",
        "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
        "libxcb-icccm.so.4": "libxcb-icccm4",
        "libxcb-keysyms.so.1": "libxcb-keysyms1",
        "libxcb-shape.so.0": "libxcb-shape0",
    },
    "wayland": {
        "libwayland-client.so.0": "libwayland-client0",
        "libwayland-cursor.so.0": "libwayland-cursor0",
        "libwayland-egl.so.1": "libwayland-egl1",
    },
}
"""What Qt loads besides for a window that can be seen, by the kind of screen."""


class Lacking(Exception):
    """Something is missing that only the person at the keyboard can bring; the text says how."""


@dataclass
class Machine:
    """The Linux system below: which libraries it lacks, and how to get them."""

    has_library: Callable[[str], bool]
    run: Callable[[Sequence[str], Mapping[str, str]], int]
    has_module: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None
    has_program: Callable[[str], bool] = lambda name: shutil.which(name) is not None
    is_root: bool = False
    is_debian: bool = False
    has_package_lists: Callable[[], bool] = lambda: any(Path("/var/lib/apt/lists").glob("*_Packages*"))

    def lacks(self, *, screen: str = "", for_build: bool = False, wants_venv: bool = True) -> dict[str, str]:
        """List what is missing → the Debian package that brings it."""
        wanted = {**WINDOW_LIBRARIES, **SCREEN_LIBRARIES.get(screen, {})}
        missing = {name: package for name, package in wanted.items() if not self.has_library(name)}
        if wants_venv and not self.has_module("ensurepip"):
            missing["Python's venv module"] = "python{}.{}-venv".format(*sys.version_info[:2])
        if for_build and not self.has_program("objdump"):
            missing["objdump"] = "binutils"
        return missing

    def ensure(self, *, screen: str = "", for_build: bool = False, wants_venv: bool = True) -> None:
        """Install what is missing when this is Debian and we are root, else say exactly what to do."""
        missing = self.lacks(screen=screen, for_build=for_build, wants_venv=wants_venv)
        if not missing:
            return
        command = ["apt-get", "install", "--yes", "--no-install-recommends", *sorted(set(missing.values()))]
        if self.is_debian and self.is_root:
            print(f"Installing what this system lacks: {', '.join(missing)}", file=sys.stderr, flush=True)
            self._apt(command)
            missing = self.lacks(screen=screen, for_build=for_build, wants_venv=wants_venv)
        if missing:
            raise Lacking(self._advice(missing, command))

    def _apt(self, command: Sequence[str]) -> None:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if self.has_package_lists() and self.run(command, env) == 0:
            return
        self.run(["apt-get", "update"], env)
        self.run(command, env)

    def _advice(self, missing: Mapping[str, str], command: Sequence[str]) -> str:
        names = "This system lacks: " + ", ".join(missing)
        if not self.is_debian:
            return f"{names}\nInstall the packages that bring them, then try again."
        sudo = "" if self.is_root else "sudo "
        return f"{names}\nInstall them, then try again:\n  {sudo}{' '.join(command)}"


def this_machine(run: Callable[[Sequence[str], Mapping[str, str]], int]) -> Machine:
    """Look at the Linux system we run on."""
    known = _library_cache()
    return Machine(
        has_library=lambda name: name in known or _loads(name),
        run=run,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        is_debian=shutil.which("apt-get") is not None and "debian" in _system_family(),
    )


def _library_cache() -> frozenset[str]:
    tool = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if tool is None:
        return frozenset()
    listing = subprocess.run([tool, "-p"], capture_output=True, text=True, check=False, timeout=30).stdout
    return frozenset(line.split()[0] for line in listing.splitlines() if "=>" in line)


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _system_family() -> set[str]:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = [line.partition("=") for line in text.splitlines()]
    return {word for key, _, value in lines if key in {"ID", "ID_LIKE"} for word in value.strip('"').split()}
