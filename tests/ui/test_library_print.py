"""Cards on paper: one page each, whatever the family."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.typed import guidance_for
from app.report.card import card_of, html
from app.report.library import registry_of_the_program
from ui.printing import write_pdf

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_card_of_every_guided_family_fits_on_one_page(tmp_path: Path) -> None:
    profiles = [item for item in registry_of_the_program().profiles.values() if item.guide is not None]
    backend = Backend(
        url="wss://charging.cooperative.example.org:8443/ocpp/v16/central-system",
        identity="EV-CHARGING-SITE-NORTH-GARAGE-LEVEL-2-0017",
        security_profile=SecurityProfile.TLS_BASIC,
        secret=Secret("correct-horse-battery-staple-2026-11-22"),
    )
    facts = (("Serial", "SN-0123456789"), ("Firmware", "7.3.14-2026"))
    over = []
    for profile in profiles:
        guidance = guidance_for(profile, backend)
        card = card_of(guidance, profile, identity=backend.identity, title="Level 2, bay 17", facts=facts, site="Mill")
        page = html([card], at=NOW, with_secrets=True, for_print=True)
        if write_pdf(page, tmp_path / "card.pdf") != 1:
            over.append(profile.id)
    assert not over


def test_cards_of_a_site_take_a_page_each(tmp_path: Path) -> None:
    registry = registry_of_the_program()
    backend = Backend(url="wss://csms.example/ocpp", identity="CP-1")
    cards = [
        card_of(guidance_for(registry.profiles[name], backend), registry.profiles[name], identity="CP-1")
        for name in ("wallbox", "openevse-wifi", "elli", "zaptec")
    ]
    assert write_pdf(html(cards, at=NOW, for_print=True), tmp_path / "cards.pdf") == 4
