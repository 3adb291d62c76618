"""Charging sessions of one charger, and whether their figures fit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from app.errors import StoreError
from app.model.reading import Reading
from app.ocpp.events import Transaction
from app.ocpp.services.reconcile import Check, Reconciled, Result, reconcile
from ui.i18n import worded
from ui.models.listing import Field, Listing
from ui.models.plain import moment_text, visible
from ui.pages.endpoint_service import ServicePage
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

MOST_SESSIONS = 50
SETTLE_S = 5
"""A running session is judged anew this often: its samples lie in the database."""
RESULT_WORDS = {
    Result.RIGHT: "Figures fit",
    Result.ODD: "Incomplete",
    Result.WRONG: "Figures contradict",
    Result.UNKNOWN: "Too little told",
}
RESULT_TONES = {Result.RIGHT: "good", Result.ODD: "attention", Result.WRONG: "fault", Result.UNKNOWN: "text2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session with its verdict."""

    transaction: Transaction
    reconciled: Reconciled


def _energy(row: Session) -> str:
    energy = row.reconciled.energy_wh
    return f"{energy / 1000:.3f} kWh" if energy is not None else "–"


SESSION_FIELDS: tuple[Field[Session], ...] = (
    Field("Session", lambda row: visible(str(row.transaction.transaction_id), 40), 14, is_mono=True),
    Field("Place", lambda row: f"{row.transaction.connector}", 8),
    Field("Card", lambda row: visible(row.transaction.tag, 40), 16, is_mono=True),
    Field("Began", lambda row: moment_text(row.transaction.started_at), 20),
    Field("Ended", lambda row: moment_text(row.transaction.stopped_at), 20),
    Field("Energy", _energy, 11),
    Field(
        "Meter",
        lambda row: worded(RESULT_WORDS[row.reconciled.result]),
        20,
        lambda row: RESULT_TONES[row.reconciled.result],
    ),
)

_NAMES = {
    "stop": "End",
    "registers": "Start and stop against samples",
    "never falls": "Register never falls",
    "energy": "Energy against power and time",
    "gaps": "Samples without gaps",
    "clock": "Times",
}

CHECK_FIELDS: tuple[Field[Check], ...] = (
    Field("Question", lambda check: worded(_NAMES.get(check.name, check.name)), 30),
    Field("Answer", lambda check: check.result.value, 12, lambda check: RESULT_TONES[check.result]),
    Field("What was found", lambda check: " · ".join([check.text, *check.proofs[:3]]), 60),
)


class SessionsPage(ServicePage):
    """Sessions on top, the questions to the chosen one below."""

    title: ClassVar[str] = "Charging sessions"
    icon_name: ClassVar[str] = "battery-charging"

    def build(self) -> None:
        """Fill the page."""
        self._judged: dict[tuple[object, ...], Reconciled] = {}
        self.model: Listing[Session] = Listing(
            SESSION_FIELDS, lambda row: (row.transaction.transaction_id, row.transaction.connector), self
        )
        self.table = ListView(
            self.model,
            self.tr("Charging sessions"),
            self,
            nothing=self.tr("No session since this program started. Start one at the charger, or from the console."),
        )
        self.table.setMinimumHeight(96)
        self.table.picked.connect(self._picked)
        self.checks: Listing[Check] = Listing(CHECK_FIELDS, lambda check: check.name, self)
        self.answers = ListView(
            self.checks,
            self.tr("Questions to the figures of this session"),
            self,
            nothing=self.tr("Whether the figures of a session fit together stands here."),
        )
        self.body.addWidget(self.table, 2)
        self.body.addWidget(self.answers, 3)

    def charger_changed(self) -> None:
        """Forget the verdicts of the charger before."""
        self._judged.clear()
        self.model.show([])

    def show_state(self) -> None:
        """Show the sessions, the newest first."""
        endpoint = self.endpoint
        if endpoint is not None:
            sessions = list(endpoint.transactions.values())[-MOST_SESSIONS:]
            self.model.show([self._session(endpoint, item) for item in reversed(sessions)])
        if self.model.items and self.table.current() is None:
            self.table.selectRow(0)
        self._picked(self.table.current())

    def _session(self, endpoint: Endpoint, item: Transaction) -> Session:
        """Judge a session once it is over, and every few seconds while it runs."""
        turn = 0 if not item.is_running else int(self.bench.now().timestamp()) // SETTLE_S
        key = (item.transaction_id, item.connector, item.stopped_at, item.meter_stop_wh, turn)
        if key not in self._judged:
            if len(self._judged) > 4 * MOST_SESSIONS:
                self._judged.clear()
            self._judged[key] = reconcile(item, self._readings(endpoint, item), now=self.bench.now())
        return Session(transaction=item, reconciled=self._judged[key])

    def _readings(self, endpoint: Endpoint, item: Transaction) -> list[Reading]:
        if item.started_at is None:
            return []
        slack = timedelta(seconds=1)
        end = item.stopped_at + slack if item.stopped_at is not None else None
        try:
            found = self.bench.store.samples.readings(endpoint.unit_id, item.started_at - slack, end)
        except StoreError:
            return []
        return [reading for reading in found if reading.connector == item.connector]

    def _picked(self, row: Session | None) -> None:
        self.checks.show(row.reconciled.checks if row is not None else ())
