"""What is known of a charger's family that counts before a job starts: firmware limits and one-way doors."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.firmware import meets
from app.model.profile import FirmwareRule, Profile
from app.report.family import firmware_rule
from ui import icons
from ui.models.families import approached, graded, is_typeable
from ui.models.plain import visible
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.chip import TONE_ICONS, Chip
from ui.widgets.section import plain

MET = {True: "good", False: "fault", None: "idle"}


class FamilyCard(QFrame):
    """The way, limits against this charger's firmware, doors. Rebuilt only where something changed.

    ``sheet_wanted`` asks for the family's sheet, ``typing_wanted`` for what to type at this charger.
    """

    sheet_wanted = Signal()
    typing_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self.setAccessibleName(self.tr("What is known of this family"))
        self._shown: tuple[str, str] | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        self._column.setSpacing(SPACE_8)
        self._inside: QWidget | None = None
        self.hide()

    def show_family(self, profile: Profile | None, firmware: str) -> None:
        """Show a family's facts against a firmware version; nothing for ``None``."""
        self.setVisible(profile is not None)
        if profile is None or (profile.id, firmware) == self._shown:
            return
        self._shown = (profile.id, firmware)
        if self._inside is not None:
            self._column.removeWidget(self._inside)
            self._inside.hide()
            self._inside.deleteLater()
        self._inside = self._made(profile, firmware)
        self._column.addWidget(self._inside)

    def _made(self, profile: Profile, firmware: str) -> QWidget:
        box = QWidget(self)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_8)
        column.addLayout(self._head(profile, box))
        for rule in profile.firmware:
            column.addWidget(self._limit(rule, firmware, box))
        for door in profile.one_way_doors:
            note = f"{door.evidence.source} · {graded(door.evidence.grade)[0]}"
            text = self.tr("Can't be undone: {text}").format(text=door.text)
            column.addWidget(_line("door-open", "attention", text, note, box))
        return box

    def _head(self, profile: Profile, box: QWidget) -> QHBoxLayout:
        word, tone, icon_name, meaning = approached(profile.approach)
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(Chip(word, tone, icon_name, parent=box))
        line.addWidget(plain(meaning, "subtle", box), 1)
        buttons = [(self.tr("All we know"), "library", self.sheet_wanted)]
        if is_typeable(profile):
            buttons.insert(0, (self.tr("What to type …"), "keyboard", self.typing_wanted))
        for text, icon_name, signal in buttons:
            button = QPushButton(text, box)
            icons.dress(button, icon_name)
            button.clicked.connect(signal)
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return line

    def _limit(self, rule: FirmwareRule, firmware: str, box: QWidget) -> QWidget:
        is_met = meets(rule, firmware) if firmware else None
        has = visible(firmware, 40)
        words = {
            True: self.tr("{rule}. This charger has {has}: it fits.").format(rule=firmware_rule(rule), has=has),
            False: self.tr("{rule}. This charger has {has}.").format(rule=firmware_rule(rule), has=has),
            None: self.tr("{rule}. Whether this charger fits is not known.").format(rule=firmware_rule(rule)),
        }
        update = self.tr("Update: {how}").format(how=rule.update) if rule.update and is_met is not True else ""
        note = " · ".join(part for part in (update, rule.evidence.source, graded(rule.evidence.grade)[0]) if part)
        return _line("", MET[is_met], self.tr("Firmware {words}").format(words=words[is_met]), note, box)


def _line(icon_name: str, tone: str, text: str, note: str, parent: QWidget) -> QWidget:
    box = QWidget(parent)
    picture = QLabel(box)
    icons.dress(picture, icon_name or TONE_ICONS[tone], tone, 16)
    words = QVBoxLayout()
    words.setSpacing(SPACE_4)
    label = plain(text, "strong" if tone == "fault" else "", box)
    set_look(label, tone=tone if tone == "fault" else "")
    words.addWidget(label)
    words.addWidget(plain(note, "caption", box))
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE_12)
    row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
    row.addLayout(words, 1)
    return box
