"""The console through its real widgets: real ports, real connections, all three versions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QToolButton,
    QWidget,
)

from app.model.frame import FrameKind
from app.ocpp.devicemodel import Variable, VariableName
from tests.ui.console_kit import asked, charger, click, opened, press, selected, until
from ui.dialogs import Question
from ui.models.console import raw_payload
from ui.pages.endpoint_console import Console
from ui.pages.endpoint_unit import CONSOLE, SETTINGS
from ui.theme import TARGET
from ui.widgets.formleaf import Leaf
from ui.widgets.formview import GroupPart

HEARTBEAT = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]}


def typed(console: Console, path: str, text: str) -> None:
    line = console.findChild(QLineEdit, f"field-{path}")
    line.clear()
    QTest.keyClicks(line, text)


def chosen(console: Console, path: str, value: str) -> None:
    box = console.findChild(QComboBox, f"field-{path}")
    box.setCurrentIndex(box.findData(value))


async def answered(console: Console) -> str:
    await until(lambda: console.sent_panel.chosen is not None and not console.sent_panel.chosen.is_waiting)
    await until(lambda: not console.is_sending)
    return console.answer.toPlainText()


# Sending


async def test_command_is_sent_and_its_answer_shown_beside_it(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": HEARTBEAT}) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("GetConfiguration")
        typed(console, "key", "HeartbeatInterval, Foo")
        click(console.send)
        await until(lambda: asked(got, "GetConfiguration")[-1:] == [{"key": ["HeartbeatInterval", "Foo"]}])
        text = await answered(console)
        assert '"value": "60"' in text
        assert "after" in text
        assert "GetConfiguration" in console.lines.item(0).text()


async def test_change_asks_first_and_hides_the_password(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("ChangeConfiguration")
        typed(console, "key", "AuthorizationKey")
        typed(console, "value", "geheim12")
        await until(lambda: "AuthorizationKey" in console.sent_panel.preview.toPlainText())
        assert "geheim12" not in console.sent_panel.preview.toPlainText()
        click(console.send)
        await press(console, "close")
        await until(lambda: not page.tasks.is_running("send CP-1"))
        assert not asked(got, "ChangeConfiguration")
        click(console.send)
        await press(console, "send")
        await press(console, "bare")  # this charger shows no settings, so no backup can be made
        await until(lambda: asked(got, "ChangeConfiguration"))
        assert asked(got, "ChangeConfiguration") == [{"key": "AuthorizationKey", "value": "geheim12"}]
        assert "geheim12" not in await answered(console)
        click(console.composer.keep)
        await until(lambda: bench.store.console.favourites())
        assert "geheim12" not in str((bench.store.console.of("CP-1"), bench.store.console.favourites()))


async def test_a_change_of_a_known_charger_is_kept_and_read_back(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": HEARTBEAT}) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("ChangeConfiguration")
        typed(console, "key", "HeartbeatInterval")
        typed(console, "value", "30")
        click(console.send)
        await press(console, "send")
        assert "readBack" in await answered(console)
        assert asked(got, "ChangeConfiguration") == [{"key": "HeartbeatInterval", "value": "30"}]
        (unit,) = bench.finder.units.values()
        (edit,) = bench.edits(unit.unit_id)
        assert (edit.key, edit.before, edit.after) == ("HeartbeatInterval", "60", "30")
        assert "holds something else" in edit.note
        await bench.undo_edit(edit.id)
        assert asked(got, "ChangeConfiguration")[-1] == {"key": "HeartbeatInterval", "value": "60"}


async def test_dangerous_command_is_confirmed_in_one_sentence(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("Reset")
        chosen(console, "type", "Hard")
        click(console.send)
        (question,) = await until(lambda: [box for box in console.findChildren(Question) if box.isVisible()])
        assert "restarts" in question.accessibleDescription()
        click(question.findChild(QWidget, "answer-send"))
        await until(lambda: asked(got, "Reset") == [{"type": "Hard"}])
        await answered(console)
        assert "That it comes back is the proof" in console.sent_panel.meaning.text()


async def test_raw_mode_checks_json_and_schema_and_sends_all_the_same(bench: Any) -> None:
    refusal = ["NotSupported", "no such thing <b>", {}]
    async with opened(bench) as page, charger(bench, answers={"TriggerMessage": refusal}) as got:
        console = await selected(page, "CP-1")
        click(console.is_raw)
        console.raw_action.setText("TriggerMessage")
        console.raw.setPlainText('{"requestedMessage":')
        assert "Not JSON" in console.problem.text()
        assert not console.send.isEnabled()
        console.raw.setPlainText('{"requestedMessage":"Nonsense"}')
        assert "Against the standard" in console.problem.text()
        console.raw.setFocus()
        QTest.keyClick(console.raw, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        await press(console, "send")
        await until(lambda: "NotSupported" in console.answer.toPlainText())
        assert asked(got, "TriggerMessage") == [{"requestedMessage": "Nonsense"}]
        console.raw_action.setText("Dance")
        assert "no action “Dance”" in console.problem.text()


async def test_answer_that_breaks_the_standard_is_told(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers={"ClearCache": {"status": "Perhaps"}}):
        console = await selected(page, "CP-1")
        console.tree.choose("ClearCache")
        click(console.send)
        await press(console, "send")
        await answered(console)
        assert "Against the standard: status" in console.sent_panel.meaning.text()


@pytest.mark.parametrize("text", ["[]", "1", "{", "[" * 50_000, "x" * 200_000, '{"a":' + "1" * 10_000 + "}"])
def test_raw_payload_refuses_what_is_no_object(text: str) -> None:
    assert raw_payload(text)[1]


# The form


async def test_limits_stand_beside_the_field_and_can_be_broken_on_purpose(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("RemoteStartTransaction")
        typed(console, "idTag", "X" * 21)
        typed(console, "connectorId", "one")
        await until(lambda: "Against the standard" in console.problem.text())
        assert console.findChild(QLineEdit, "field-idTag").property("tone") == "fault"
        click(console.send)
        await press(console, "send")
        await until(lambda: asked(got, "RemoteStartTransaction"))
        assert asked(got, "RemoteStartTransaction") == [{"connectorId": "one", "idTag": "X" * 21}]


async def test_optional_fields_groups_and_items_come_and_go(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("SetChargingProfile")
        profile = "csChargingProfiles"
        periods = f"{profile}.chargingSchedule.chargingSchedulePeriod"
        click(console.findChild(QToolButton, f"add-{periods}"))
        typed(console, f"{periods}[1].startPeriod", "3600")
        typed(console, f"{periods}[1].limit", "6.5")
        group = next(part for part in console.form.findChildren(QWidget) if getattr(part, "_path", "") == profile)
        group.add_field("validTo")
        typed(console, f"{profile}.validTo", "now + 1 d")
        group.add_field("stackLevelX")
        click(console.findChild(QToolButton, f"remove-{periods}[0]"))
        click(console.send)
        await press(console, "send")
        await until(lambda: asked(got, "SetChargingProfile"))
        sent = asked(got, "SetChargingProfile")[0][profile]
        assert sent["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 3600, "limit": 6.5}]
        assert sent["validTo"].endswith("Z")


async def test_form_and_json_are_two_sides_of_one_request(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        console = await selected(page, "CP-1")
        console.tree.choose("TriggerMessage")
        chosen(console, "requestedMessage", "Heartbeat")
        click(console.is_raw)
        assert json.loads(console.raw.toPlainText()) == {"requestedMessage": "Heartbeat"}
        console.raw.setPlainText('{"requestedMessage": "MeterValues", "connectorId": 2, "own": true}')
        click(console.composer.is_form)
        assert console.findChild(QLineEdit, "field-connectorId").text() == "2"
        assert console.form.value() == {"requestedMessage": "MeterValues", "connectorId": 2, "own": True}


async def test_long_list_from_json_is_sent_whole(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("SendLocalList")
        cards = [{"idTag": f"T{number}", "idTagInfo": {"status": "Accepted"}} for number in range(120)]
        click(console.is_raw)
        made = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": cards}
        console.raw.setPlainText(json.dumps(made))
        click(console.composer.is_form)
        assert console.findChild(QLineEdit, "field-localAuthorizationList[49].idTag")
        assert not console.findChild(QLineEdit, "field-localAuthorizationList[50].idTag")
        assert console.form.value() == made
        click(console.send)
        await press(console, "send")
        await until(lambda: asked(got, "SendLocalList") == [made])


async def test_our_own_root_is_what_a_new_root_form_holds(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        console = await selected(page, "CP-1")
        console.tree.choose("InstallCertificate")
        assert console.form.value()["certificate"] == bench.authority.root.pem
        assert console.composer.breaches == []


async def test_running_session_is_filled_in(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        console = await selected(page, "CP-1")
        endpoint = bench.server.endpoint("CP-1")
        start = {"connectorId": 2, "idTag": "04AB", "meterStart": 0, "timestamp": "2026-11-22T12:00:00Z"}
        answer, _ = endpoint.ledger.take("StartTransaction", start, bench.now())
        console.tree.choose("RemoteStopTransaction")
        assert console.form.value() == {"transactionId": answer["transactionId"]}


# History and favourites


async def test_each_charger_has_its_own_history(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, "A"), charger(bench, "B"):
        console = await selected(page, "A")
        console.tree.choose("GetLocalListVersion")
        console.submit()
        await until(lambda: console.lines.count() == 1)
        await answered(console)
        await selected(page, "B")
        assert console.lines.count() == 0
        await selected(page, "A")
        assert console.lines.count() == 1


async def test_history_outlives_the_page_and_can_be_sent_again(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("TriggerMessage")
        console.submit()
        await answered(console)
        other = Console(bench, page.tasks, frozenset(), page)
        other.show_charger("CP-1")
        assert other.lines.count() == 1
        click(other.findChild(QToolButton, "console-again"))
        await until(lambda: len(asked(got, "TriggerMessage")) == 2)
        await answered(other)
        click(other.findChild(QToolButton, "console-copy-request"))
        assert json.loads(QGuiApplication.clipboard().text()) == {"requestedMessage": "StatusNotification"}
        click(other.findChild(QToolButton, "console-copy-answer"))
        assert json.loads(QGuiApplication.clipboard().text()) == {"status": "Accepted"}


async def test_password_of_an_older_run_is_asked_for_again(bench: Any) -> None:
    async with opened(bench) as page, charger(bench) as got:
        console = await selected(page, "CP-1")
        console.tree.choose("ChangeConfiguration")
        typed(console, "key", "AuthorizationKey")
        typed(console, "value", "geheim12")
        click(console.send)
        await press(console, "send")
        await press(console, "bare")
        await answered(console)
        other = Console(bench, page.tasks, frozenset(), page)
        other.show_charger("CP-1")
        click(other.findChild(QToolButton, "console-again"))
        assert "not kept" in other.problem.text()
        other.submit()  # the mask itself must never become the password
        assert "not kept" in other.problem.text()
        assert not other.is_sending
        assert len(asked(got, "ChangeConfiguration")) == 1
        click(console.findChild(QToolButton, "console-again"))  # the run that typed it still has it
        await press(console, "send")
        await press(console, "bare")
        await until(lambda: len(asked(got, "ChangeConfiguration")) == 2)
        assert asked(got, "ChangeConfiguration")[1]["value"] == "geheim12"
        await answered(console)


async def test_favourite_is_kept_and_found_again(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        console = await selected(page, "CP-1")
        console.tree.choose("GetCompositeSchedule")
        typed(console, "duration", "777")
        click(console.composer.keep)
        await until(lambda: bench.store.console.favourites())
        console.tree.choose("Reset")
        console.tree.search.setText("777")
        QTest.keyClick(console.tree.search, Qt.Key.Key_Return)
        assert console.form.value()["duration"] == 777


async def test_search_by_keyboard_leads_into_the_form(bench: Any) -> None:
    async with opened(bench) as page, charger(bench):
        console = await selected(page, "CP-1")
        page.activateWindow()
        console.tree.search.setFocus()
        QTest.keyClicks(console.tree.search, "unlock")
        QTest.keyClick(console.tree.search, Qt.Key.Key_Return)
        assert console.composer.action == "UnlockConnector"
        assert page.focusWidget() is console.findChild(QLineEdit, "field-connectorId")


# Gentle mode, other versions


async def test_what_a_charger_does_not_list_is_marked_and_can_be_sent(bench: Any) -> None:
    profiles = {
        "configurationKey": [{"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,SmartCharging"}]
    }
    async with opened(bench) as page, charger(bench, answers={"GetConfiguration": profiles}):
        console = await selected(page, "CP-1")
        console.tree.choose("ReserveNow")
        assert not console.composer.mark.isVisible()
        console.is_gentle.setChecked(True)
        await until(console.composer.mark.isVisible)
        console.tree.choose("Reset")
        assert not console.composer.mark.isVisible()
        assert console.send.isEnabled()


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_other_versions_have_their_own_commands(bench: Any, version: str) -> None:
    result = {"attributeStatus": "UnknownVariable", "component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "X"}}
    answers = {"GetVariables": {"getVariableResult": [result]}}
    async with opened(bench) as page, charger(bench, version=version, answers=answers) as got:
        console = await selected(page, "CP-1")
        await until(lambda: f"OCPP {version} " in console.composer.clause.text())
        console.tree.choose("GetVariables")
        typed(console, "getVariableData[0].variable.name", "X")
        click(console.send)
        await until(lambda: asked(got, "GetVariables"))
        await answered(console)
        told = console.sent_panel.meaning.text()
        assert "OCPPCommCtrlr.X UnknownVariable: The component exists, but has no such variable." in told


async def test_unanswered_message_of_2_1_is_sent_as_such(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, version="2.1") as got:
        console = await selected(page, "CP-1")
        frames = bench.frames.subscribe()
        click(console.is_raw)
        console.raw_action.setText("NotifyPeriodicEventStream")
        console.raw.setPlainText(
            '{"id": 1, "pending": 0, "basetime": "2026-11-22T12:00:00Z", "data": [{"t": 0, "v": "1"}]}'
        )
        console.composer.is_send.setChecked(True)
        click(console.send)
        await until(lambda: asked(got, "NotifyPeriodicEventStream"))
        assert FrameKind.SEND in [frame.kind for frame in frames.take()]
        frames.close()
        await answered(console)
        assert "no answer is due" in console.lines.item(0).text()
        console.tree.choose("Reset")
        assert not console.composer.is_send.isChecked()


# What every panel of a charger owes


def faults_of(page: Any) -> set[str]:
    """Name controls without a name, or too small to be hit."""
    found = set()
    for widget in page.unit.findChildren(QWidget):
        is_control = isinstance(widget, QAbstractButton | QAbstractItemView | QComboBox | QLineEdit | QPlainTextEdit)
        is_inner = isinstance(widget.parent(), QComboBox | QLineEdit | QTabBar | QAbstractItemView)
        if not is_control or is_inner or not widget.isVisible():
            continue
        interface = QAccessible.queryAccessibleInterface(widget)
        if not interface.text(QAccessible.Text.Name).strip():
            found.add(f"no name: {type(widget).__name__} {widget.objectName()}")
        is_small = widget.height() < TARGET - (4 if isinstance(widget, QCheckBox) else 0)
        if isinstance(widget, QAbstractButton | QLineEdit | QComboBox) and is_small:
            found.add(f"{widget.height()} px: {type(widget).__name__} {widget.objectName()} {widget.accessibleName()}")
    return found


@pytest.mark.parametrize("version", ["1.6", "2.1"])
async def test_every_control_of_a_charger_s_panels_is_named_and_large_enough(bench: Any, version: str) -> None:
    async with opened(bench) as page, charger(bench, version=version):
        console = await selected(page, "CP-1")
        page.unit.enlarge.setChecked(True)
        for name in ("SetChargingProfile", "ReserveNow", "InstallCertificate", "SendLocalList"):
            console.tree.choose(name)
            for part in console.form.findChildren(GroupPart):
                for field in part.missing[:2]:
                    part.add_field(field.name)
            await until(lambda: all(leaf.editor.isVisible() for leaf in console.form.findChildren(Leaf)))
            assert faults_of(page) == set()
            assert console.form.widget().minimumSizeHint().width() <= console.form.viewport().width()
        click(console.is_raw)
        for tab in (CONSOLE, SETTINGS):
            page.unit.tabs.setCurrentIndex(tab)
            assert faults_of(page) == set()
        page.unit.enlarge.setChecked(False)
        assert page.table.isVisible()


async def test_names_a_station_told_are_suggested(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, version="2.0.1"):
        console = await selected(page, "CP-1")
        name = VariableName(component="OCPPCommCtrlr", variable="RetryBackOffRepeatTimes")
        page.unit.device_model.learnt.emit("CP-1", (Variable(name=name),))
        console.tree.choose("GetVariables")
        line = console.findChild(QLineEdit, "field-getVariableData[0].variable.name")
        line.completer().setCompletionPrefix("backoff")
        assert line.completer().currentCompletion() == "RetryBackOffRepeatTimes"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": ["Accepted"]},
        {"status": "Accepted\u202e\x00<b>" * 500},
        {"data": "x" * 900_000},
        {"status": {"status": {"status": "Accepted"}}},
        {"a": json.loads("[" * 60 + "{}" + "]" * 60)},
    ],
    ids=["list", "controls", "long", "nested", "deep"],
)
async def test_hostile_answers_are_shown_and_kept_within_bounds(bench: Any, answer: dict[str, Any]) -> None:
    async with opened(bench) as page, charger(bench, answers={"DataTransfer": answer}):
        console = await selected(page, "CP-1")
        console.tree.choose("DataTransfer")
        typed(console, "vendorId", "x")
        click(console.send)
        await press(console, "send")
        text = await answered(console)
        assert "\x00" not in text
        assert len(text) <= 110_000
        assert all(len(kept.answer) <= 100_000 for kept in bench.store.console.of("CP-1"))
