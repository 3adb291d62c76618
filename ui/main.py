"""The desktop program's entry: show the window first, then load everything else.

Before the first paint only Qt and the shell are imported (measured: 110 ms against 860 ms with everything).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.errors import StoreError
    from app.settings import Settings
    from ui.window import MainWindow

os.environ.setdefault("QT_API", "pyside6")

from ui.guard import TooNewQt, check_versions

FIRST_PAINT_LIMIT_MS = 3000
"""A window that is started minimised never paints; go on all the same."""

EXIT_REFUSED = 3
"""The program can't run with these library versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for. Empty text = not asked."""

    is_demo: bool = False
    home: str = ""
    theme: str = ""
    tour: str = ""
    shots: str = ""
    is_smoke: bool = False
    is_import_report: bool = False

    @property
    def is_driven(self) -> bool:
        """Say whether a script drives the window and the program ends by itself."""
        return bool(self.tour or self.shots or self.is_smoke or self.is_import_report)


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; exits with 2 on a wrong one, and with 0 after ``--help`` or ``--version``."""
    if not arguments:
        return Options()
    import argparse

    from app import __version__

    parser = argparse.ArgumentParser(prog="rehome-gui", description="Puts stranded EV chargers back on a backend.")
    parser.add_argument("--version", action="version", version=f"Rehome {__version__}")
    parser.add_argument("--demo", dest="is_demo", action="store_true", help="work on simulated chargers")
    parser.add_argument("--home", default="", metavar="DIR", help="folder of the data and settings")
    parser.add_argument("--theme", default="", choices=["system", "light", "dark"], help="the look, for this run")
    parser.add_argument("--offscreen-tour", dest="tour", default="", metavar="DIR", help="drive one whole job")
    parser.add_argument("--shots", default="", metavar="DIR", help="take a picture of every page")
    parser.add_argument("--smoke", dest="is_smoke", action="store_true", help="open everything once")
    parser.add_argument(
        "--print-import-report",
        dest="is_import_report",
        action="store_true",
        help="list what was imported before the first paint, then end",
    )
    return Options(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the desktop program; return its exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        check_versions()
    except TooNewQt as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    if (options.tour or options.shots) and "QT_QPA_PLATFORM" not in os.environ:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    return _run(options)


def _run(options: Options) -> int:
    from PySide6.QtWidgets import QApplication

    from ui.theme import theme
    from ui.window import MainWindow

    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["rehome"])
    app.setApplicationName("Rehome")
    app.setDesktopFileName("rehome")
    app.setQuitOnLastWindowClosed(False)
    settings, trouble = read_settings(options)
    theme().choose(options.theme or settings.theme)  # type: ignore[arg-type]  # both are checked where they are read
    window = MainWindow()
    window.restore_place("" if options.is_driven else settings.window)
    window.show_site(settings.site_name)
    imported = paint_first(app, window)
    if options.is_import_report:
        sys.stdout.write("\n".join(imported) + "\n")
        return 0
    from ui.session import run

    return run(app, window, options, settings, trouble)


def read_settings(options: Options) -> tuple[Settings, StoreError | None]:
    """Return the settings and what is wrong with the file (or ``None``); the demo starts from the defaults."""
    from app.errors import StoreError
    from app.settings import Settings, load

    if options.is_demo and not options.home:
        return Settings(site_name="Demo garage"), None
    try:
        return load(home_of(options) / "settings.toml"), None
    except StoreError as error:
        return Settings(), error


def home_of(options: Options) -> Path:
    """Return the folder of the data."""
    from app.settings import home_folder

    return Path(options.home) if options.home else home_folder()


def paint_first(app: QApplication, window: MainWindow) -> list[str]:
    """Show the window and run Qt until it is painted; return the names of the modules imported by then."""
    from PySide6.QtCore import QTimer

    imported: list[str] = []

    def painted() -> None:
        imported.extend(sorted(sys.modules))
        app.exit()

    window.painted.connect(painted)
    limit = QTimer(window)
    limit.setSingleShot(True)
    limit.timeout.connect(app.exit)
    limit.start(FIRST_PAINT_LIMIT_MS)
    window.show()
    # Qt's own loop, before ours exists (importing asyncio first would cost 50 ms); no coroutine runs yet.
    turn = app.exec
    turn()
    limit.stop()
    window.painted.disconnect(painted)
    return imported


if __name__ == "__main__":
    sys.exit(main())
