"""Reservations at a charger, and texts on its display."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QComboBox, QLineEdit, QSpinBox

from app.ocpp.services import messages, reservations
from app.ocpp.services.messages import Message
from app.ocpp.services.reservations import Reservation
from ui.i18n import worded
from ui.models.listing import Listing
from ui.models.services import MESSAGE_FIELDS, RESERVATION_FIELDS, message_key, reservation_key
from ui.pages.endpoint_held import HeldPage
from ui.pages.endpoint_service import ServicePage, verdict
from ui.theme import SPACE_8
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint


class ReservationsPage(ServicePage):
    """Reserve a connector for a card, and cancel."""

    title: ClassVar[str] = "Reservations"
    icon_name: ClassVar[str] = "calendar"

    def build(self) -> None:
        """Fill the page."""
        self.uid = QLineEdit(self)
        self.uid.setMaxLength(36)
        self.uid.setPlaceholderText(self.tr("Card number"))
        self.uid.setAccessibleName(self.tr("Card number"))
        self.connector = QSpinBox(self)
        self.connector.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.connector.setRange(0, 64)
        self.connector.setValue(1)
        self.connector.setPrefix(self.tr("connector "))
        self.connector.setSpecialValueText(self.tr("any connector"))
        self.connector.setAccessibleName(self.tr("Connector or EVSE"))
        self.minutes = QSpinBox(self)
        self.minutes.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.minutes.setRange(1, 1440)
        self.minutes.setValue(15)
        self.minutes.setPrefix(self.tr("for "))
        self.minutes.setSuffix(self.tr(" min"))
        self.minutes.setAccessibleName(self.tr("How long"))
        self.reserve = self.order_button(self.tr("Reserve"), self._reserve, is_primary=True)
        self.cancel = self.order_button(self.tr("Cancel reservation"), self._cancel, icon_name="x")
        self.body.addLayout(self.row(self.uid, self.connector, self.minutes, self.reserve, self.cancel, 1))
        self.model: Listing[Reservation] = Listing(RESERVATION_FIELDS, reservation_key, self)
        self.table = ListView(
            self.model,
            self.tr("Reservations"),
            self,
            nothing=self.tr("No reservation. Enter a card above to keep a connector free for it."),
        )
        self.body.addWidget(self.table, 1)

    def show_state(self) -> None:
        """Show how the reservations stand."""
        self.model.show(self.bench.services.reservations(self.identity))
        if self.table.current() is None:
            self.cancel.setEnabled(False)
        if not self.uid.text().strip():
            self.reserve.setEnabled(False)

    def _reserve(self) -> None:
        self.order(self._reserved)

    async def _reserved(self, endpoint: Endpoint) -> tuple[str, str]:
        until = self.bench.now() + timedelta(minutes=self.minutes.value())
        made = await reservations.reserve(endpoint, self.connector.value(), self.uid.text().strip(), until)
        self.bench.services.keep_reservation(endpoint.identity, made)
        return verdict(made.status, made.text)

    def _cancel(self) -> None:
        self.order(self._cancelled)

    async def _cancelled(self, endpoint: Endpoint) -> tuple[str, str]:
        item = self.table.current()
        if item is None:
            return self.tr("Choose a reservation first."), ""
        status, text = await reservations.cancel(endpoint, item.reservation_id)
        if status == "Accepted":
            self.bench.services.keep_reservation(endpoint.identity, replace(item, status="Cancelled"))
        return verdict(status, text)


class MessagesPage(HeldPage[Message]):
    """Texts on the display of a 2.x station."""

    title: ClassVar[str] = "Display"
    icon_name: ClassVar[str] = "monitor"
    only_versions: ClassVar[tuple[str, ...]] = ("2.0.1", "2.1")

    def build(self) -> None:
        """Fill the page."""
        self.text = QLineEdit(self)
        self.text.setMaxLength(512)
        self.text.setPlaceholderText(self.tr("Text for the display"))
        self.text.setAccessibleName(self.tr("Text for the display"))
        self.priority = QComboBox(self)
        self.priority.setAccessibleName(self.tr("Priority"))
        for name, words in zip(messages.PRIORITIES, ("in turn", "in front", "always in front"), strict=True):
            self.priority.addItem(worded(words), name)
        self.state = QComboBox(self)
        self.state.setAccessibleName(self.tr("While the charger is"))
        for name in messages.STATES:
            self.state.addItem(worded("always") if not name else worded("while {state}", state=name), name)
        self.show_text = self.order_button(self.tr("Show"), self._show, is_primary=True)
        self.list = self.read_button(self.tr("Ask the charger which texts it holds"))
        self.clear = self.order_button(self.tr("Take off"), self._clear, icon_name="trash-2")
        self.body.addLayout(self.row(self.text, self.priority, self.state, self.show_text, self.list, self.clear))
        self.hold(
            MESSAGE_FIELDS,
            message_key,
            title=self.tr("Texts on the display"),
            nothing=self.tr("No text known. Write one above, or read what the charger shows already."),
            counted=self.tr("Texts in the charger: {count}."),
        )

    async def fetch(self, endpoint: Endpoint) -> tuple[Message, ...]:
        """Ask for the texts."""
        return await messages.shown(endpoint)

    def show_state(self) -> None:
        """Allow what can be done."""
        if self.table.current() is None:
            self.clear.setEnabled(False)
        if not self.text.text().strip():
            self.show_text.setEnabled(False)

    def _show(self) -> None:
        self.order(self._was_shown)

    async def _was_shown(self, endpoint: Endpoint) -> tuple[str, str]:
        text = self.text.text().strip()
        _, status, words = await messages.show(
            endpoint, text, priority=self.priority.currentData(), state=self.state.currentData()
        )
        await self.read(endpoint)
        return verdict(status, words)

    def _clear(self) -> None:
        self.order(self._cleared)

    async def _cleared(self, endpoint: Endpoint) -> tuple[str, str]:
        item = self.table.current()
        if item is None:
            return self.tr("Choose a text first."), ""
        status, words = await messages.clear(endpoint, item.message_id)
        await self.read(endpoint)
        return verdict(status, words)
