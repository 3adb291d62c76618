"""The configuration of 1.6 chargers and the device model of 2.x stations, through their real widgets."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app import resources
from app.ocpp.devicemodel import Variable, VariableName
from tests.ui.console_kit import asked, charger, click, opened, press, selected, until
from ui.models.config_files import read_values
from ui.models.devicemodel import NAME, RESULT, VALUE, DeviceModel, problem_of
from ui.models.settings import VALUE as SETTING_VALUE
from ui.pages.endpoint_devicemodel import DeviceModelPanel
from ui.pages.endpoint_unit import SETTINGS
from ui.widgets.variabletree import CHOSEN, PROBLEMS


class Station:
    """A 2.x station's device model, played from a table; reports come in parts of two."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str | None] = {
            ("OCPPCommCtrlr", "HeartbeatInterval"): "300",
            ("OCPPCommCtrlr", "NetworkConfigurationPriority"): "1",
            ("SecurityCtrlr", "BasicAuthPassword"): None,
            ("TxCtrlr", "StopTxOnInvalidId"): "true",
            ("Evil <b>", "=cmd|'/c'!A1"): "=1+1",
        }
        self.traits: dict[str, dict[str, Any]] = {
            "HeartbeatInterval": {"dataType": "integer", "unit": "s", "minLimit": 10, "maxLimit": 3600},
            "StopTxOnInvalidId": {"dataType": "boolean"},
        }
        self.stalls = asyncio.Event()
        self.stalls.set()
        self.rounds = 0

    @property
    def answers(self) -> dict[str, Any]:
        return {
            "GetBaseReport": self.report,
            "GetReport": self.report,
            "GetVariables": self.get,
            "SetVariables": self.set,
        }

    async def report(self, link: Any, uid: str, payload: dict[str, Any]) -> None:
        await link.send(json.dumps([3, uid, {"status": "Accepted"}]))
        wanted = {one["component"]["name"] for one in payload.get("componentVariable", [])}
        names = [name for name in self.values if not wanted or name[0] in wanted]
        for place in range(0, len(names), 2):
            self.rounds += 1
            part = {
                "requestId": payload["requestId"],
                "generatedAt": "2026-11-22T16:00:00Z",
                "seqNo": place // 2,
                "tbc": place + 2 < len(names),
                "reportData": [self.entry(name) for name in names[place : place + 2]],
            }
            await link.send(json.dumps([2, f"r{self.rounds}", "NotifyReport", part]))
            await self.stalls.wait()

    def entry(self, name: tuple[str, str]) -> dict[str, Any]:
        value = self.values[name]
        is_secret = name[1] == "BasicAuthPassword"
        attribute = {"type": "Actual", "mutability": "WriteOnly" if is_secret else "ReadWrite"}
        return {
            "component": {"name": name[0]},
            "variable": {"name": name[1]},
            "variableAttribute": [attribute if value is None or is_secret else {**attribute, "value": value}],
            "variableCharacteristics": {
                "dataType": "string",
                "supportsMonitoring": False,
                **self.traits.get(name[1], {}),
            },
        }

    async def get(self, link: Any, uid: str, payload: dict[str, Any]) -> None:
        result = [self.one(data, self.key(data)) for data in payload["getVariableData"]]
        await link.send(json.dumps([3, uid, {"getVariableResult": result}]))

    async def set(self, link: Any, uid: str, payload: dict[str, Any]) -> None:
        result = []
        for data in payload["setVariableData"]:
            key = self.key(data)
            if key in self.values:
                self.values[key] = data["attributeValue"]
            result.append({name: item for name, item in self.one(data, key).items() if name != "attributeValue"})
        await link.send(json.dumps([3, uid, {"setVariableResult": result}]))

    def key(self, data: dict[str, Any]) -> tuple[str, str]:
        return data["component"]["name"], data["variable"]["name"]

    def one(self, data: dict[str, Any], key: tuple[str, str]) -> dict[str, Any]:
        status = "Accepted" if key in self.values else "UnknownVariable"
        found = {"component": data["component"], "variable": data["variable"], "attributeStatus": status}
        value = self.values.get(key)
        return found if value is None else {**found, "attributeValue": value}


async def model_of(page: Any, identity: str = "CP-1") -> DeviceModelPanel:
    await selected(page, identity)
    page.unit.tabs.setCurrentIndex(SETTINGS)
    await until(page.unit.device_model.isVisible)
    panel: DeviceModelPanel = page.unit.device_model
    return panel


def cell(model: DeviceModel, key: str, column: int) -> str:
    return str(model.index_of(key).siblingAtColumn(column).data())


# Device model


async def test_model_is_read_in_parts_and_shown_as_a_tree(bench: Any) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        assert panel.tree.empty.accessibleName() == "The device model has not been read yet"
        panel.tree.empty.acted.emit()
        await until(lambda: len(panel.tree.model.variables) == 5)
        model = panel.tree.model
        key = "OCPPCommCtrlr.HeartbeatInterval"
        assert [cell(model, key, column) for column in (NAME, VALUE, 2, 3)] == [
            "HeartbeatInterval",
            "300",
            "s",
            "integer; 10 – 3600",
        ]
        assert cell(model, "SecurityCtrlr.BasicAuthPassword", VALUE) == "can't be read"
        panel.tree.search.setText("heartbeat 300")
        assert model.shown_count == 1
        assert panel.tree.line.text() == "1 of 5 variables · F2 or a double click changes a value"


async def test_chosen_variable_is_explained_with_its_attributes(bench: Any) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.model.variables)
        panel.tree.view.setCurrentIndex(panel.tree.model.index_of("OCPPCommCtrlr.NetworkConfigurationPriority"))
        told = panel.tree.detail.text()
        assert "Here a station is moved to another backend." in told
        assert "Actual: 1 (ReadWrite)" in told
        panel.tree.search.setText("moved backend")
        assert panel.tree.model.shown_count == 1


def test_meanings_name_variables_as_the_standard_spells_them() -> None:
    names = tomllib.loads(resources.path("checks", "ocpp2-variables.toml").read_text("utf-8"))["variables"]
    assert all(re.fullmatch(r"(\*|[A-Z]\w+)\.[A-Z]\w+", name) for name in names)
    assert all(text.endswith((".", "?")) for text in names.values())


async def test_one_variable_is_written_kept_and_read_back(bench: Any) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers) as got:
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.model.variables)
        model, key = panel.tree.model, "OCPPCommCtrlr.HeartbeatInterval"
        assert not model.setData(model.index_of(key).siblingAtColumn(VALUE), "5")
        assert "Not below 10 s" in panel.tree.line.text()
        assert not asked(got, "SetVariables")
        assert model.setData(model.index_of(key).siblingAtColumn(VALUE), "60")
        await until(lambda: cell(model, key, RESULT) == "Read back.")
        assert cell(model, key, VALUE) == "60"
        panel.tree.view.setCurrentIndex(model.index_of(key))
        assert "Actual: 60 (ReadWrite)" in panel.tree.detail.text()
        (unit,) = bench.finder.units.values()
        (edit,) = bench.edits(unit.unit_id)
        assert (edit.key, edit.before, edit.after) == (key, "300", "60")
        await bench.undo_edit(edit.id)
        assert station.values["OCPPCommCtrlr", "HeartbeatInterval"] == "300"


async def test_connection_of_a_station_is_changed_after_a_question_only(bench: Any) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.1", answers=station.answers) as got:
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.model.variables)
        key = "OCPPCommCtrlr.NetworkConfigurationPriority"
        panel.tree.model.setData(panel.tree.model.index_of(key).siblingAtColumn(VALUE), "2,1")
        await press(panel, "no")
        await until(lambda: not page.tasks.is_running(f"write {key}"))
        assert not asked(got, "SetVariables")


async def test_what_changed_since_an_earlier_report_is_marked(bench: Any, tmp_path: Path) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.baseline.count() == 2 and not page.tasks.is_running("device model CP-1"))
        panel.export_to(tmp_path / "model.json", "json")
        panel.export_to(tmp_path / "model.csv", "csv")
        station.values["TxCtrlr", "StopTxOnInvalidId"] = "false"
        station.values["TxCtrlr", "New"] = "1"
        del station.values["Evil <b>", "=cmd|'/c'!A1"]
        panel.read()
        await until(lambda: panel.tree.baseline.count() == 3)
        panel.tree.baseline.setCurrentIndex(1)
        panel.tree.compared.emit(1)
        model = panel.tree.model
        assert cell(model, "TxCtrlr.StopTxOnInvalidId", RESULT) == "was true"
        assert cell(model, "TxCtrlr.New", RESULT) == "not there before"
        assert panel.tree.line.text() == "5 of 5 variables · 2 differ · 1 are gone"
        for name in ("model.json", "model.csv"):
            panel.compare_with(tmp_path / name)
            assert model.changed_count == 2
        assert "\n'=1+1" not in (tmp_path / "model.csv").read_text("utf-8")
        assert ",'=1+1," in (tmp_path / "model.csv").read_text("utf-8")
        panel.tree.changed_only.setChecked(True)
        assert model.shown_count == 2


async def test_reading_can_be_stopped(bench: Any) -> None:
    station = Station()
    station.stalls.clear()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        panel.read()
        await until(lambda: "parts of the report have arrived" in panel.tree.line.text())
        assert panel.tree.stop_button.isVisible()
        click(panel.tree.stop_button)
        await until(lambda: not panel.tree.stop_button.isVisible())
        assert "Stopped" in panel.tree.line.text()
        station.stalls.set()


async def test_one_component_is_read_again_alone(bench: Any) -> None:
    station = Station()
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers) as got:
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.model.variables and not page.tasks.is_running("device model CP-1"))
        station.values["TxCtrlr", "StopTxOnInvalidId"] = "false"
        panel.tree.view.setCurrentIndex(panel.tree.model.index_of("TxCtrlr.StopTxOnInvalidId"))
        panel.read(CHOSEN)
        await until(lambda: cell(panel.tree.model, "TxCtrlr.StopTxOnInvalidId", VALUE) == "false")
        assert asked(got, "GetReport")[0]["componentVariable"] == [{"component": {"name": "TxCtrlr"}}]
        assert len(panel.tree.model.variables) == 5
        await until(lambda: not page.tasks.is_running("device model CP-1"))
        panel.read(PROBLEMS)
        await until(lambda: len(asked(got, "GetReport")) == 2)
        assert asked(got, "GetReport")[1]["componentCriteria"] == ["Problem"]


async def test_refused_report_is_said(bench: Any) -> None:
    answers = {"GetBaseReport": {"status": "NotSupported"}}
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=answers):
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.line.property("tone") == "fault")
        assert panel.tree.line.text()


def variable(kind: str, **facts: Any) -> Variable:
    return Variable(name=VariableName(component="C", variable="V"), type=kind, **facts)


@pytest.mark.parametrize(
    ("described", "good", "bad"),
    [
        (variable("boolean"), ["true", "false"], ["1", "True", ""]),
        (variable("integer", min=1, max=9), ["1", "9"], ["0", "10", "1.0", "²", " 1"]),
        (variable("decimal", max=1.5), ["-3", "1.5"], ["1.6", "1,2", "nan"]),
        (variable("dateTime"), ["2026-11-22T16:00:00Z"], ["2026-11-22T16:00:00", "soon"]),
        (variable("OptionList", values_list=("A", "B")), ["A"], ["C", "A,B"]),
        (variable("SequenceList", values_list=("A", "B")), ["B,A", "", "A"], ["A,C"]),
        (variable("string", max_length=3), ["abc", ""], ["abcd"]),
    ],
)
def test_new_values_are_checked_against_type_and_limits(
    described: Variable, good: Iterable[str], bad: Iterable[str]
) -> None:
    assert [problem_of(described, text) for text in good] == [""] * len(list(good))
    assert all(problem_of(described, text) for text in bad)


def test_tree_model_keeps_qt_s_rules(qapp: Any, qtmodeltester: Any) -> None:
    model = DeviceModel(qapp)
    names = [VariableName(component=f"C{number % 3}", variable=f"V{number}") for number in range(9)]
    model.show_variables([Variable(name=name, value="1") for name in names])
    qtmodeltester.check(model)
    model.show(text="V3")
    qtmodeltester.check(model)
    assert model.rowCount() == 1
    model.deleteLater()


async def test_what_is_open_and_chosen_stays_when_a_large_model_is_read_again(bench: Any) -> None:
    station = Station()
    station.values |= {(f"C{number // 10:02}", f"V{number}"): "1" for number in range(300)}
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        panel.read()
        await until(lambda: panel.tree.model.variables and not page.tasks.is_running("device model CP-1"))
        tree = panel.tree
        tree.view.expand(tree.model.index_of("C07.V75").parent())
        tree.view.setCurrentIndex(tree.model.index_of("C07.V75"))
        station.values["C07", "V75"] = "2"
        panel.read()
        await until(lambda: cell(tree.model, "C07.V75", VALUE) == "2")
        assert tree.view.isExpanded(tree.model.index_of("C07.V75").parent())
        assert not tree.view.isExpanded(tree.model.index_of("C08.V80").parent())
        assert tree.selected().key == "C07.V75"


# Configuration of 1.6

SETTINGS_16 = {
    "configurationKey": [
        {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
        {"key": "AuthorizationKey", "readonly": False, "value": "geheim12"},
    ]
}


async def test_settings_are_read_on_demand_explained_and_edited_with_a_way_back(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": SETTINGS_16}) as got:
        await selected(page, "CP-1")
        page.unit.tabs.setCurrentIndex(SETTINGS)
        config = page.unit.config
        await until(lambda: config.empty.accessibleName() == "The settings have not been read yet")
        config.empty.acted.emit()
        model = config.table.model
        await until(lambda: model.total == 3)
        texts = {row.setting.key: row.setting for row in model.rows}
        assert texts["HeartbeatInterval"].label == "Heartbeat"
        assert texts["NumberOfConnectors"].is_readonly
        assert "geheim12" not in model.text()
        row = next(place for place, one in enumerate(model.rows) if one.setting.key == "HeartbeatInterval")
        index = model.index(row, SETTING_VALUE)
        assert index.flags() & Qt.ItemFlag.ItemIsEditable
        model.setData(index, "30")
        await until(lambda: asked(got, "ChangeConfiguration") == [{"key": "HeartbeatInterval", "value": "30"}])
        (unit,) = bench.finder.units.values()
        await until(lambda: bench.edits(unit.unit_id))


async def test_some_keys_are_read_alone_and_unknown_ones_named(bench: Any) -> None:
    async def get(link: Any, uid: str, payload: dict[str, Any]) -> None:
        keys = payload.get("key") or [entry["key"] for entry in SETTINGS_16["configurationKey"]]
        known = [entry for entry in SETTINGS_16["configurationKey"] if entry["key"] in keys]
        unknown = [key for key in keys if key not in {entry["key"] for entry in known}]
        await link.send(json.dumps([3, uid, {"configurationKey": known, "unknownKey": unknown}]))

    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": get}):
        await selected(page, "CP-1")
        page.unit.tabs.setCurrentIndex(SETTINGS)
        config = page.unit.config
        config.desk.read()
        await until(lambda: config.table.model.total == 3)
        config.keys.setText("HeartbeatInterval, Nonsense<b>")
        click(config.read_keys)
        await until(lambda: config.unknown.text() == "Unknown to this charger: Nonsense<b>")
        assert config.table.model.total == 3


async def test_configuration_goes_to_files_without_secrets_and_is_compared_with_them(
    bench: Any, tmp_path: Path
) -> None:
    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": SETTINGS_16}):
        await selected(page, "CP-1")
        page.unit.tabs.setCurrentIndex(SETTINGS)
        config = page.unit.config
        config.desk.read()
        await until(lambda: config.table.model.total == 3)
        for name in ("now.csv", "now.json"):
            config.export_to(tmp_path / name)
            text = (tmp_path / name).read_text("utf-8")
            assert "geheim12" not in text
            changed = text.replace("60", "45")
            (tmp_path / name).write_text(changed, "utf-8")
            config.compare_with(tmp_path / name)
            assert config.table.model.changed_count == 1
        config.compare_with(tmp_path / "none.csv")
        assert "can't be read" in config.table.line.text()


@pytest.mark.parametrize("text", ["", "{", "[1]", "a,b\n1,2\n", '{"settings": 3}', "\x00", '{"a":' * 5000])
def test_files_that_hold_no_configuration_are_refused(tmp_path: Path, text: str) -> None:
    from app.errors import Garbled

    path = tmp_path / "file.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(Garbled):
        read_values(path)


def test_answer_saved_from_a_log_can_be_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(SETTINGS_16), "utf-8")
    assert read_values(path)["HeartbeatInterval"] == "60"
