"""About: versions and licences, to read and to send to support."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass

from PySide6.QtCore import qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget

from app import __version__
from ui import icons
from ui.i18n import translate
from ui.widgets.section import Section

LIBRARIES = (
    ("PySide6-Essentials", "LGPL-3.0-only"),
    ("qasync", "BSD-2-Clause"),
    ("ocpp", "MIT"),
    ("websockets", "BSD-3-Clause"),
    ("aiohttp", "Apache-2.0 and MIT"),
    ("zeroconf", "LGPL-2.1-or-later"),
    ("pyserial", "BSD"),
    ("jsonschema-rs", "MIT"),
    ("orjson", "MPL-2.0 and (Apache-2.0 or MIT)"),
    ("pyqtgraph", "MIT"),
    ("numpy", "BSD-3-Clause"),
    ("Jinja2", "BSD"),
    ("keyring", "MIT"),
)
"""What Rehome stands on, and the licence each of them states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is installed: the system, and each library with its version."""

    system: str
    libraries: tuple[tuple[str, str], ...]


def find_facts() -> Facts:
    """Look at the installation. Reads files for a tenth of a second: not for the window's thread."""
    found = tuple((name, _version(name)) for name, _ in LIBRARIES)
    return Facts(system=platform.platform(), libraries=found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return translate("inside")


class About(Section):
    """The section; ``show_facts`` fills what takes time to find."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("About"), "info", parent)
        self._facts: Facts | None = None
        self._copy = QPushButton(translate("Copy versions"), self)
        self._copy.setEnabled(False)
        icons.dress(self._copy, "copy")
        self._copy.clicked.connect(self.copy)
        self.head.addWidget(self._copy)
        self.add_fact("Rehome", f"{__version__} · Apache-2.0")
        self.add_fact("Python · Qt", f"{platform.python_version()} · {qVersion()}")
        self._system = self.add_fact(translate("System"), "…")
        self._libraries = self.add_fact(translate("Stands on"), "…")
        self.add_fact(translate("Icons"), "Lucide (ISC)")

    @property
    def text(self) -> str:
        """Return all versions as lines, for a message to support."""
        if self._facts is None:
            return ""
        lines = [f"Rehome {__version__}", f"Python {platform.python_version()}", f"Qt {qVersion()}", self._facts.system]
        return "\n".join(lines + [f"{name} {version}" for name, version in self._facts.libraries])

    def show_facts(self, facts: Facts) -> None:
        """Show what was found."""
        self._facts = facts
        self._system.setText(facts.system)
        licences = dict(LIBRARIES)
        self._libraries.setText(", ".join(f"{name} {version} ({licences[name]})" for name, version in facts.libraries))
        self._copy.setEnabled(True)

    def copy(self) -> None:
        """Put all versions on the clipboard."""
        QGuiApplication.clipboard().setText(self.text)
