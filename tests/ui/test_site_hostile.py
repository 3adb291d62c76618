"""Whatever a list, a charger or a peer says: nothing breaks, nothing grows without bound, nothing becomes markup."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.model.address import BleAddress, NetAddress, OcppAddress, SerialAddress
from app.model.backend import Backend
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Knock
from app.model.proof import STAGES, Known, LampState, chain, diagnosis, host_of, knocks_of
from app.model.reading import StateChange
from app.model.setting import Setting, SettingKind
from app.model.unit import Identity, LinkState, SourceKind, Unit, Way
from ui.models.plain import tooltip
from ui.models.series import Series
from ui.models.settings import problem_of
from ui.models.sitelist import ROW_LIMIT, read
from ui.models.units import UnitRow, describe, next_step

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
texts = st.text(max_size=60)
addresses = st.one_of(
    st.builds(NetAddress, host=texts),
    st.builds(SerialAddress, port=texts),
    st.builds(OcppAddress, identity=texts),
    st.builds(BleAddress, device=texts, name=texts),
)
ways = st.builds(
    Way,
    driver_id=st.just("d"),
    address=addresses,
    source=st.sampled_from(SourceKind),
    seen_at=st.just(NOW),
    is_present=st.booleans(),
    trouble=texts,
)
units = st.builds(
    Unit,
    unit_id=texts,
    identity=st.builds(Identity, name=texts, vendor=texts, model=texts, serial=texts, firmware=texts),
    ways=st.lists(ways, max_size=4).map(tuple),
    state=texts,
    backend=st.none() | st.builds(Backend, url=texts, identity=texts),
    note=texts,
)
knocks = st.builds(
    Knock,
    seq=st.just(1),
    at=st.just(NOW),
    remote=texts,
    verdict=st.sampled_from(["tls", "http", "soap", "empty", "garbage", "refused", "accepted"]) | texts,
    text=texts,
    first_bytes=st.binary(max_size=80),
    identity=texts,
)
findings = st.builds(
    Finding,
    code=st.sampled_from(["DNS-FAIL", "TLS-TRUST", "BOOT-SCHEMA", "WIFI"]) | texts,
    severity=st.sampled_from(Severity),
    evidence=st.just((Evidence(label="l", text="<b>"),)),
)
states = st.builds(StateChange, unit_id=st.just("u"), connector=st.integers(0, 3), state=texts, at=st.just(NOW))
knowns = st.builds(
    Known,
    unit=units,
    is_answering=st.booleans(),
    trouble=texts,
    says=st.builds(LinkState, is_enabled=st.none() | st.booleans(), is_connected=st.none() | st.booleans()),
    is_connected=st.booleans(),
    statuses=st.lists(states, max_size=3).map(tuple),
    is_charging=st.booleans(),
    charged_wh=st.none() | st.floats(0, 1e6),
    knocks=st.lists(knocks, max_size=3).map(tuple),
    findings=st.lists(findings, max_size=4).map(tuple),
)


@QUIET
@given(knowns)
def test_every_chain_is_whole_and_grey_right_of_its_first_red_lamp(known: Known) -> None:
    lamps = chain(known)
    assert tuple(lamp.stage for lamp in lamps) == STAGES
    first = diagnosis(lamps)
    if first is not None:
        right = lamps[STAGES.index(first.stage) + 1 :]
        assert all(lamp.state is LampState.NOT_ASKED and not lamp.evidence for lamp in right)


@QUIET
@given(units, st.lists(knocks, max_size=5))
def test_knocks_are_given_to_a_charger_or_not(unit: Unit, heard: list[Knock]) -> None:
    assert set(map(id, knocks_of(unit, heard))) <= set(map(id, heard))


@QUIET
@given(texts)
def test_any_remote_has_a_host_of_no_more_than_itself(remote: str) -> None:
    assert len(host_of(remote)) <= len(remote)


@QUIET
@given(units)
def test_every_charger_can_be_described_in_one_safe_line(unit: Unit) -> None:
    row = UnitRow(unit=unit)
    text = describe(row)
    assert "\n" not in text
    assert next_step(row).text
    bare = tooltip(text).removeprefix("<span style='white-space:pre-wrap'>").removesuffix("</span>")
    assert "<" not in bare


@QUIET
@given(st.binary(max_size=400) | st.text(alphabet='",;\t\n\rab\0é', max_size=300).map(lambda text: text.encode()))
def test_no_file_breaks_the_list(data: bytes) -> None:
    rows = read(data)
    assert len(rows) <= ROW_LIMIT + 1
    assert all(row.problems for row in rows if not row.is_usable)


@QUIET
@given(st.sampled_from(SettingKind), texts, st.none() | st.floats(allow_nan=False), st.none() | st.integers(0, 50))
def test_any_value_is_judged(kind: SettingKind, text: str, minimum: float | None, limit: int | None) -> None:
    setting = Setting(key="k", value="", kind=kind, minimum=minimum, limit=limit, choices=("a",))
    problem = problem_of(setting, text)
    if not problem and kind in (SettingKind.INTEGER, SettingKind.NUMBER):
        assert math.isfinite(float(text))


@QUIET
@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), max_size=200))
def test_a_series_stays_in_order_and_in_bounds(points: list[tuple[float, float]]) -> None:
    series = Series(capacity=50)
    for at, value in points:
        series.append((NOW + timedelta(seconds=at / 1e3)).timestamp(), value)
    assert len(series) <= 50
    assert list(series.x) == sorted(series.x)
