"""Scan a label: a barcode reader, a photo (opened, pasted, dropped) or the keyboard names a charger of the site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import (
    QDropEvent,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QKeySequence,
    QShortcut,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.errors import AppError
from app.labels.label import TEXT_LIMIT, parse
from app.labels.reading import Code, read
from app.model.address import NetAddress
from app.model.secret import Secret
from app.settings import Listed
from ui import icons, photo
from ui.dialogs import choose_file
from ui.models.labels import TYPED, Action, Card, Choice, Outcome, corrected, judged, to_list
from ui.models.plain import visible
from ui.models.sitelist import ListRow
from ui.pages.page import Page
from ui.pages.site_import import take
from ui.pages.site_label_card import LabelCard
from ui.pages.site_label_reader import LabelReader
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.labels.reading import Grey
    from app.workbench import Workbench

WIDTH = 392

FILES_LIMIT = 20
"""Photos that are read of one drop."""

READING = "read a label"

IMAGE_PATTERN = "*.jpg *.jpeg *.png *.webp *.bmp *.gif"


class LabelField(QLineEdit):
    """The field for a label's text; a picture pasted into it is read as one."""

    pasted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the paste of a picture to the panel."""
        if event.matches(QKeySequence.StandardKey.Paste) and _is_picture(QGuiApplication.clipboard().mimeData()):
            self.pasted.emit()
            return
        super().keyPressEvent(event)


def _is_picture(data: QMimeData | None) -> bool:
    """Say whether a clipboard, which may hold nothing at all, holds a picture or files."""
    return data is not None and (data.hasImage() or data.hasUrls())


class LabelPanel(QFrame):
    """The panel beside the chargers. It shows itself when a barcode reader types anywhere on its page."""

    unit_found = Signal(str)
    """A charger to select."""
    open_asked = Signal(str)
    rehome_asked = Signal(str)
    listed = Signal()
    """The site's list was changed."""

    def __init__(self, bench: Workbench, page: Page) -> None:
        super().__init__(page)
        self._bench = bench
        self._page = page
        self.tasks = page.tasks
        self._seen: set[tuple[str, str]] = set()
        self._codes: tuple[Code, ...] = ()
        set_role(self, "panel")
        self.setAccessibleName(self.tr("Scan a label"))
        self.setFixedWidth(WIDTH)
        self._build()
        self._listen()
        self.hide()

    # Building

    def _build(self) -> None:
        self.field = LabelField(self)
        self.field.setMaxLength(TEXT_LIMIT)
        self.field.setPlaceholderText(self.tr("Scan, or type a serial number"))
        self.field.setAccessibleName(self.tr("Text of the label"))
        self.field.setClearButtonEnabled(True)
        set_role(self.field, "mono", size="large")
        self.open_button = QPushButton(self.tr("Open photo…"), self)
        self.paste_button = QPushButton(self.tr("Paste"), self)
        for button, icon_name in ((self.open_button, "folder-open"), (self.paste_button, "clipboard-copy")):
            set_role(button, "", size="large")
            icons.dress(button, icon_name)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_8)
        buttons.addWidget(self.open_button, 1)
        buttons.addWidget(self.paste_button, 1)
        self.results = ScrollColumn(self)
        self.results.setAccessibleName(self.tr("What was read"))
        self.results.column.setContentsMargins(0, 0, 0, 0)
        self.results.column.setSpacing(SPACE_8)
        self.progress = plain("", "caption", self, wraps=False)
        self.progress.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._head())
        layout.addWidget(self.field)
        layout.addLayout(buttons)
        layout.addWidget(self.results, 1)
        layout.addWidget(self.progress)
        self._explain()

    def _head(self) -> QHBoxLayout:
        picture = QLabel(self)
        icons.dress(picture, "scan-line", "text2", 20)
        self.close_button = QToolButton(self)
        set_role(self.close_button, "quiet")
        icons.dress(self.close_button, "x")
        self.close_button.setAccessibleName(self.tr("Close the label panel"))
        self.close_button.setToolTip(self.tr("Close"))
        self.close_button.clicked.connect(self.hide)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(picture)
        head.addWidget(plain(self.tr("Scan a label"), "heading", self, wraps=False))
        head.addStretch(1)
        head.addWidget(self.close_button)
        return head

    def _listen(self) -> None:
        self.reader = LabelReader(self._page)
        self.reader.scanned.connect(self.take_text)
        self.field.returnPressed.connect(self._typed)
        self.field.pasted.connect(self.paste)
        self.open_button.clicked.connect(self._open)
        self.paste_button.clicked.connect(self.paste)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self._page)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.paste)
        self._page.setAcceptDrops(True)
        self._page.installEventFilter(self)

    # What comes in

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take photos and texts dropped anywhere on the page."""
        if watched is self._page and isinstance(event, QDropEvent) and event.type() in _DROPS:
            data = event.mimeData()
            if not (data.hasImage() or data.hasText() or any(url.isLocalFile() for url in data.urls())):
                return False
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            if event.type() == QEvent.Type.Drop:
                self.take_data(data)
            return True
        return super().eventFilter(watched, event)

    def toggle(self) -> None:
        """Show the panel with the keyboard in its field, or put it away."""
        self.setVisible(not self.isVisibleTo(self._page))
        if self.isVisibleTo(self._page):
            self.field.setFocus()

    def paste(self) -> None:
        """Take what is on the clipboard: a picture, files, or text."""
        self.take_data(QGuiApplication.clipboard().mimeData())

    def take_data(self, data: QMimeData | None) -> None:
        """Take what was pasted or dropped; an empty clipboard has no data at all."""
        data = data or QMimeData()
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        picture = data.imageData() if data.hasImage() and not files else None
        if files:
            self._start(self._read(*(_loader(path) for path in files[:FILES_LIMIT])))
        elif isinstance(picture, QImage) and not picture.isNull():
            self._start(self._read(lambda: photo.brightness(picture)))
        elif data.hasText() and data.text().strip():
            self.take_text(data.text()[:TEXT_LIMIT])
        else:
            self._say(
                self.tr("Nothing to read"), self.tr("The clipboard holds neither a picture nor text."), "attention"
            )

    def take_text(self, text: str) -> None:
        """Take the text of one label, as a barcode reader types it."""
        self.show()
        self.tasks.cancel(READING)
        # A label with a PIN in it stays on nobody's screen.
        self.field.setText("" if parse(text).secrets else text)
        self.field.selectAll()
        self._show((Code(text=text, symbology=TYPED),))

    def _typed(self) -> None:
        if self.field.text().strip():
            self.take_text(self.field.text().strip())

    def _open(self) -> None:
        self.tasks.start_once("choose a photo", self._chosen(), busy=self.open_button)

    async def _chosen(self) -> None:
        pattern = self.tr("Photos ({kinds});;All files (*)").format(kinds=IMAGE_PATTERN)
        path = await choose_file(self, self.tr("Choose a photo of a label"), pattern=pattern)
        if path is not None:
            self.take_file(path)

    def take_file(self, path: Path) -> None:
        """Read the codes of a photo's file."""
        self._start(self._read(_loader(path)))

    def _start(self, reading: Coroutine[Any, Any, None]) -> None:
        self.field.clear()
        self._say(self.tr("Reading the photo…"), self.tr("This takes about a second."), "working")
        self.tasks.replace(READING, reading)

    async def _read(self, *sources: Callable[[], Grey]) -> None:
        """Decode and search in a thread: the window stays fluid meanwhile."""
        codes: list[Code] = []
        for source in sources:
            try:
                codes += await asyncio.to_thread(_codes, source)
            except AppError as error:
                self._say(error.message, error.advice, "fault")
                return
        if codes:
            self._show(tuple(codes))
        else:
            advice = self.tr("Go nearer, hold still, light it from the side; or type the serial number above.")
            self._say(self.tr("No code in this photo"), advice, "attention")

    # What is shown

    def _explain(self) -> None:
        """Say what can be done here."""
        self._clear()
        for icon_name, title, text in (
            ("scan-line", self.tr("Barcode reader"), self.tr("Plug it in by USB and scan: no field has to be chosen.")),
            ("qr-code", self.tr("Photo"), self.tr("Open it, paste it with Ctrl+V, or drop it on this page.")),
            ("keyboard", self.tr("By hand"), self.tr("Type the serial number, MAC address or identity, then Enter.")),
        ):
            line, picture = QHBoxLayout(), QLabel(self)
            icons.dress(picture, icon_name, "accent", 24)
            words = QVBoxLayout()
            words.setSpacing(2)
            words.addWidget(plain(title, "strong", self))
            words.addWidget(plain(text, "subtle", self))
            line.setSpacing(SPACE_12)
            line.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
            line.addLayout(words, 1)
            box = QWidget(self)
            box.setLayout(line)
            self.results.column.addWidget(box)
        self.results.column.addStretch(1)

    def _clear(self) -> None:
        column = self.results.column
        while (item := column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _say(self, title: str, text: str, tone: str) -> None:
        """Show one message in place of results."""
        self.show()
        self._clear()
        self._codes = ()
        card = QFrame(self)
        set_role(card, "banner", tone=tone)
        card.setAccessibleName(title)
        card.setAccessibleDescription(text)
        layout = QVBoxLayout(card)
        layout.addWidget(plain(visible(title, 200), "strong", card))
        layout.addWidget(plain(visible(text, 400), "", card))
        self.results.column.addWidget(card)
        self.results.column.addStretch(1)

    def _show(self, codes: tuple[Code, ...]) -> None:
        self._codes = codes
        bench = self._bench
        outcome = judged(codes, bench.settings.listed, tuple(bench.finder.units.values()))
        self._clear()
        for card in outcome.cards:
            self.results.column.addWidget(self._card(card))
        self._show_others(outcome)
        self.results.column.addStretch(1)
        self.results.verticalScrollBar().setValue(0)
        self._count(outcome)
        found = next((card.unit_id for card in outcome.cards if card.unit_id), "")
        if found:
            self.unit_found.emit(found)

    def _card(self, card: Card) -> LabelCard:
        widget = LabelCard(card, self, can_keep=bool(self._hosts(card)))
        widget.chosen.connect(self._do)
        widget.copied.connect(self._copy_secret)
        widget.kept.connect(self._keep_secret)
        return widget

    def _show_others(self, outcome: Outcome) -> None:
        if outcome.others:
            self.results.column.addWidget(plain(self.tr("Also in the photo"), "caption", self))
        for label in outcome.others:
            self.results.column.addWidget(plain(visible(label.shown, 120), "mono-subtle", self))

    def _count(self, outcome: Outcome) -> None:
        """Say how far the list is: a site is done when every line was scanned."""
        rows = [target.row for card in outcome.cards if card.tone == "good" for target in card.match.targets]
        self._seen |= {(row.serial, row.identity) for row in rows if row is not None}
        listed = {(row.serial, row.identity) for row in self._bench.settings.listed}
        done = len(self._seen & listed)
        words = self.tr("{done} of {all} on the site's list scanned").format(done=done, all=len(listed))
        self.progress.setText(words)
        self.progress.setVisible(bool(listed))

    # What the technician does

    def _do(self, card: Card, action: Action) -> None:
        unit = action.target.unit if action.target is not None else None
        match action.choice:
            case Choice.OPEN if unit is not None:
                self.open_asked.emit(unit.unit_id)
            case Choice.REHOME if unit is not None:
                self.rehome_asked.emit(unit.unit_id)
            case Choice.SHOW if unit is not None:
                self.unit_found.emit(unit.unit_id)
            case Choice.ADD:
                self._add(to_list(card.match))
            case Choice.CORRECT:
                self._correct(card)
            case _:
                QGuiApplication.clipboard().setText(card.match.name or card.match.label.shown)

    def _add(self, row: Listed | None) -> None:
        if row is not None:
            line = ListRow(line=0, serial=row.serial, identity=row.identity, backend=row.backend, password=Secret(""))
            take((line,), self._bench)
            self._changed()

    def _correct(self, card: Card) -> None:
        """Put the label's spelling on the list; the password kept for the old one goes with it."""
        likeness = card.match.alike[0]
        row = corrected(likeness)
        if row is None:
            return
        settings = self._bench.settings
        listed = tuple(row if item == likeness.target.row else item for item in settings.listed)
        old = likeness.target.row
        if old is not None and old.identity != row.identity:
            secret = self._bench.vault.get(f"identity/{old.identity}")
            if secret is not None:
                self._bench.vault.set(f"identity/{row.identity}", secret)
        self._bench.change_settings(replace(settings, listed=listed))
        self._changed()

    def _changed(self) -> None:
        self.listed.emit()
        self._show(self._codes)

    def _hosts(self, card: Card) -> Sequence[str]:
        ways = [way for item in card.match.targets if item.unit is not None for way in item.unit.ways]
        hosts = [way.address.host for way in ways if isinstance(way.address, NetAddress)]
        return hosts if card.unit_id else ()

    def _keep_secret(self, card: Card, _: str, secret: Secret) -> None:
        """Log in with it from now on, as with a password typed on the charger's page."""
        for host in self._hosts(card):
            self._bench.vault.set(f"charger/{host}/password", secret)

    def _copy_secret(self, secret: Secret) -> None:
        QGuiApplication.clipboard().setText(secret.reveal())


_DROPS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


def _loader(path: Path) -> Callable[[], Grey]:
    return lambda: photo.load(path)


def _codes(source: Callable[[], Grey]) -> tuple[Code, ...]:
    return read(source())
