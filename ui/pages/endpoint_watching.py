"""What a 2.x station watches for us, and the price a 2.1 station works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLineEdit

from app.ocpp.services import monitoring, tariffs
from app.ocpp.services.monitoring import Monitor
from app.ocpp.services.tariffs import Assigned
from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import visible
from ui.pages.endpoint_held import HeldPage
from ui.pages.endpoint_service import verdict
from ui.theme import SPACE_8

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

KIND_WORDS = ("above", "below", "changed by", "every (s)", "every full (s)")

MONITOR_FIELDS: tuple[Field[Monitor], ...] = (
    Field("Number", lambda item: f"{item.monitor_id}", 9),
    Field("Variable", lambda item: visible(item.variable, 120), 34, is_mono=True),
    Field("Kind", lambda item: visible(item.kind, 30), 18),
    Field("Value", lambda item: f"{item.value:g}", 12),
    Field("Severity", lambda item: f"{item.severity}", 10),
    Field("Origin", lambda item: visible(item.origin, 30), 18, lambda _: "text2"),
)


class MonitorsPage(HeldPage[Monitor]):
    """Have the station tell when a value crosses a line; what it tells stands under Events."""

    title: ClassVar[str] = "Watched values"
    icon_name: ClassVar[str] = "eye"
    only_versions: ClassVar[tuple[str, ...]] = ("2.0.1", "2.1")

    def build(self) -> None:
        """Fill the page."""
        self.variable = QLineEdit(self)
        self.variable.setMaxLength(250)
        self.variable.setPlaceholderText("EVSE@1.Power")
        self.variable.setAccessibleName(self.tr("Variable"))
        self.kind = QComboBox(self)
        self.kind.setAccessibleName(self.tr("When"))
        for kind, words in zip(monitoring.KINDS, KIND_WORDS, strict=True):
            self.kind.addItem(worded(words), kind)
        self.value = QDoubleSpinBox(self)
        self.value.setRange(-1e6, 1e6)
        self.value.setAccessibleName(self.tr("Value"))
        self.value.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.watch = self.order_button(self.tr("Watch"), self._watch, is_primary=True)
        self.list = self.read_button(self.tr("Ask the charger which values it watches"))
        self.clear = self.order_button(self.tr("Watch no more"), self._clear, icon_name="trash-2")
        self.body.addLayout(self.row(self.variable, self.kind, self.value, self.watch, self.list, self.clear))
        self.hold(
            MONITOR_FIELDS,
            lambda item: item.monitor_id,
            title=self.tr("Watched values"),
            nothing=self.tr("No watched value known. Name one above, or read what the charger watches already."),
            counted=self.tr("Watched values: {count}."),
        )

    async def fetch(self, endpoint: Endpoint) -> tuple[Monitor, ...]:
        """Ask for the watched values."""
        return await monitoring.watched(endpoint)

    def show_state(self) -> None:
        """Allow what can be done."""
        if self.table.current() is None:
            self.clear.setEnabled(False)
        if not self.variable.text().strip():
            self.watch.setEnabled(False)

    def _watch(self) -> None:
        self.order(self._watched)

    async def _watched(self, endpoint: Endpoint) -> tuple[str, str]:
        name, kind = self.variable.text().strip(), str(self.kind.currentData())
        _, status, words = await monitoring.watch(endpoint, name, kind, self.value.value())
        await self.read(endpoint)
        return verdict(status, words)

    def _clear(self) -> None:
        self.order(self._cleared)

    async def _cleared(self, endpoint: Endpoint) -> tuple[str, str]:
        item = self.table.current()
        if item is None:
            return self.tr("Choose a row first."), ""
        status, words = await monitoring.unwatch(endpoint, item.monitor_id)
        await self.read(endpoint)
        return verdict(status, words)


TARIFF_FIELDS: tuple[Field[Assigned], ...] = (
    Field("Name", lambda item: visible(item.tariff_id, 60), 30),
    Field("Kind", lambda item: visible(item.kind, 30), 18),
    Field("Places", lambda item: ", ".join(map(str, item.evses)) or worded("all"), 18),
)


class TariffsPage(HeldPage[Assigned]):
    """One price per kWh for everybody, to see that a 2.1 station shows and reckons it."""

    title: ClassVar[str] = "Price"
    icon_name: ClassVar[str] = "tag"
    only_versions: ClassVar[tuple[str, ...]] = ("2.1",)

    def build(self) -> None:
        """Fill the page."""
        self.price = QDoubleSpinBox(self)
        self.price.setRange(0, 1000)
        self.price.setDecimals(3)
        self.price.setValue(0.5)
        self.price.setSuffix(self.tr(" per kWh"))
        self.price.setAccessibleName(self.tr("Price per kWh"))
        self.price.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.currency = QLineEdit("EUR", self)
        self.currency.setMaxLength(3)
        self.currency.setMaximumWidth(64)
        self.currency.setAccessibleName(self.tr("Currency"))
        self.set = self.order_button(self.tr("Set price"), self._set, is_primary=True)
        self.list = self.read_button(self.tr("Ask the charger which prices it holds"))
        self.clear = self.order_button(self.tr("Clear all"), self._clear, icon_name="trash-2")
        self.body.addLayout(self.row(self.price, self.currency, self.set, self.list, self.clear, 1))
        self.hold(
            TARIFF_FIELDS,
            lambda item: (item.tariff_id, item.kind),
            title=self.tr("Prices in the charger"),
            nothing=self.tr("No price known. Set one above, or read what the charger holds already."),
            counted=self.tr("Prices in the charger: {count}."),
        )

    async def fetch(self, endpoint: Endpoint) -> tuple[Assigned, ...]:
        """Ask for the prices."""
        return await tariffs.assigned(endpoint)

    def _set(self) -> None:
        self.order(self._was_set)

    async def _was_set(self, endpoint: Endpoint) -> tuple[str, str]:
        currency = self.currency.text().strip() or "EUR"
        status, words = await tariffs.set_default(endpoint, "rehome-flat", currency, self.price.value())
        await self.read(endpoint)
        return verdict(status, words)

    def _clear(self) -> None:
        self.order(self._cleared)

    async def _cleared(self, endpoint: Endpoint) -> tuple[str, str]:
        outcome = verdict(*await tariffs.clear(endpoint))
        await self.read(endpoint)
        return outcome
