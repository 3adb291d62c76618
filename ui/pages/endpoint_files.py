"""Firmware to a charger, logs and diagnostics from it, through the built-in file service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QProgressBar, QPushButton, QWidget

from app.model.transfer import Carrier, Received
from app.ocpp.services import transfer
from app.ocpp.services.transfer import Image, Outcome, Progress
from app.standin import testimage
from ui import icons
from ui.dialogs import Button, ask, choose_file
from ui.i18n import worded
from ui.models.listing import Listing
from ui.models.plain import size_text, visible
from ui.models.services import RECEIVED_FIELDS, received_key
from ui.pages.endpoint_service import ServicePage
from ui.widgets.frameview import plain_label
from ui.widgets.listview import ListView
from ui.wiring import open_folder

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint


class FilesPage(ServicePage):
    """Ask for logs, offer firmware, watch both, and keep what came."""

    title: ClassVar[str] = "Logs and firmware"
    icon_name: ClassVar[str] = "files"

    def build(self) -> None:
        """Fill the page."""
        self._progress: dict[str, Progress] = {}
        self.carrier = QComboBox(self)
        self.carrier.setAccessibleName(self.tr("How files travel"))
        self.carrier.setToolTip(self.tr("Some chargers know only one of them"))
        for carrier in Carrier:
            self.carrier.addItem(self.tr("over {name}").format(name=carrier.value.upper()), carrier)
        self.fetch = self.order_button(
            self.tr("Fetch diagnostics"), self._fetch, icon_name="arrow-down-to-line", is_primary=True
        )
        self.fetch_security = self.order_button(
            self.tr("Fetch security log"), self._fetch_security, icon_name="shield-check"
        )
        self.update_firmware = self.order_button(self.tr("Update firmware…"), self._update, icon_name="upload")
        self.test_image = self.order_button(self.tr("Offer a test image…"), self._offer, icon_name="file-check")
        self.body.addLayout(
            self.flow(self.fetch, self.fetch_security, self.update_firmware, self.test_image, self.carrier)
        )
        self.bar = QProgressBar(self)
        self.bar.setAccessibleName(self.tr("Progress of the transfer"))
        self.step = plain_label(self, "caption")
        self.give_up = QPushButton(self.tr("Give up"), self)
        self.give_up.clicked.connect(self.stop)
        self.moving = QWidget(self)
        row = self.row(self.bar, self.step, 1, self.give_up)
        row.setContentsMargins(0, 0, 0, 0)
        self.moving.setLayout(row)
        self.body.addWidget(self.moving)
        self.model: Listing[Received] = Listing(RECEIVED_FIELDS, received_key, self)
        self.table = ListView(
            self.model,
            self.tr("Files this charger delivered"),
            self,
            nothing=self.tr(
                "This charger has delivered no file yet. Fetch its diagnostics: the file arrives on this computer."
            ),
        )
        self.table.setMinimumHeight(80)
        self.table.picked.connect(self._picked)
        self.body.addWidget(self.table, 1)
        self.body.addLayout(self._file_row())
        self._known: tuple[object, ...] = ()

    def _file_row(self) -> QHBoxLayout:
        self.open_file = QPushButton(self.tr("Open"), self)
        self.open_file.clicked.connect(self._open)
        self.save_file = QPushButton(self.tr("Save a copy…"), self)
        self.save_file.clicked.connect(self._save)
        self.show_folder = QPushButton(self.tr("Show folder"), self)
        icons.dress(self.show_folder, "folder-open", "text2")
        self.show_folder.clicked.connect(self._show_folder)
        return self.row(self.open_file, self.save_file, self.show_folder, 1)

    # Showing

    def charger_changed(self) -> None:
        """List the files of the charger."""
        self._known = ()

    def show_state(self) -> None:
        """Show progress and files."""
        is_busy = self.is_busy
        if not is_busy:
            self._progress.pop(self.identity, None)
        progress = self._progress.get(self.identity)
        self.moving.setVisible(progress is not None)
        if progress is not None:
            self._show_progress(progress)
        known = (self.identity, is_busy)
        if known != self._known:
            self._known = known
            self.model.show(self.bench.files.received(self.identity))
            self._picked(self.table.current())

    def _show_progress(self, progress: Progress) -> None:
        if not progress.total:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(min(1000, progress.bytes * 1000 // progress.total))
        size = size_text(progress.bytes) if progress.bytes else ""
        self.step.setText(" · ".join(part for part in (progress.status, progress.text, size) if part))

    def _picked(self, item: Received | None) -> None:
        for button in (self.open_file, self.save_file):
            button.setEnabled(item is not None)

    # Orders

    def _teller(self, identity: str) -> Callable[[Progress], None]:
        """Return what takes the progress of one charger, keeping what a step does not say."""
        self._progress[identity] = Progress(text="")
        self.refresh()

        def tell(progress: Progress) -> None:
            before = self._progress.get(identity, Progress(text=""))
            self._progress[identity] = Progress(
                text=progress.text or before.text,
                status=progress.status or before.status,
                bytes=progress.bytes or before.bytes,
                total=progress.total or before.total,
            )

        return tell

    def _fetch(self) -> None:
        self.order(self._fetched)

    async def _fetched(self, endpoint: Endpoint, kind: str = "diagnostics") -> tuple[str, str]:
        tell = self._teller(endpoint.identity)
        site = self.bench.services.site(endpoint)
        outcome = await transfer.fetch_diagnostics(
            endpoint, site, kind=kind, carrier=self.carrier.currentData(), tell=tell
        )
        return _words(outcome)

    def _fetch_security(self) -> None:
        self.order(self._fetched_security)

    async def _fetched_security(self, endpoint: Endpoint) -> tuple[str, str]:
        return await self._fetched(endpoint, "security")

    def _update(self) -> None:
        self.order(self._updated, asks=True)

    async def _updated(self, endpoint: Endpoint) -> tuple[str, str]:
        path = await choose_file(self, self.tr("Firmware for {name}").format(name=visible(endpoint.identity, 60)))
        if path is None:
            return self.tr("Nothing was sent."), ""
        image = await transfer.image_of(path)
        if not await self._is_wanted(image):
            return self.tr("Nothing was sent."), ""
        return await self._sent(endpoint, image)

    async def _is_wanted(self, image: Image) -> bool:
        text = self.tr(
            "{name} goes to the charger, which installs it by itself. Take only an image its maker made for this "
            "model: a wrong one may ruin it, and older firmware can often not be brought back."
        ).format(name=image.path.name)
        if image.is_signed:
            text += "\n\n" + self.tr("Its signature and certificate lie beside it and are sent along.")
        buttons = (
            Button(key="send", text=self.tr("Update the firmware"), role="danger"),
            Button(key="close", text=self.tr("Cancel")),
        )
        title = self.tr("Update the firmware?")
        return await ask(self, title, text, buttons, icon_name="triangle-alert", tone="attention") == "send"

    def _offer(self) -> None:
        self.order(self._offered, asks=True)

    async def _offered(self, endpoint: Endpoint) -> tuple[str, str]:
        buttons = (
            Button(key="signed", text=self.tr("Signed by a stranger"), role="primary"),
            Button(key="plain", text=self.tr("Not signed")),
            Button(key="close", text=self.tr("Cancel")),
        )
        title = self.tr("Offer a test image?")
        chosen = await ask(
            self, title, self.tr(testimage.WARNING), buttons, icon_name="triangle-alert", tone="attention"
        )
        if chosen not in ("signed", "plain"):
            return self.tr("Nothing was sent."), ""
        made = await asyncio.to_thread(testimage.make, self.bench.home / "images", is_signed=chosen == "signed")
        return await self._sent(
            endpoint, Image(path=made.path, signature=made.signature, certificate=made.certificate, is_test=True)
        )

    async def _sent(self, endpoint: Endpoint, image: Image) -> tuple[str, str]:
        self.waiting(endpoint.identity)
        tell = self._teller(endpoint.identity)
        site = self.bench.services.site(endpoint)
        outcome = await transfer.update_firmware(endpoint, site, image, carrier=self.carrier.currentData(), tell=tell)
        return _words(outcome)

    # Files

    def _open(self) -> None:
        if (item := self.table.current()) is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(item.path)))

    def _show_folder(self) -> None:
        item = self.table.current()
        open_folder(item.path.parent if item is not None else self.bench.home / "files")

    def _save(self) -> None:
        item = self.table.current()
        if item is not None:
            self.tasks.start_once("save a file", self._saved(item), busy=self.save_file)

    async def _saved(self, item: Received) -> None:
        path = await choose_file(self, self.tr("Save a copy"), save_as=item.path.name)
        if path is not None:
            await self.bench.files.copy(item, path)
            self.say(item.identity, self.tr("Saved as {name}.").format(name=path.name), "good")


def _words(outcome: Outcome) -> tuple[str, str]:
    steps = worded("It told: {steps}.", steps=", ".join(seen.status for seen in outcome.statuses))
    parts = [outcome.text, outcome.advice, steps if outcome.statuses else "", *outcome.oddities]
    tone = "fault" if not outcome.is_done else "attention" if outcome.oddities else "good"
    return " ".join(part for part in parts if part), tone
