"""What other backends would say to this charger: a verdict for each, and the bytes they would stumble over."""

from __future__ import annotations

from typing import TYPE_CHECKING, AnyStr

from PySide6.QtCore import QElapsedTimer, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QTextEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.diagnosis.others import Opinion, Reason, Verdict, judge
from app.model.frame import Direction, Frame
from app.model.query import TrafficQuery
from ui import icons
from ui.i18n import worded
from ui.models.plain import visible, visible_lines
from ui.theme import SPACE_4, SPACE_8, SPACE_16, set_role, theme
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

MOST_FRAMES = 100
AGAIN_MS = 1000
"""Frames reach the disk a moment after they were heard, so the newest are judged with the next look."""
RAW_LIMIT = 20_000
ROLE = Qt.ItemDataRole.UserRole
ICONS = {Verdict.ACCEPTS: "circle-check", Verdict.LATER: "triangle-alert", Verdict.REFUSES: "octagon-x"}
TONES = {Verdict.ACCEPTS: "good", Verdict.LATER: "attention", Verdict.REFUSES: "fault"}


class OthersPanel(QWidget):
    """The tab “Other backends” of one charger."""

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._endpoint: Endpoint | None = None
        self._frames: dict[int, Frame] = {}
        self._shown: tuple[object, ...] = ()
        self._judged_at = QElapsedTimer()
        self.opinions: tuple[Opinion, ...] = ()
        self.note = plain_label(self, "subtle", is_wrapped=True)
        self.tree = self._tree()
        self.why = plain_label(self, "", is_wrapped=True)
        self.source = plain_label(self, "caption", is_wrapped=True)
        self.bytes = QPlainTextEdit(self)
        self.bytes.setReadOnly(True)
        self.bytes.setTabChangesFocus(True)
        self.bytes.setAccessibleName(self.tr("What the charger sent, with the place marked"))
        set_role(self.bytes, "mono")
        splitter = QSplitter(Qt.Orientation.Horizontal, self)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.tree)
        splitter.addWidget(self._detail())
        splitter.setSizes([520, 560])
        theme().changed.connect(self._fill)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._head())
        layout.addWidget(splitter, 1)

    def _head(self) -> QHBoxLayout:
        self.copy = QPushButton(self.tr("Copy all"), self)
        self.copy.setToolTip(self.tr("Copy what each backend would say"))
        icons.dress(self.copy, "copy", "text2")
        self.copy.clicked.connect(self._copy)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.note, 1)
        row.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _tree(self) -> QTreeWidget:
        tree = QTreeWidget(self)
        tree.setColumnCount(2)
        tree.setHeaderLabels([self.tr("Backend"), self.tr("Would say")])
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        tree.header().setStretchLastSection(True)
        tree.setColumnWidth(0, 240)
        tree.setIconSize(QSize(16, 16))
        tree.setUniformRowHeights(True)
        tree.setAccessibleName(self.tr("What other backends would say"))
        tree.currentItemChanged.connect(self._picked)
        return tree

    def _detail(self) -> QWidget:
        box = QWidget(self)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(SPACE_8, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self.why)
        layout.addWidget(self.source)
        layout.addWidget(self.bytes, 1)
        return box

    # Showing

    def show_charger(self, endpoint: Endpoint | None) -> None:
        """Judge this connection, anew every moment; what is shown stays while the verdicts do."""
        is_other = endpoint is not self._endpoint
        if not is_other and self._judged_at.isValid() and self._judged_at.elapsed() < AGAIN_MS:
            return
        self._endpoint = endpoint
        self._judged_at.start()
        opinions = self._judged(endpoint) if endpoint is not None else ()
        has_booted = endpoint is not None and endpoint.boot is not None
        if (opinions, has_booted) != self._shown or is_other:
            self._shown = (opinions, has_booted)
            self.opinions = opinions
            self._fill()

    def _judged(self, endpoint: Endpoint) -> tuple[Opinion, ...]:
        frames = self._first_frames(endpoint)
        self._frames = {frame.seq: frame for frame in frames}
        known = endpoint.habits.settings or {}
        settings = {key: setting.shown for key, setting in known.items()}
        return judge(endpoint.handshake, frames, findings=endpoint.findings, settings=settings)

    def _first_frames(self, endpoint: Endpoint) -> list[Frame]:
        """Read the Boot and the newest frames of this connection, in one bounded search each."""
        heard = TrafficQuery(identity=endpoint.identity, since=endpoint.opened_at)
        boots = TrafficQuery(
            identity=endpoint.identity,
            action="BootNotification",
            direction=Direction.IN,
            since=endpoint.opened_at,
        )
        store = self._bench.store.traffic
        found = [*store.scan(boots, limit=5).frames, *store.scan(heard, limit=MOST_FRAMES).frames]
        return sorted({frame.seq: frame for frame in found}.values(), key=lambda frame: frame.seq)

    def _fill(self) -> None:
        self.tree.clear()
        self.copy.setEnabled(bool(self.opinions))
        for opinion in self.opinions:
            self.tree.addTopLevelItem(self._row(opinion))
        objecting = [opinion for opinion in self.opinions if opinion.verdict is not Verdict.ACCEPTS]
        if self._endpoint is None:
            self.note.setText(self.tr("Not seen since this program started."))
        elif self._endpoint.boot is None:
            self.note.setText(self.tr("Judged by its handshake alone: it has not booted on this connection."))
        elif objecting:
            words = self.tr("{count} of {all} backends would object. Choose a line to see the bytes.")
            self.note.setText(words.format(count=len(objecting), all=len(self.opinions)))
        else:
            self.note.setText(self.tr("None of them would object to what this charger has shown so far."))
        self._pick_first()

    def _row(self, opinion: Opinion) -> QTreeWidgetItem:
        words = verdict_text(opinion.verdict)
        count = len(opinion.reasons)
        item = QTreeWidgetItem([opinion.other.name, f"{words} · {count}" if count else words])
        item.setIcon(0, icons.icon(ICONS[opinion.verdict], TONES[opinion.verdict]))
        item.setForeground(1, theme().tokens.color(TONES[opinion.verdict]))
        item.setData(0, ROLE, opinion)
        for reason in opinion.reasons:
            child = QTreeWidgetItem([visible(reason.place.name, 60), visible(reason.text, 300)])
            child.setToolTip(1, visible(reason.text, 300))
            child.setData(0, ROLE, reason)
            item.addChild(child)
        return item

    def _pick_first(self) -> None:
        for number in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(number)
            child = item.child(0) if item is not None else None
            if child is not None:
                self.tree.setCurrentItem(child)
                self.tree.scrollToTop()
                return
        first = self.tree.topLevelItem(0)
        if first is not None:
            self.tree.setCurrentItem(first)
        else:
            self._show_nothing()

    def _picked(self, item: QTreeWidgetItem | None) -> None:
        chosen = item.data(0, ROLE) if item is not None else None
        if isinstance(chosen, Reason):
            change = self.tr("What to change: {change}").format(change=chosen.change)
            self.why.setText(f"{visible(chosen.text, 400)}\n{change}")
            where = self.tr("byte {start}").format(start=chosen.place.start) if chosen.place.start >= 0 else ""
            self.source.setText(" · ".join(part for part in (where, chosen.source) if part))
            self._show_bytes(chosen)
        elif isinstance(chosen, Opinion):
            self.why.setText(verdict_sentence(chosen.verdict))
            self.source.setText(" · ".join(chosen.other.sources))
            self._show_bytes(None)
        else:
            self._show_nothing()

    def _show_nothing(self) -> None:
        self.why.clear()
        self.source.clear()
        self.bytes.clear()

    def _show_bytes(self, reason: Reason | None) -> None:
        """Show the handshake or the frame, with the place marked; a missing thing is marked where it belongs."""
        self.bytes.setExtraSelections([])
        frame = self._frames.get(reason.place.frame) if reason is not None and reason.place.frame else None
        if frame is not None and reason is not None:
            parts = _cut(frame.text, reason.place.start, reason.place.end)
            before, marked, after = (visible_lines(part) for part in parts)
        elif self._endpoint is not None:
            raw = self._endpoint.handshake.raw[:RAW_LIMIT]
            start, end = (reason.place.start, reason.place.end) if reason is not None else (-1, -1)
            before, marked, after = (_text(part) for part in _cut(raw, start, end))
        else:
            before = marked = after = ""
        is_marked = reason is not None and reason.place.start >= 0
        if is_marked and not marked:
            marked = self.tr(" ◂ {name} is missing here").format(name=visible(reason.place.name, 60) if reason else "")
        self.bytes.setPlainText(f"{before}{marked}{after}")
        if is_marked:
            self._mark(len(before), len(before) + len(marked))

    def _mark(self, start: int, end: int) -> None:
        cursor = QTextCursor(self.bytes.document())
        cursor.setPosition(start)
        self.bytes.setTextCursor(cursor)
        self.bytes.ensureCursorVisible()
        cursor.setPosition(min(end, self.bytes.document().characterCount() - 1), QTextCursor.MoveMode.KeepAnchor)
        selection = QTextEdit.ExtraSelection()
        shape = QTextCharFormat()
        shape.setBackground(QColor(theme().tokens.fault))
        shape.setForeground(QColor(theme().tokens.panel))
        selection.cursor, selection.format = cursor, shape
        self.bytes.setExtraSelections([selection])

    def sizeHint(self) -> QSize:
        """Ask for enough room to read a handshake."""
        return QSize(560, 480 + SPACE_16)

    # Acting

    def as_text(self) -> str:
        """Return all verdicts as plain text."""
        lines = []
        for opinion in self.opinions:
            lines.append(f"{opinion.other.name}: {verdict_text(opinion.verdict)}")
            lines += [f"  - {reason.text} ({reason.place.name}) {reason.change}" for reason in opinion.reasons]
        return visible_lines("\n".join(lines))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.as_text())


def verdict_text(verdict: Verdict) -> str:
    """Put a verdict into a word or two."""
    return {
        Verdict.ACCEPTS: worded("Would take it"),
        Verdict.LATER: worded("Would stumble later"),
        Verdict.REFUSES: worded("Would refuse it"),
    }[verdict]


def verdict_sentence(verdict: Verdict) -> str:
    """Put a verdict into a sentence."""
    return {
        Verdict.ACCEPTS: worded(
            "Nothing it has shown so far would be refused there. Whether it is registered is another question."
        ),
        Verdict.LATER: worded("It would be let in; some of what it says would be answered with an error."),
        Verdict.REFUSES: worded("The connection would not come about. Mend it before you move the charger there."),
    }[verdict]


def _cut(text: AnyStr, start: int, end: int) -> tuple[AnyStr, AnyStr, AnyStr]:
    if start < 0:
        return text, text[:0], text[:0]
    return text[:start], text[start:end], text[end:]


def _text(part: bytes) -> str:
    return visible_lines(part.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
