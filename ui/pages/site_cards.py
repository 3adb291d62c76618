"""Cards to print for the chargers of a site: choose the chargers and the backend, one page each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QVBoxLayout, QWidget

from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.typed import guidance_for
from app.model.unit import Unit
from app.report.card import Card, card_of
from app.settings import Preset
from ui.dialogs import Button, ask, tell
from ui.i18n import translate
from ui.models.plain import visible
from ui.theme import SPACE_8
from ui.widgets.column import ScrollColumn
from ui.widgets.section import plain
from ui.wizard.card import facts_of, print_cards
from ui.wizard.proposal import proposed_for

if TYPE_CHECKING:
    from app.workbench import Workbench

LIST_HEIGHT = 240


class CardChoice(QWidget):
    """Which chargers, which backend, passwords or not."""

    def __init__(self, bench: Workbench, chosen: str) -> None:
        super().__init__()
        self._bench = bench
        self.chargers = ScrollColumn(self)
        self.chargers.setAccessibleName(translate("Chargers to print a card for"))
        self.chargers.setFixedHeight(LIST_HEIGHT)
        self.chargers.column.setSpacing(0)
        self.boxes = [
            self._box(unit, is_chosen=unit.unit_id == chosen)
            for unit in sorted(bench.finder.units.values(), key=lambda item: item.title.lower())
        ]
        self.chargers.column.addStretch(1)
        self.backend = QComboBox(self)
        self.backend.setAccessibleName(translate("Backend"))
        self.backend.addItem(translate("The one each has in the imported list"), None)
        urls = bench.endpoint_urls()
        ours = (Preset(name=translate("This computer"), url=urls[0]),) if urls else ()
        for preset in (*ours, *bench.settings.presets):
            self.backend.addItem(f"{preset.name} · {preset.url}", preset)
        self.with_secret = QCheckBox(translate("Print the passwords too"), self)
        self.all = QCheckBox(translate("All chargers"), self)
        self.all.toggled.connect(self._choose_all)
        form = QFormLayout()
        form.addRow(translate("Backend"), self.backend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.all)
        layout.addWidget(self.chargers)
        layout.addLayout(form)
        layout.addWidget(self.with_secret)
        hint = translate("Identities come from the imported list, else from the charger itself.")
        layout.addWidget(plain(hint, "caption", self))

    def _box(self, unit: Unit, *, is_chosen: bool) -> QCheckBox:
        profile = self._bench.registry.profiles.get(unit.identity.profile_id)
        words = visible(f"{unit.title} · {profile.family if profile else '?'}", 120)
        box = QCheckBox(words.replace("&", "&&"), self)
        box.setProperty("unit_id", unit.unit_id)
        box.setChecked(is_chosen)
        self.chargers.column.addWidget(box)
        return box

    def _choose_all(self, wanted: bool) -> None:
        for box in self.boxes:
            box.setChecked(wanted)

    def cards(self) -> tuple[list[Card], list[str]]:
        """Return the cards of the chosen chargers, and the names of those whose backend or identity is not known."""
        cards, lost = [], []
        for box in self.boxes:
            unit = self._bench.finder.units.get(str(box.property("unit_id")))
            if unit is None or not box.isChecked():
                continue
            backend = self._backend(unit)
            if backend.url and backend.identity:
                cards.append(self._card(unit, backend))
            else:
                lost.append(unit.title)
        return cards, lost

    def _backend(self, unit: Unit) -> Backend:
        known = proposed_for(self._bench, unit)
        preset = self.backend.currentData()
        if not isinstance(preset, Preset):
            return known
        secret = known.secret or self._bench.vault.get(f"preset/{preset.name}") or Secret("")
        return replace(known, url=preset.url, security_profile=SecurityProfile(preset.security_profile), secret=secret)

    def _card(self, unit: Unit, backend: Backend) -> Card:
        profile = self._bench.registry.profiles.get(unit.identity.profile_id)
        return card_of(
            guidance_for(profile, backend),
            profile,
            identity=backend.identity,
            title=unit.title,
            facts=facts_of(unit),
            site=self._bench.settings.site_name,
        )


async def print_site(bench: Workbench, parent: QWidget, *, chosen: str = "") -> None:
    """Ask for chargers and backend, and print a card each. Raises StoreError."""
    choice = CardChoice(bench, chosen)
    buttons = (
        Button(key="print", text=translate("Save the cards"), role="primary"),
        Button(key="", text=translate("Cancel")),
    )
    text = translate("One page per charger: where to type what, with QR codes.")
    title = translate("Cards to print")
    if await ask(parent, title, text, buttons, icon_name="printer", detail=choice) != "print":
        return
    cards, lost = choice.cards()
    with_secrets = choice.with_secret.isChecked()
    if lost:
        names = "\n".join(f"• {visible(name, 80)}" for name in lost)
        told = translate("No backend or no identity is known for these; they get no card:")
        await tell(parent, title, f"{told}\n{names}", tone="attention")
    if cards:
        await print_cards(bench, parent, cards, with_secrets=with_secrets)
