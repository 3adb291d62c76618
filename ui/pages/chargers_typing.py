"""What to type into a charger of a family, before any charger is found: a form for the backend, then the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QToolButton, QWidget

from app.model.profile import Profile
from app.model.secret import Secret
from app.model.typed import guidance_for
from app.model.unit import Unit, authority
from app.report.card import card_of
from app.settings import Preset
from ui import icons
from ui.i18n import translate
from ui.pages.chargers_waiting import Waiting
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24
from ui.widgets.column import ScrollColumn
from ui.widgets.guidance import GuidanceView
from ui.widgets.section import plain
from ui.wizard.card import facts_of, print_cards
from ui.wizard.choose import BackendForm
from ui.wizard.proposal import proposed_for

if TYPE_CHECKING:
    from app.workbench import Workbench
    from ui.tasks import Tasks


class TypingPanel(ScrollColumn):
    """Form, fields, card, and the wait where it is to dial us.

    ``left`` when the technician goes back to the sheet, ``unit_wanted`` to see the charger that has arrived.
    """

    left = Signal()
    unit_wanted = Signal(str)

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._profile: Profile | None = None
        self._unit: Unit | None = None
        self.setAccessibleName(translate("What to type"))
        self.back = QToolButton(self)
        icons.dress(self.back, "arrow-left")
        self.back.setAccessibleName(translate("Back to the family"))
        self.back.setToolTip(translate("Back to the family"))
        self.back.clicked.connect(self.left)
        self.title = plain("", "title", self)
        self.form = BackendForm(self)
        self.form.keep.hide()
        for combo in (self.form.preset, self.form.profile):
            combo.setMinimumWidth(120)
        rows = self.form.layout()
        if isinstance(rows, QFormLayout):
            rows.setRowVisible(self.form.dialled, False)
        self.hint = plain(translate("Name the backend above: then the exact texts stand here."), "subtle", self)
        self.view = GuidanceView(self)
        self.waiting = Waiting(bench, self)
        self.waiting.unit_wanted.connect(self.unit_wanted)
        self.form.changed.connect(self._show)
        self.form.submitted.connect(self._to_fields)
        self.view.card_wanted.connect(self._print)
        self._lay_out()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(SPACE_12)
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        column = self.column
        column.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_24)
        column.setSpacing(SPACE_8)
        column.addLayout(head)
        column.addWidget(self.form)
        column.addWidget(self.hint)
        column.addWidget(self.view)
        column.addWidget(self.waiting)
        column.addStretch(1)

    def show_family(self, profile: Profile, unit: Unit | None = None) -> None:
        """Start anew for a family, or for one charger of it."""
        self._profile, self._unit = profile, unit
        self.title.setText(translate("What to type: {name}").format(name=unit.title if unit else profile.family))
        urls = self._bench.endpoint_urls()
        ours = (Preset(name=translate("This computer"), url=urls[0]),) if urls else ()
        self.form.offer((*ours, *self._bench.settings.presets), self._secret_of)
        if unit is not None:
            self.form.fill(proposed_for(self._bench, unit))
        self._show()
        self.verticalScrollBar().setValue(0)
        (self.form.identity if self.form.url.text() else self.form.url).setFocus()

    def _secret_of(self, name: str) -> Secret | None:
        return self._bench.vault.get(f"preset/{name}")

    def _show(self) -> None:
        backend = self.form.backend()
        is_whole = self._profile is not None and bool(backend.url and backend.identity)
        is_ours = is_whole and self._is_ours(backend.url)
        root = self._bench.authority.root.pem if is_ours and backend.is_tls else ""
        self.view.show_guidance(guidance_for(self._profile, backend, root_pem=root) if is_whole else None)
        self.view.setVisible(is_whole)
        self.hint.setVisible(not is_whole)
        self.waiting.watch(self._profile if is_ours else None, backend.identity)

    def _is_ours(self, url: str) -> bool:
        return authority(url) in {authority(own) for own in self._bench.endpoint_urls()}

    def _to_fields(self) -> None:
        if self.view.rows:
            bar = self.verticalScrollBar()
            bar.setValue(min(self.view.y(), bar.maximum()))
            self.view.rows[0].setFocus()

    def _print(self, with_secrets: bool) -> None:
        if self.view.guidance is None:
            return
        identity = self.form.backend().identity
        unit = self._unit
        card = card_of(
            self.view.guidance,
            self._profile,
            identity=identity,
            title=unit.title if unit else "",
            facts=facts_of(unit),
            site=self._bench.settings.site_name,
        )
        work = print_cards(self._bench, self, [card], with_secrets=with_secrets)
        self._tasks.start_once("card", work, busy=self.view.card)
