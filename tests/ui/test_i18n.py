"""A translation reaches the words that plain modules make, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QObject, Qt, QTranslator
from PySide6.QtWidgets import QApplication

from app.model.profile import Grade
from app.model.setting import Setting, SettingKind
from app.model.unit import Adoption, Identity, Unit
from ui.models.families import graded
from ui.models.json_tree import parse
from ui.models.knocks import KNOCK_FIELDS
from ui.models.listing import Listing
from ui.models.settings import problem_of
from ui.models.sitelist import read
from ui.models.unit_words import ADOPTION
from ui.models.units import UnitRow, UnitsModel, next_step


class Backwards(QTranslator):
    """Turns every text round, so that what bypasses translation stands out."""

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        return f"»{text}«"


@pytest.fixture(autouse=True)
def backwards(qapp: QApplication) -> Iterator[None]:
    translator = Backwards(qapp)
    QCoreApplication.installTranslator(translator)
    yield
    QCoreApplication.removeTranslator(translator)


def test_words_of_plain_modules_are_translated() -> None:
    unit = Unit(unit_id="a", identity=Identity(name="A"), adoption=Adoption.ORPHANED)
    words = (
        problem_of(Setting(key="k", value="", kind=SettingKind.INTEGER), "x"),
        parse("{").trouble,
        graded(Grade.PROVED)[0],
        ADOPTION[Adoption.OURS].text,
        ADOPTION[Adoption.OURS].meaning,
        next_step(UnitRow(unit=unit, family="F")).text,
        read(b",,pw\n")[0].problems[0],
    )
    assert [word for word in words if not (word.startswith("»") and word.endswith("«"))] == []


def test_column_headings_are_translated() -> None:
    owner = QObject()
    for model in (UnitsModel(owner), Listing(KNOCK_FIELDS, lambda knock: knock.seq, owner)):
        titles = [str(model.headerData(place, Qt.Orientation.Horizontal)) for place in range(model.columnCount())]
        assert titles
        assert all(title.startswith("»") for title in titles), titles
