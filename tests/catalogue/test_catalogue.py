"""Every code of the catalogue can be provoked, over real sockets, and is named with proof and whole texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.diagnosis.catalogue import catalogue
from app.diagnosis.handbook import page
from app.trust.wardrobe import Wardrobe
from tests.catalogue.kit import Provocation, is_told_whole, rig
from tests.catalogue.provoke import PROVOCATIONS

FORTY = {code for code, text in catalogue().items() if text.rank}


def test_the_catalogue_has_its_forty_codes_and_each_can_be_provoked() -> None:
    assert sorted(text.rank for text in catalogue().values() if text.rank) == list(range(1, 41))
    assert {provocation.code for provocation in PROVOCATIONS} >= FORTY


@pytest.mark.parametrize("provocation", PROVOCATIONS, ids=lambda provocation: provocation.name)
async def test_the_failure_is_named(provocation: Provocation, wardrobe: Wardrobe) -> None:
    async with rig(provocation, wardrobe) as here:
        await provocation.act(here)
        finding = await here.named(provocation.code)
        while provocation.case and finding.details.get("case") != provocation.case:
            finding = await here.site.finding(provocation.code)
    is_told_whole(finding)


def test_every_code_has_a_text_to_send_on_and_so_has_each_of_its_cases() -> None:
    for code in FORTY:
        text = catalogue()[code]
        assert text.seen, code
        assert text.vendor, code
        assert all("vendor" in case for case in text.cases.values()), code


def test_the_page_of_failures_is_fresh() -> None:
    written = Path("docs/failures.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m app.diagnosis.handbook > docs/failures.md"
