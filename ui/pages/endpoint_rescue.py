"""What one charger kept for its dead backend: its sessions, whether its queue is empty, and saving them."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QPushButton

from ui import icons
from ui.dialogs import choose_folder
from ui.models.listing import Listing
from ui.models.rescue import LINE_FIELDS, Line, Queue, energy_text, lines, state_words
from ui.pages.endpoint_service import ServicePage
from ui.theme import set_look
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.rescue.draining import Drained
    from app.rescue.files import Ledger

AGAIN_S = 2.0
"""Least pause between two readings of the recording while messages come."""


class RescuePage(ServicePage):
    """The state of the queue on top, the sessions below, saving at the end."""

    title: ClassVar[str] = "Rescue data"
    icon_name: ClassVar[str] = "archive-restore"

    def build(self) -> None:
        """Fill the page."""
        self.ledger: Ledger | None = None
        self._watched: Endpoint | None = None
        self._heard_at = 0.0
        self._read_at = 0.0
        self._count = 0
        self._stuck = ""
        self._is_stale = True
        self.state = plain_label(self, "", is_wrapped=True)
        self.state.setAccessibleName(self.tr("State of its queue"))
        self.sums = plain_label(self, "subtle", is_wrapped=True)
        self.sums.setAccessibleName(self.tr("Sums"))
        self.model: Listing[Line] = Listing(LINE_FIELDS, lambda line: line.number, self)
        self.table = ListView(self.model, self.tr("Sessions this charger told of"), self)
        self.none = self.note(
            self.tr(
                "This charger has told of no charging session. What it kept for a dead backend comes by itself when "
                "it is connected; every message is answered and recorded here."
            )
        )
        self.save = QPushButton(self.tr("Save CSV and JSON…"), self)
        self.save.setToolTip(self.tr("Save all sessions; cards are written as pseudonyms"))
        icons.dress(self.save, "save", "text2")
        self.save.clicked.connect(self._save)
        self.body.addWidget(self.state)
        self.body.addWidget(self.sums)
        self.body.addWidget(self.none)
        self.body.addWidget(self.table, 1)
        self.body.addStretch(0)
        self.body.addLayout(self.row(self.save, 1))

    def charger_changed(self) -> None:
        """Forget the charger before."""
        self.tasks.cancel("rescue watch")
        self.ledger, self._watched = None, None
        self._count, self._stuck, self._is_stale = 0, "", True
        self.model.show([])

    def show_state(self) -> None:
        """Show sessions and queue; read the recording again where something came."""
        self._watch()
        if self._is_stale and self.identity and monotonic() - self._read_at >= AGAIN_S:
            self.tasks.start_once(f"rescue read {self.identity}", self._read(self.identity))
        self._show()

    def queue(self) -> Queue:
        """Return how its queue stands."""
        endpoint, ledger = self.endpoint, self.ledger
        if endpoint is None:
            return Queue(is_connected=False)
        kept = ledger.kept if ledger is not None else ()
        last = max([endpoint.opened_at, *(item.last_heard_at for item in kept if item.last_heard_at is not None)])
        quiet_s = (self.bench.now() - last).total_seconds()
        if self._heard_at:
            quiet_s = min(quiet_s, monotonic() - self._heard_at)
        return Queue(
            is_connected=True,
            messages=max(self._count, sum(item.messages for item in kept)),
            quiet_s=max(0.0, quiet_s),
            needed_s=self.bench.rescue.patience.quiet_s,
            stuck=self._stuck if quiet_s < self.bench.rescue.patience.quiet_s else "",
        )

    def _show(self) -> None:
        words, tone = state_words(self.queue())
        self.state.setText(words)
        set_look(self.state, tone=tone)
        ledger = self.ledger
        has_any = ledger is not None and bool(ledger.sessions)
        self.none.setVisible(ledger is not None and not has_any)
        self.table.setVisible(has_any)
        self.sums.setVisible(has_any)
        self.save.setEnabled(has_any and not self.tasks.is_running("save rescued"))
        if ledger is not None:
            text = self.tr("Kept for the old backend: {kept} · {energy}     Recorded in all: {all} · {total}")
            self.sums.setText(
                text.format(
                    kept=len(ledger.kept),
                    energy=energy_text(ledger.kept_wh),
                    all=len(ledger.sessions),
                    total=energy_text(ledger.energy_wh),
                )
            )

    # Reading

    def _watch(self) -> None:
        """Listen to the connection that is there now."""
        endpoint = self.endpoint
        if endpoint is self._watched or endpoint is None:
            return
        self._watched, self._count, self._stuck, self._heard_at = endpoint, 0, "", 0.0
        self._is_stale = True
        self.tasks.replace("rescue watch", self._listen(endpoint))

    async def _listen(self, endpoint: Endpoint) -> None:
        def heard(now: Drained) -> None:
            if endpoint is self._watched:
                self._count, self._stuck, self._heard_at = now.messages, now.stuck, monotonic()
                self._is_stale = True

        await self.bench.rescue.listen(endpoint, heard)

    async def _read(self, identity: str) -> None:
        self._is_stale = False
        boot = self._watched.ledger.boot if self._watched is not None else None
        ledger = await self.bench.rescue.ledger(identity, serial=boot.serial if boot is not None else "")
        if identity == self.identity:
            self._read_at = monotonic()
            self.ledger = ledger
            self.model.show(lines(self.bench.rescue.rows(ledger)))
            self._show()

    # Saving

    def _save(self) -> None:
        if self.ledger is not None:
            ledger = replace(self.ledger, is_dry=self.queue().is_dry)
            self.tasks.start_once("save rescued", self._saved(self.identity, ledger), busy=self.save)

    async def _saved(self, identity: str, ledger: Ledger) -> None:
        folder = await choose_folder(self, self.tr("Save the rescued sessions"))
        if folder is not None:
            paths = await self.bench.rescue.save(ledger, folder)
            names = " · ".join(path.name for path in paths)
            self.say(identity, self.tr("Saved: {names}").format(names=names), "good")
