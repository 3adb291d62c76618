"""Everything known of one product family, with the source of every fact."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.backend import JoinRule
from app.model.profile import Evidence, Profile
from ui import icons
from ui.i18n import translate
from ui.models.families import graded
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.flow import Flow
from ui.widgets.section import Column, Section, plain

JOINS = {
    JoinRule.APPEND: "Always adds “/” and the identity to the address; an address ending in “/” becomes “//”",
    JoinRule.APPEND_IF_MISSING: "Adds the identity, with a “/” only where the address does not end in one",
    JoinRule.AS_IS: "Dials the address as typed: the identity must stand in it",
}
HOLDS = {
    "url": "Address",
    "host": "Host",
    "path": "Path",
    "identity": "Identity",
    "secret": "Password",
    "switch": "On/off",
}


def duration(seconds: float) -> str:
    """Write a time in seconds as words: ``45 s``, ``19 min``, ``1 h 30 min``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def as_text(profile: Profile) -> str:
    """Write what matters of a family as plain text, for a message to a colleague."""
    lines = [f"{profile.family} ({profile.vendor})", profile.summary, ""]
    if profile.instructions:
        lines += [f"{number}. {text}" for number, text in enumerate(profile.instructions, start=1)] + [""]
    lines += [f"! {door.text} [{door.evidence.source}]" for door in profile.one_way_doors]
    for quirk in profile.quirks:
        firmware = f" (firmware {quirk.firmware})" if quirk.firmware else ""
        lines.append(f"- {quirk.text}{firmware} [{quirk.evidence.source}]")
    return "\n".join(lines).strip() + "\n"


class FamilySheet(Column):
    """The detail side of the library. Built anew for each family."""

    def __init__(self, profile: Profile, driver_title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._profile = profile
        self._driver_title = driver_title
        self.setAccessibleName(profile.family)
        self.add(self._heading())
        for section in (
            self._instructions(),
            self._doors(),
            self._recognition(),
            self._dialling(),
            self._times(),
            self._quirks(),
            self._keys(),
            self._evidence(),
        ):
            if section is not None:
                self.add(section)

    def _heading(self) -> QWidget:
        profile = self._profile
        box = QWidget(self)
        picture = QLabel(box)
        icons.dress(picture, profile.picture, "accent", 40)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        words.addWidget(plain(profile.family, "title", box))
        words.addWidget(plain(profile.vendor, "subtle", box))
        if profile.summary:
            words.addSpacing(SPACE_4)
            words.addWidget(plain(profile.summary, "", box))
        words.addSpacing(SPACE_4)
        words.addLayout(self._chips(box))
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        copy = QPushButton(translate("Copy as text"), box)
        icons.dress(copy, "copy")
        copy.clicked.connect(self.copy)
        layout.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)
        return box

    def _chips(self, box: QWidget) -> Flow:
        profile = self._profile
        row = Flow()
        word, tone, meaning = graded(profile.grade)
        chip = Chip(translate(word), tone, parent=box)
        chip.setToolTip(translate(meaning))
        row.addWidget(chip)
        row.addWidget(Chip(self._driver_title, "idle", "plug", parent=box))
        connectors = translate("1 connector") if profile.connectors == 1 else f"{profile.connectors} connectors"
        row.addWidget(Chip(connectors, "idle", "ev-charger", parent=box))
        if profile.one_way_doors:
            row.addWidget(Chip(translate("Has one-way doors"), "attention", "door-open", parent=box))
        return row

    def copy(self) -> None:
        """Put the family's facts on the clipboard."""
        QGuiApplication.clipboard().setText(as_text(self._profile))

    def _copy_instructions(self) -> None:
        QGuiApplication.clipboard().setText("\n".join(self._profile.instructions))

    def _instructions(self) -> Section | None:
        if not self._profile.instructions:
            return None
        section = Section(translate("What to do"), "list-checks", self)
        copy = QPushButton(translate("Copy"), section)
        copy.setAccessibleName(translate("Copy the instructions"))
        icons.dress(copy, "copy", "text2")
        set_role(copy, "quiet")
        copy.clicked.connect(self._copy_instructions)
        section.head.addWidget(copy)
        for number, text in enumerate(self._profile.instructions, start=1):
            section.add_wide(_numbered(number, text, section))
        return section

    def _doors(self) -> Section | None:
        if not self._profile.one_way_doors:
            return None
        section = Section(translate("One-way doors: can't be undone"), "door-open", self, tone="attention")
        for door in self._profile.one_way_doors:
            section.add_wide(_fact(door.text, door.evidence, section))
        return section

    def _recognition(self) -> Section | None:
        rules = self._profile.match
        facts = (
            (translate("Announces itself as"), ", ".join(rules.mdns_types)),
            (translate("… with a name like"), rules.mdns_name_like),
            (translate("USB ids"), ", ".join(rules.usb_ids)),
            (translate("Boot vendor"), rules.boot_vendor_like),
            (translate("Boot model"), rules.boot_model_like),
            (translate("Ports"), ", ".join(map(str, rules.ports))),
        )
        if not any(text for _, text in facts):
            return None
        section = Section(translate("How it is recognised"), "scan-line", self)
        for label, text in facts:
            if text:
                section.add_fact(label, text, "mono")
        return section

    def _dialling(self) -> Section | None:
        habit = self._profile.url
        if habit is None:
            return None
        section = Section(translate("How it dials its backend"), "route", self)
        section.add_fact(translate("Address"), translate(JOINS[habit.join]))
        section.add_fact(translate("Schemes"), ", ".join(f"{scheme}://" for scheme in habit.schemes), "mono")
        if habit.limit is not None:
            section.add_fact(translate("Longest address"), translate("{n} characters").format(n=habit.limit))
        if habit.secret_limit_bytes is not None:
            text = translate("{n} bytes").format(n=habit.secret_limit_bytes)
            section.add_fact(translate("Longest password"), text)
        if habit.note:
            section.add_fact(translate("Note"), habit.note)
        return section

    def _times(self) -> Section:
        timing = self._profile.timing
        section = Section(translate("How long it takes"), "timer", self)
        section.add_fact(translate("Restart"), duration(timing.restart_s))
        section.add_fact(translate("Dials again after"), duration(timing.redial_s))
        section.add_fact(translate("Worry after"), duration(timing.patience_s))
        return section

    def _quirks(self) -> Section | None:
        if not self._profile.quirks:
            return None
        section = Section(translate("Quirks"), "puzzle", self)
        for quirk in self._profile.quirks:
            firmware = translate("Firmware {which}").format(which=quirk.firmware) if quirk.firmware else ""
            section.add_wide(_fact(quirk.text, quirk.evidence, section, firmware))
        return section

    def _keys(self) -> Section | None:
        if not self._profile.backend_keys:
            return None
        section = Section(translate("OCPP keys that hold the backend"), "key-round", self)
        for key in self._profile.backend_keys:
            holds = translate(HOLDS.get(key.holds, key.holds))
            section.add_wide(_fact(f"{key.key} — {holds}", key.evidence, section, key.note, role="mono"))
        return section

    def _evidence(self) -> Section:
        section = Section(translate("Where we know it from"), "book-open", self)
        for evidence in self._profile.evidence:
            section.add_wide(_source(evidence, section))
        return section


def _numbered(number: int, text: str, parent: QWidget) -> QWidget:
    box = QWidget(parent)
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE_12)
    count = plain(str(number), "strong", box)
    count.setFixedWidth(16)
    count.setAlignment(Qt.AlignmentFlag.AlignRight)
    row.addWidget(count, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(plain(text, "", box), 1)
    return box


def _fact(text: str, evidence: Evidence, parent: QWidget, note: str = "", role: str = "") -> QWidget:
    box = QFrame(parent)
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACE_4)
    column.addWidget(plain(text, role, box))
    if note:
        column.addWidget(plain(note, "caption", box))
    column.addWidget(_source(evidence, box))
    return box


def _source(evidence: Evidence, parent: QWidget) -> QWidget:
    word, tone, meaning = graded(evidence.grade)
    box = QWidget(parent)
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE_8)
    chip = Chip(translate(word), tone, parent=box)
    chip.setToolTip(translate(meaning))
    row.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(plain(evidence.source, "mono-subtle", box), 1)
    return box
