"""Charging limits of one charger: set one, see what they add up to and whether the charger agrees, clear them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QSpinBox

from app.ocpp.services import limits
from app.ocpp.services.limits import Judged
from app.ocpp.services.schedule import Period, Profile
from ui.dialogs import Button, ask
from ui.i18n import worded
from ui.models.listing import Listing
from ui.models.services import PROFILE_FIELDS, profile_key
from ui.pages.endpoint_service import ServicePage, verdict
from ui.theme import SPACE_8
from ui.widgets.listview import ListView
from ui.widgets.stepplot import StepPlot, Steps

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

PURPOSES = (
    ("TxDefaultProfile", "each session"),
    ("ChargePointMaxProfile", "the whole charger"),
    ("TxProfile", "the session that runs"),
)
MOST_A, MOST_W = 500.0, 350_000.0
_numbers = itertools.count(1001)


class LimitsPage(ServicePage):
    """A simple form on top, the limits that were set, and the composite schedule."""

    title: ClassVar[str] = "Charging limits"
    icon_name: ClassVar[str] = "gauge"

    def build(self) -> None:
        """Fill the page."""
        self.amount = QDoubleSpinBox(self)
        self.amount.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.amount.setDecimals(1)
        self.amount.setRange(0, MOST_A)
        self.amount.setValue(16)
        self.amount.setAccessibleName(self.tr("Limit"))
        self.unit = QComboBox(self)
        self.unit.addItems(["A", "W"])
        self.unit.setAccessibleName(self.tr("Unit"))
        self.unit.currentTextChanged.connect(self._unit_chosen)
        self.purpose = QComboBox(self)
        self.purpose.setAccessibleName(self.tr("What is limited"))
        for purpose, words in PURPOSES:
            self.purpose.addItem(self.tr("for {what}").format(what=worded(words)), purpose)
        self.connector = QSpinBox(self)
        self.connector.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.connector.setRange(0, 64)
        self.connector.setValue(1)
        self.connector.setPrefix(self.tr("connector "))
        self.connector.setSpecialValueText(self.tr("all connectors"))
        self.connector.setAccessibleName(self.tr("Connector or EVSE"))
        self.minutes = QSpinBox(self)
        self.minutes.lineEdit().setTextMargins(SPACE_8, 0, 0, 0)
        self.minutes.setRange(0, 1440)
        self.minutes.setSuffix(self.tr(" min"))
        self.minutes.setSpecialValueText(self.tr("until cleared"))
        self.minutes.setAccessibleName(self.tr("How long"))
        self.set = self.order_button(self.tr("Set limit"), self._set, is_primary=True)
        self.body.addLayout(self.flow(self.amount, self.unit, self.purpose, self.connector, self.minutes, self.set))
        self.judge = self.order_button(self.tr("Compare with the charger"), self._judge, icon_name="git-compare")
        self.list = self.order_button(self.tr("Read"), self._list, icon_name="refresh-cw")
        self.list.setToolTip(self.tr("Ask the charger which limits it holds"))
        self.list.setAccessibleDescription(self.list.toolTip())
        self.clear = self.order_button(self.tr("Clear all…"), self._clear, icon_name="trash-2")
        self.body.addLayout(self.row(self.judge, self.list, self.clear, 1))
        self.model: Listing[Profile] = Listing(PROFILE_FIELDS, profile_key, self)
        self.table = ListView(
            self.model,
            self.tr("Limits that were set"),
            self,
            nothing=self.tr("No limit was set from here yet. Set one above, then let a car charge and compare."),
        )
        self.table.setMinimumHeight(64)
        self.plot = StepPlot(self.tr("Composite schedule"), self)
        self.plot.hide()
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self.plot)
        self._judged: dict[str, Judged] = {}

    def charger_changed(self) -> None:
        """Show what belongs to this charger."""
        self._show_plot()

    def show_state(self) -> None:
        """Show the limits we know of."""
        self.model.show(self.bench.services.profiles(self.identity))
        endpoint = self.endpoint
        self.list.setVisible(endpoint is None or endpoint.version != "1.6")

    def _unit_chosen(self, unit: str) -> None:
        self.amount.setRange(0, MOST_A if unit == "A" else MOST_W)
        self.amount.setDecimals(1 if unit == "A" else 0)
        self.amount.setValue(16 if unit == "A" else 11_000)

    def _profile(self) -> Profile:
        purpose = str(self.purpose.currentData())
        now = self.bench.now()
        running = ""
        endpoint = self.endpoint
        if purpose == "TxProfile" and endpoint is not None:
            sessions = [item for item in endpoint.transactions.values() if item.is_running]
            running = str(sessions[-1].transaction_id) if sessions else ""
        minutes = self.minutes.value()
        return Profile(
            profile_id=next(_numbers),
            connector=0 if purpose == "ChargePointMaxProfile" else self.connector.value(),
            stack_level=0,
            purpose=purpose,
            kind="Absolute",
            unit=self.unit.currentText(),
            periods=(Period(start_s=0, limit=self.amount.value()),),
            start_at=now - timedelta(seconds=1),
            duration_s=minutes * 60 or None,
            transaction_id=running,
        )

    # Orders

    def _set(self) -> None:
        self.order(self._was_set)

    async def _was_set(self, endpoint: Endpoint) -> tuple[str, str]:
        profile = self._profile()
        if profile.purpose == "TxProfile" and not profile.transaction_id:
            return self.tr("No session runs at this charger."), "attention"
        status, text = await limits.set_limit(endpoint, profile)
        if status == "Accepted":
            self.bench.services.keep_profile(endpoint.identity, profile)
        return verdict(status, text)

    def _list(self) -> None:
        self.order(self._listed)

    async def _listed(self, endpoint: Endpoint) -> tuple[str, str]:
        found = await limits.get_limits(endpoint)
        self.bench.services.set_profiles(endpoint.identity, found)
        return self.tr("Limits in the charger: {count}.").format(count=len(found)), "good"

    def _judge(self) -> None:
        self.order(self._was_judged)

    async def _was_judged(self, endpoint: Endpoint) -> tuple[str, str]:
        known = self.bench.services.profiles(endpoint.identity)
        unit = self.unit.currentText()
        judged = await limits.judge(endpoint, known, max(1, self.connector.value()), unit=unit)
        self._judged[endpoint.identity] = judged
        self._show_plot()
        return judged.text, "attention" if judged.disagreements else "good"

    def _clear(self) -> None:
        self.order(self._cleared, asks=True)

    async def _cleared(self, endpoint: Endpoint) -> tuple[str, str]:
        buttons = (
            Button(key="send", text=self.tr("Clear all"), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        text = self.tr("Limits of the old operator go too. What protects the fuse of the house must not hang on them.")
        if await ask(self, self.tr("Clear all charging limits?"), text, buttons) != "send":
            return self.tr("Nothing was sent."), ""
        self.waiting(endpoint.identity)
        status, words = await limits.clear_limits(endpoint)
        self.bench.services.set_profiles(endpoint.identity, ())
        return words, "good" if status in ("Accepted", "Unknown") else "attention"

    def _show_plot(self) -> None:
        judged = self._judged.get(self.identity)
        self.plot.setVisible(judged is not None)
        if judged is None:
            return
        told = judged.told
        self.plot.show_steps(
            _steps(judged.expected.periods),
            _steps(told.periods),
            duration_s=min(told.duration_s, judged.expected.duration_s),
            unit=told.unit,
            text=judged.text,
        )


def _steps(periods: tuple[Period, ...]) -> Steps:
    return [(float(period.start_s), period.limit) for period in periods]
