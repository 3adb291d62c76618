"""Put what is to be typed on paper: ask for a place, write the file, show it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.model.guidance import Guidance
from app.model.job import Job
from app.model.unit import Unit
from app.report.card import Card, card_of, save
from ui.dialogs import choose_file
from ui.i18n import translate

if TYPE_CHECKING:
    from app.workbench import Workbench

PAPER = "PDF (*.pdf);;HTML (*.html)"


async def on_paper(parent: QWidget, title: str, name: str, write: Callable[[Path], Awaitable[None]]) -> None:
    """Ask where to save something to print, write it, and open it in the system's viewer."""
    safe = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    path = await choose_file(parent, title, pattern=PAPER, folder=Path.home(), save_as=safe)
    if path is not None:
        await write(path)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


async def print_cards(bench: Workbench, parent: QWidget, cards: Sequence[Card], *, with_secrets: bool) -> None:
    """Ask for a place, write the cards there, and show the file. Raises StoreError."""
    is_one = len(cards) == 1
    title = translate("Save the card") if is_one else translate("Save the cards")
    name = f"card-{cards[0].identity}.pdf" if is_one else "cards.pdf"

    async def write(path: Path) -> None:
        await save(cards, path, at=bench.now(), with_secrets=with_secrets)

    await on_paper(parent, title, name, write)


async def print_job_card(
    bench: Workbench, parent: QWidget, job: Job, guidance: Guidance, *, with_secrets: bool
) -> None:
    """Print the card of a job's charger."""
    typed = job.facts.get("by_hand", {})
    card = card_of(
        guidance,
        bench.registry.profiles.get(job.profile_id),
        identity=str(typed.get("identity", "")),
        title=job.unit_title,
        facts=facts_of(bench.finder.units.get(job.unit_id)),
        site=bench.settings.site_name,
    )
    await print_cards(bench, parent, [card], with_secrets=with_secrets)


def facts_of(unit: Unit | None) -> tuple[tuple[str, str], ...]:
    """Return what tells one charger from another, for its card."""
    if unit is None:
        return ()
    return (("Serial", unit.identity.serial), ("Firmware", unit.identity.firmware))
