"""Translations: English is the source; a ``resources/i18n/rehome_<locale>.qm`` replaces it where there is one."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator

from app import resources


def translate(text: str, context: str = "shell") -> str:
    """Translate a text on screen; ``context`` groups texts for the translator."""
    return QCoreApplication.translate(context, text)


def worded(text: str, **values: object) -> str:
    """Translate a text of the models, and fill its ``{placeholders}``."""
    translated = QCoreApplication.translate("models", text)
    return translated.format(**values) if values else translated


def install(app: QCoreApplication, locale: QLocale | None = None) -> bool:
    """Load the translation for a locale (default: the system's); say whether there is one."""
    translator = QTranslator(app)
    folder = resources.path("i18n")
    if not translator.load(locale or QLocale.system(), "rehome", "_", str(folder)):
        translator.deleteLater()
        return False
    return app.installTranslator(translator)
