"""Settings: saved at once, taken back with one click."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError, PortInUse
from app.settings import Settings
from ui import icons
from ui.changing import change
from ui.i18n import translate
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.about import About, find_facts
from ui.widgets.chip import Chip
from ui.widgets.copy import CopyField
from ui.widgets.section import Column, Section, plain
from ui.wiring import open_folder

if TYPE_CHECKING:
    from app.workbench import Workbench

THEMES = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))
RETENTION = (10_000, 100_000, 1_000_000, 5_000_000)
FRAME_BYTES = 500
"""A stored frame with its indexes, roughly (a Boot is 200, a MeterValues 1,800 characters)."""


class SettingsPage(Page):
    """One column of sections. Every change is saved at once; the bar at the foot takes it back."""

    page_id = "settings"
    title = "Settings"
    icon_name = "settings"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self._before: Settings | None = None
        self.site = QLineEdit(self)
        self.look = QComboBox(self)
        self.adapter = QComboBox(self)
        self.port = QSpinBox(self)
        self.is_on = QCheckBox(translate("Listen when Rehome starts"), self)
        self.retention = QComboBox(self)
        self.about = About(self)
        self._vault = Chip(translate("Asking the keyring"), "working", "lock")
        self.undo = QPushButton(translate("Undo"), self)
        self._done = plain("", "", self, wraps=False)
        self._foot = QFrame(self)
        self._column = Column(self, width=860)
        self._lay_out()
        self._build()
        self._show(bench.settings)
        self.listen(bench.settings_changes, self._changed)

    def _lay_out(self) -> None:
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._column)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        set_role(self._foot, "band")
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(SPACE_16, SPACE_8, SPACE_16, SPACE_8)
        row.setSpacing(SPACE_12)
        row.addWidget(self._done)
        row.addWidget(self.undo)
        row.addStretch(1)
        icons.dress(self.undo, "undo-2")
        self.undo.clicked.connect(self._take_back)
        self._foot.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self._foot)

    def _build(self) -> None:
        self._column.add(plain(translate(self.title), "title", self))
        for section in (
            self._site_section(),
            self._endpoint_section(),
            self._traffic_section(),
            self._secrets_section(),
            self._folders_section(),
            self.about,
        ):
            self._column.add(section)

    def _site_section(self) -> Section:
        section = Section(translate("Site and look"), "building", self)
        self.site.setMaxLength(80)
        self.site.setAccessibleName(translate("Site name"))
        self.site.editingFinished.connect(self._site_edited)
        section.add_row(
            translate("Site name"), self.site, translate("Stands in the window's title and in every report.")
        )
        self.look.setAccessibleName(translate("Look"))
        for key, words in THEMES:
            self.look.addItem(translate(words), key)
        self.look.activated.connect(self._look_chosen)
        section.add_row(translate("Look"), self.look)
        return section

    def _endpoint_section(self) -> Section:
        section = Section(translate("Endpoint"), "radio-tower", self)
        self.adapter.setAccessibleName(translate("Network adapter"))
        self.adapter.activated.connect(self._adapter_chosen)
        note = translate("The address chargers on this network dial to reach this computer.")
        section.add_row(translate("Network adapter"), self.adapter, note)
        self.port.setRange(1, 65535)
        self.port.setMaximumWidth(120)
        self.port.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.port.setKeyboardTracking(False)
        self.port.setAccessibleName(translate("Port"))
        self.port.valueChanged.connect(self._port_edited)
        self._port_note = section.add_row(translate("Port"), self.port, " ")
        self.is_on.toggled.connect(self._on_toggled)
        section.add_row("", self.is_on)
        return section

    def _traffic_section(self) -> Section:
        section = Section(translate("Traffic"), "arrow-left-right", self)
        self.retention.setAccessibleName(translate("Frames to keep"))
        for count in RETENTION:
            size = count * FRAME_BYTES / 1e6
            text = f"{size / 1000:.1f} GB" if size >= 1000 else f"{size:.0f} MB"
            self.retention.addItem(
                translate("{count} frames, about {size}").format(count=f"{count:,}", size=text), count
            )
        self.retention.activated.connect(self._retention_chosen)
        older = translate("Older frames are removed first. Takes effect when Rehome starts again.")
        section.add_row(translate("Keep"), self.retention, older)
        return section

    def _secrets_section(self) -> Section:
        section = Section(translate("Passwords"), "shield-check", self)
        self._vault_note = section.add_row(translate("Kept"), self._vault, " ")
        return section

    def _folders_section(self) -> Section:
        section = Section(translate("Files"), "folder-open", self)
        home = self.bench.home
        for label, folder in ((translate("Data folder"), home), (translate("Log folder"), home / "log")):
            box = QWidget(section)
            row = QHBoxLayout(box)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(SPACE_8)
            row.addWidget(CopyField(str(folder), label, box), 1)
            button = QPushButton(translate("Open"), box)
            button.setAccessibleName(translate("Open {name}").format(name=label))
            icons.dress(button, "folder-open")
            button.clicked.connect(partial(open_folder, folder))
            row.addWidget(button)
            section.add_row(label, box)
        return section

    # Showing

    def on_shown(self) -> None:
        """Look at the adapters again, and once at the keyring and the versions (both take their time)."""
        self._show(self.bench.settings)
        self.tasks.start_once("look around", self._look_around())

    async def _look_around(self) -> None:
        self._show_vault(is_persistent=await asyncio.to_thread(self._ask_vault))
        self.about.show_facts(await asyncio.to_thread(find_facts))

    def _ask_vault(self) -> bool:
        return self.bench.vault.is_persistent

    def _show_vault(self, *, is_persistent: bool) -> None:
        if is_persistent:
            self._vault.show_status(translate("In the system's keyring"), "good", "lock")
            text = translate(
                "Backend passwords are kept by your operating system, encrypted with your login. "
                "They never stand in logs, traffic or reports."
            )
        else:
            self._vault.show_status(translate("Only until Rehome ends"), "attention", "lock-open")
            text = translate(
                "This computer offers no keyring, so passwords stay in memory and are forgotten at the end. "
                "Enter them again to resume or undo a job after a restart."
            )
        if self.bench.is_demo:
            text = translate("The demo never uses the keyring: its passwords are forgotten at the end.")
        self._vault_note.setText(text)

    def _changed(self, changes: list[Settings]) -> None:
        self._show(changes[-1])

    def _show(self, settings: Settings) -> None:
        if not self.site.hasFocus():
            self.site.setText(settings.site_name)
        _pick(self.look, settings.theme)
        _pick(self.retention, settings.keep_frames, f"{settings.keep_frames:,}")
        self._show_adapters(settings)
        for widget, show in (
            (self.port, partial(self.port.setValue, settings.endpoint_port)),
            (self.is_on, partial(self.is_on.setChecked, settings.endpoint_on)),
        ):
            blocker = QSignalBlocker(widget)
            show()
            blocker.unblock()
        self._show_port()

    def _show_adapters(self, settings: Settings) -> None:
        blocker = QSignalBlocker(self.adapter)
        self.adapter.clear()
        best = translate("Automatic · {address}").format(address=self.bench.adapter_address)
        self.adapter.addItem(best, "")
        for adapter in self.bench.adapters():
            if not adapter.is_loopback:
                self.adapter.addItem(adapter.title, adapter.address)
        blocker.unblock()
        _pick(self.adapter, settings.adapter, settings.adapter)
        self.adapter.setEnabled(not self.bench.is_demo)

    def _show_port(self, trouble: AppError | None = None) -> None:
        state = self.bench.server.state
        if trouble is not None:
            text = f"{trouble.message} {trouble.advice}"
        elif state.is_listening:
            text = translate("Listening on {url}").format(url=state.url)
        else:
            text = translate("The endpoint is not listening.")
        self._port_note.setText(text)
        self._port_note.setVisible(True)
        set_look(self._port_note, tone="fault" if trouble is not None else "")

    # Changing

    def _save(self, words: str, **changes: Any) -> None:
        before = self.bench.settings
        after = replace(before, **changes)
        if after == before:
            return
        try:
            self.bench.change_settings(after)
        finally:
            self._show(self.bench.settings)
        self._tell(words, before)

    def _tell(self, words: str, before: Settings) -> None:
        self._before = before
        self._done.setText(words)
        self._foot.show()

    def _site_edited(self) -> None:
        name = self.site.text().strip()
        if name:
            self._save(translate("Saved: the site is called “{name}”.").format(name=name), site_name=name)
        else:
            self.site.setText(self.bench.settings.site_name)

    def _look_chosen(self) -> None:
        words = translate("Saved: the look is “{name}”.").format(name=self.look.currentText())
        self._save(words, theme=self.look.currentData())

    def _retention_chosen(self) -> None:
        words = translate("Saved: keeping {text}.").format(text=self.retention.currentText())
        self._save(words, keep_frames=self.retention.currentData())

    def _on_toggled(self, is_on: bool) -> None:
        words = translate("Saved: the endpoint listens at start.") if is_on else translate("Saved: it waits for you.")
        self._save(words, endpoint_on=is_on)

    def _adapter_chosen(self) -> None:
        words = translate("Saved: using {name}.").format(name=self.adapter.currentText())
        address = str(self.adapter.currentData() or "")
        self._move(words, replace(self.bench.settings, adapter=address))

    def _port_edited(self, port: int) -> None:
        words = translate("Saved: the port is {port}.").format(port=port)
        self._move(words, replace(self.bench.settings, endpoint_port=port))

    def _take_back(self) -> None:
        if self._before is not None:
            settings, self._before = self._before, None
            self._foot.hide()
            self._move("", settings)

    def _move(self, words: str, after: Settings) -> None:
        self.tasks.replace("move", self._moved(words, after))

    async def _moved(self, words: str, after: Settings) -> None:
        """Listen as the new settings say, then save them; where that can't be, nothing changes."""
        before = self.bench.settings
        try:
            await change(self.bench, after)
        except PortInUse as error:
            self._show(before)
            self._show_port(error)
            return
        self._show(after)
        if words and after != before:
            self._tell(words, before)


def _pick(box: QComboBox, value: object, text: str = "") -> None:
    """Choose the entry with that value; one that is not offered is added."""
    blocker = QSignalBlocker(box)
    index = box.findData(value)
    if index < 0:
        box.addItem(text or str(value), value)
        index = box.count() - 1
    box.setCurrentIndex(index)
    blocker.unblock()
