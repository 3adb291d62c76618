"""Cards to print: what to type stands on them, codes read back, passwords only on demand, nothing becomes markup."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PySide6.QtGui import QImage

from app.__main__ import main
from app.driver.registry import Registry
from app.errors import StoreError
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.typed import guidance_for
from app.model.unit import Identity, Unit
from app.report.card import Card, card_of, html, save
from app.report.library import registry_of_the_program
from app.storage.db import Store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "zebra-Crossing/9-2026"
BACKEND = Backend(
    url="wss://csms.example/ocpp",
    identity="CP-17",
    security_profile=SecurityProfile.TLS_BASIC,
    secret=Secret(SECRET),
)
NASTY = "<img src=x onerror=alert(1)>{{ 7*7 }}\u202eevil"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return registry_of_the_program()


def a_card(registry: Registry, profile_id: str, backend: Backend = BACKEND) -> Card:
    profile = registry.profiles[profile_id]
    return card_of(guidance_for(profile, backend), profile, identity=backend.identity, site="Old mill")


def codes(page: str) -> list[str]:
    """Read the codes of a page as a phone would: from its pictures."""
    found = []
    for data in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page):
        image = QImage()
        assert image.loadFromData(base64.b64decode(data))
        image = image.convertToFormat(QImage.Format.Format_Grayscale8)
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        found += [code.text for code in zxingcpp.read_barcodes(np.ascontiguousarray(pixels[:, : image.width()]))]
    return found


def test_the_card_says_what_to_type_and_its_codes_say_the_same(registry: Registry) -> None:
    page = html([a_card(registry, "wallbox")], at=NOW)
    assert codes(page) == ["wss://csms.example/ocpp/", "CP-17"]
    for text in ("Charge Point Identity", "wss://csms.example/ocpp/", "Enable OCPP", "Old mill"):
        assert text in page


@pytest.mark.parametrize("for_print", [False, True])
def test_no_password_is_printed_unless_asked_for(registry: Registry, for_print: bool) -> None:
    card = a_card(registry, "wallbox")
    page = html([card], at=NOW, for_print=for_print)
    assert SECRET not in page.replace("\u200b", "")
    assert SECRET not in codes(page)
    assert "not printed here" in page
    page = html([card], at=NOW, for_print=for_print, with_secrets=True)
    assert SECRET in page.replace("\u200b", "")
    assert SECRET in codes(page)
    assert SECRET not in repr(card)


def test_what_can_not_be_undone_and_what_can_not_work_stands_on_the_card(registry: Registry) -> None:
    card = a_card(registry, "openevse-wifi")
    assert card.doors
    assert card.doors[0].split(":")[0] in html([card], at=NOW)
    stopped = a_card(registry, "abb-terra-ac", replace(BACKEND, url="http://no.example"))
    assert "<b>Stop:</b>" in html([stopped], at=NOW)


def test_the_browsers_card_can_be_copied_from(registry: Registry) -> None:
    assert "\u200b" not in html([a_card(registry, "bender-web")], at=NOW)


def test_nothing_others_wrote_becomes_markup(registry: Registry) -> None:
    card = replace(a_card(registry, "wallbox"), title=NASTY, identity=NASTY, site=NASTY, facts=(("Serial", NASTY),))
    for for_print in (False, True):
        page = html([card], at=NOW, for_print=for_print)
        assert "<img src=x" not in page
        assert "{{ 7*7 }}" in page
        assert "\u202e" not in page


async def test_a_place_that_can_not_be_written_is_an_error_in_words(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be written"):
        await save([a_card(registry, "wallbox")], tmp_path / "missing" / "card.html", at=NOW)


def test_the_command_writes_a_page_per_family(tmp_path: Path) -> None:
    out, password = tmp_path / "card.html", tmp_path / "password"
    password.write_text(SECRET + "\n")
    call = ["card", "wallbox", "--url", "wss://csms.example/ocpp", "--identity", "CP-17", "--out", str(out)]
    call += ["--home", str(tmp_path / "home"), "--password-file", str(password), "--quiet"]
    assert main(call) == 0
    assert codes(out.read_text()) == ["wss://csms.example/ocpp/", "CP-17"]
    assert SECRET not in out.read_text()
    assert main([*call, "--print-password"]) == 0
    assert SECRET in out.read_text()


def test_the_command_says_what_is_missing_and_what_can_not_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["--out", str(tmp_path / "c.html"), "--home", str(tmp_path / "home")]
    assert main(["card", "wallbox", *rest]) == 2
    assert main(["card", "wallbox", "--url", "wss://csms.example/ocpp", *rest]) == 2
    assert "--identity" in capsys.readouterr().err
    assert main(["card", "no-such", "--url", "wss://csms.example/", "--identity", "A", *rest]) == 1
    assert "no profile" in capsys.readouterr().err
    assert not (tmp_path / "c.html").exists()
    blocked = ["card", "enercharge-dc", "--url", "wss://csms.example/", "--identity", "A", *rest]
    assert main(blocked) == 4


def test_a_charger_seen_before_gets_its_card_by_its_serial(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "card.html"
    home.mkdir()
    identity = Identity(serial="WB-4711", name="Bay 3", profile_id="wallbox", firmware="6.1")
    store = Store.open(home / "rehome.db")
    store.units.save(Unit(unit_id="u1", identity=identity, first_seen_at=NOW, last_seen_at=NOW))
    store.close()
    call = ["card", "WB-4711", "--url", "wss://csms.example/ocpp", "--home", str(home), "--out", str(out), "--quiet"]
    assert main(call) == 0
    page = out.read_text()
    assert codes(page) == ["wss://csms.example/ocpp/", "WB-4711"]
    for text in ("Bay 3", "WB-4711", "6.1", "Wallbox Pulsar"):
        assert text in page


def test_a_family_nobody_moves_says_so_on_its_card(registry: Registry) -> None:
    page = html([a_card(registry, "chargepoint")], at=NOW)
    assert "No place is known where this could be typed" in page
