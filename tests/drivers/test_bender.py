"""A Bender controller's own list of keys: read whatever the page looks like, its secrets kept, never written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import resources
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus
from app.driver.registry import load_profiles
from app.drivers.bender import DRIVER, KEY_LIMIT, PAGE_LIMIT, identity_of, keys_of
from app.errors import AuthFailed, Garbled, NotSupported, Unexpected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.setting import Snapshot
from app.model.unit import Identity
from app.sim.bender import COLUMNS, BenderUnit
from app.sim.fault import Fault

PROFILES = {item.id: item for item in load_profiles(resources.texts("profiles", ".toml"))}
PROFILE = PROFILES["bender-keys"]


async def listed(unit: BenderUnit) -> Snapshot:
    async with DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        return await session.ask(ReadsSettings).read_settings()


async def test_the_controller_is_named_and_leads_to_its_family():
    async with BenderUnit() as unit:
        found = await DRIVER.probe(unit.address, PROFILE, RealLinks())
        async with DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
            named = await session.ask(Identifies).identify()
    assert isinstance(found, Identity)
    assert (found.firmware, found.profile_id, found.extra["role"]) == ("5.33.5-21148", "bender-web", "Master")
    assert found.profile_id in PROFILES
    assert (named.model, named.extra["backend_keys"]) == ("CC612_2S0R", "SimJsonServer")


async def test_the_key_of_the_backend_is_named_first_and_no_value_is_claimed():
    async with BenderUnit() as unit:
        snapshot = await listed(unit)
    first = snapshot.settings[0]
    assert first.key == "SimJsonServer"
    assert "Seen in this controller's own list" in first.help
    assert "ws://backend:8080/OCPPJProxy/v16/" in first.help
    assert first.needs_restart
    assert all(setting.value is None and setting.is_readonly for setting in snapshot.settings)
    assert "looks like the backend" not in next(item.help for item in snapshot.settings if item.key == "SimUpdatePath")


async def test_the_status_says_what_was_seen():
    async with BenderUnit() as unit, DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        status = await session.ask(ReportsStatus).status()
    assert status.detail.startswith("10 OCPP keys.")
    assert "SimJsonServer" in status.detail


async def test_descriptions_come_without_markup():
    async with BenderUnit() as unit:
        snapshot = await listed(unit)
    beat = snapshot.get("HeartbeatInterval")
    assert beat is not None
    assert beat.help.startswith("Heartbeat <interval> & more")


async def test_a_secret_s_example_is_shown_nowhere(tmp_path: Path):
    file = tmp_path / "bender.jsonl"
    with Recorder(file) as recorder:
        links = RealLinks(recorder=recorder)
        async with BenderUnit() as unit, DRIVER.open(unit.address, PROFILE, links) as session:
            snapshot = await session.ask(ReadsSettings).read_settings()
    secret = snapshot.get("SimBackendPassword")
    assert secret is not None
    assert secret.is_secret
    assert "s3cret" not in secret.help
    assert "s3cret" not in file.read_text()
    assert "SimBackendPassword" in file.read_text()


async def test_firmware_without_the_page_says_so():
    async with BenderUnit(has_list=False) as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(NotSupported) as caught:
            await listed(unit)
    assert "operator page" in caught.value.advice


async def test_nothing_but_the_list_is_asked_for():
    async with BenderUnit() as unit:
        await DRIVER.probe(unit.address, PROFILE, RealLinks())
        await listed(unit)
        assert set(unit.asked) == {"GET /doc/doc_1"}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("", id="empty"),
        pytest.param("<h1>Charging station interface 5.33.5-21148 (Master controller)</h1>", id="header alone"),
        pytest.param("<tr>" + "".join(f"<th>{name}</th>" for name in COLUMNS), id="columns alone"),
        pytest.param('{"a": 1}', id="JSON"),
    ],
)
async def test_another_page_is_no_controller(page: str):
    async with BenderUnit() as unit:
        unit.page = page
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(Unexpected) as caught:
            await listed(unit)
    assert caught.value.advice


async def test_a_page_cut_short_gives_what_arrived():
    async with BenderUnit(faults={Fault.TRUNCATES}) as unit:
        keys = {setting.key for setting in (await listed(unit)).settings}
    assert "RCMBDelta" in keys
    assert "HeartbeatInterval" not in keys


async def test_a_page_without_rows_is_garbled():
    async with BenderUnit() as unit:
        unit.rows = []
        with pytest.raises(Garbled):
            await listed(unit)


async def test_an_endless_page_is_cut():
    async with BenderUnit() as unit:
        unit.page = unit.listed() + "x" * PAGE_LIMIT
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(Garbled):
            await listed(unit)


async def test_a_login_before_it_is_told_as_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.drivers.bender.PAGE", "/operator/doc_1")
    async with BenderUnit() as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(AuthFailed):
            await listed(unit)


def test_a_flood_of_rows_and_cells_stays_bounded():
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in COLUMNS) + "</tr>"
    row = "".join(f"<td>{'y' * 3000}</td>" for _ in COLUMNS[1:])
    page = head + "".join(f"<tr><td>K{number}</td>{row[:200]}" + "<td>x" * 30 for number in range(KEY_LIMIT + 500))
    began = time.process_time()
    keys = keys_of(page)
    assert len(keys) <= KEY_LIMIT
    assert all(len(key.description) <= 1000 for key in keys)
    assert time.process_time() - began < 5


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading(text: str):
    page = BenderUnit().listed().replace("Welded contactor detection.", text)
    assert identity_of(page) is not None
    try:
        assert keys_of(page)
    except Garbled as error:
        assert error.advice


def test_a_script_in_a_cell_is_text_or_nothing():
    page = BenderUnit().listed().replace("Identifies the model.", "<script>alert(1)</script><b>bold")
    assert any(key.name == "ChargePointModel" for key in keys_of(page))
