"""Configurations explained and checked against wishes: of chargers on the endpoint, and of files without any charger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtGui import QGuiApplication

from app.diagnosis.wishes import Verdict
from tests.ui.console_kit import asked, charger, click, opened, press, selected, until
from tests.ui.test_console_settings import Station, model_of
from ui.dialogs import Question
from ui.pages.endpoint import EXPLAIN
from ui.pages.endpoint_explain import ExplainPanel
from ui.pages.endpoint_explain_wishes import WishesView, WishRow
from ui.pages.endpoint_unit import SETTINGS
from ui.pages.unit_known import edits_of

VALUES = {
    "HeartbeatInterval": "300",
    "LocalAuthorizeOffline": "true",
    "AllowOfflineTxForUnknownId": "true",
    "LocalPreAuthorize": "maybe",
    "StopTransactionOnEVSideDisconnect": "true",
    "AuthorizeRemoteTxRequests": "true",
    "ConnectionTimeOut": "60",
    "MeterValuesSampledData": "Energy.Active.Import.Register",
    "MeterValueSampleInterval": "60",
    "NumberOfConnectors": "1",
    "ResetRetries": "1",
    "evb_ServerURL": "wss://EU.EVERON.IO/",
    "evb_AutoStart": "false",
    "AuthorizationKey": "geheim12",
}
READONLY = ("NumberOfConnectors",)


class Keys:
    """A 1.6 charger's settings behind GetConfiguration and ChangeConfiguration."""

    def __init__(self, *, refuses: tuple[str, ...] = ()) -> None:
        self.values = dict(VALUES)
        self.refuses = refuses

    @property
    def answers(self) -> dict[str, Any]:
        return {"GetConfiguration": self.told, "ChangeConfiguration": self.changed}

    async def told(self, link: Any, uid: str, payload: dict[str, Any]) -> None:
        wanted = payload.get("key") or list(self.values)
        keys = [
            {"key": key, "readonly": key in READONLY, "value": self.values[key]} for key in wanted if key in self.values
        ]
        unknown = [key for key in wanted if key not in self.values]
        await link.send(json.dumps([3, uid, {"configurationKey": keys, "unknownKey": unknown}]))

    async def changed(self, link: Any, uid: str, payload: dict[str, Any]) -> None:
        is_refused = payload["key"] in self.refuses
        if not is_refused:
            self.values[payload["key"]] = payload["value"]
        await link.send(json.dumps([3, uid, {"status": "Rejected" if is_refused else "Accepted"}]))


async def read(page: Any) -> Any:
    await selected(page, "CP-1")
    page.unit.tabs.setCurrentIndex(SETTINGS)
    config = page.unit.config
    await until(lambda: config.empty.accessibleName() == "The settings have not been read yet")
    config.empty.acted.emit()
    await until(lambda: config.table.model.total >= len(VALUES))
    return config


def wish(view: WishesView, question: str, option: str) -> WishRow:
    row = next(row for row in view.rows if row.question.id == question)
    row.choice.setCurrentIndex(row.choice.findData(option))
    row.choice.activated.emit(row.choice.currentIndex())
    return row


def choose(panel: ExplainPanel, key: str) -> str:
    assert panel.table.select_key(key)
    return panel.detail.text()


async def test_settings_say_which_make_it_is_and_what_the_chosen_one_means(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers=Keys().answers):
        config = await read(page)
        assert config.make.text.text() == "EVBox Gen4, known by evb_ServerURL, evb_AutoStart"
        row = next(at for at, one in enumerate(config.table.model.rows) if one.setting.key == "evb_AutoStart")
        config.table.view.setCurrentIndex(config.table.model.index(row, 0))
        assert config.table.model.rows[row].setting.label == "Start without a card"
        assert "A card number: it starts every session with that card" in config.detail.text()
        assert "CReimer" in config.detail.text()


async def test_a_charger_is_explained_key_by_key(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers=Keys().answers):
        config = await read(page)
        click(config.make.button)
        panel = config.explanation
        await until(panel.isVisible)
        assert panel.stack.text().startswith("EVBox Gen4")
        assert panel.address.text().startswith("Its backend address stands in evb_ServerURL")
        panel.tabs.setCurrentIndex(1)
        assert "It should be true or false." in choose(panel, "LocalPreAuthorize")
        assert "Access by the standard: read and write · by the charger: read and write" in panel.detail.text()
        assert "shows its password" in choose(panel, "AuthorizationKey")
        assert "TransactionMessageAttempts" in panel.missing.text()
        panel.search.setText("everon")
        assert [item.key for item in panel.model.items] == ["evb_ServerURL"]
        click(panel.copy_button)
        assert "geheim12" not in QGuiApplication.clipboard().text()
        assert "AuthorizationKey" in QGuiApplication.clipboard().text()
        click(panel.back)
        assert config.table.isVisible()


async def test_a_wish_is_judged_set_and_read_back(bench: Any) -> None:
    keys = Keys()
    async with opened(bench) as page, charger(bench, answers=keys.answers) as got:
        config = await read(page)
        click(config.make.button)
        view = config.explanation.wishes
        await until(view.isVisible)
        assert not view.apply.isEnabled()
        row = wish(view, "offline", "nobody")
        assert row.answer is not None
        assert row.answer.verdict is Verdict.DIFFERS
        assert row.verdict.text == "Does not fit"
        assert "AllowOfflineTxForUnknownId: true becomes false" in row.why.text()
        assert view.summary.text() == "0 of 1 wishes fit · 2 settings to change"
        click(view.apply)
        await press(config, "yes")
        await until(lambda: view.summary.text() == "Set and read back: 2 values.")
        assert asked(got, "ChangeConfiguration") == [
            {"key": "LocalAuthorizeOffline", "value": "false"},
            {"key": "AllowOfflineTxForUnknownId", "value": "false"},
        ]
        assert row.verdict.text == "Fits"
        assert row.choice.currentText() == "Nobody (as it is)"
        (unit,) = bench.finder.units.values()
        kept = {edit.key: edit.before for edit in edits_of(bench, unit.unit_id)}
        assert kept == {"LocalAuthorizeOffline": "true", "AllowOfflineTxForUnknownId": "true"}


async def test_nothing_is_set_that_was_not_agreed_to(bench: Any) -> None:
    async with opened(bench) as page, charger(bench, answers=Keys().answers) as got:
        config = await read(page)
        click(config.make.button)
        view = config.explanation.wishes
        await until(view.isVisible)
        wish(view, "remote-start", "no")
        click(view.apply)
        await press(config, "no")
        await until(lambda: view.apply.isEnabled())
        assert not asked(got, "ChangeConfiguration")


async def test_what_was_agreed_for_one_charger_is_not_set_in_another(bench: Any) -> None:
    first, other = Keys(), Keys()
    async with (
        opened(bench) as page,
        charger(bench, answers=first.answers) as got,
        charger(bench, "CP-2", answers=other.answers) as others,
    ):
        config = await read(page)
        click(config.make.button)
        view = config.explanation.wishes
        await until(view.isVisible)
        wish(view, "remote-start", "no")
        click(view.apply)
        await until(lambda: [box for box in config.findChildren(Question) if box.isVisible()])
        await selected(page, "CP-2")
        await press(config, "yes")
        await until(lambda: not page.tasks.is_running("set wishes"))
        assert not asked(got, "ChangeConfiguration")
        assert not asked(others, "ChangeConfiguration")


async def test_a_refused_value_is_said(bench: Any) -> None:
    keys = Keys(refuses=("AuthorizeRemoteTxRequests",))
    async with opened(bench) as page, charger(bench, answers=keys.answers):
        config = await read(page)
        click(config.make.button)
        view = config.explanation.wishes
        await until(view.isVisible)
        row = wish(view, "remote-start", "no")
        click(view.apply)
        await press(config, "yes")
        await until(lambda: view.summary.text().startswith("Not everything is proved."))
        assert "AuthorizeRemoteTxRequests" in view.summary.text()
        assert row.verdict.text == "Does not fit"


async def test_wishes_that_contradict_each_other_are_not_set(bench: Any) -> None:
    keys = Keys()
    keys.values["Cst_FreeVendActive"] = "false"
    async with opened(bench) as page, charger(bench, answers=keys.answers):
        config = await read(page)
        click(config.make.button)
        view = config.explanation.wishes
        await until(view.isVisible)
        wish(view, "without-card", "card")
        wish(view, "offline", "nobody")
        assert view.apply.isEnabled()
        wish(view, "without-card", "free")
        assert view.summary.text() == "Two wishes contradict each other about Cst_FreeVendActive."
        assert not view.apply.isEnabled()


MODEL = {
    ("AuthCtrlr", "LocalAuthorizeOffline"): "true",
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): "true",
    ("SecurityCtrlr", "CsmsUrl"): "ws://old.example",
}


async def test_a_2x_station_is_explained_and_fulfils_a_wish(bench: Any) -> None:
    station = Station()
    station.values |= MODEL
    async with opened(bench) as page, charger(bench, version="2.0.1", answers=station.answers):
        panel = await model_of(page)
        assert panel.make.isHidden()
        panel.read()
        await until(lambda: len(panel.tree.model.variables) == len(station.values))
        assert panel.make.text.text().startswith("MicroOcpp")
        click(panel.make.button)
        view = panel.explanation.wishes
        await until(view.isVisible)
        row = wish(view, "offline", "nobody")
        assert "AuthCtrlr.LocalAuthorizeOffline: true becomes false" in row.why.text()
        click(view.apply)
        await press(panel, "yes")
        await until(lambda: view.summary.text() == "Set and read back: 2 values.")
        assert station.values["AuthCtrlr", "OfflineTxForUnknownIdEnabled"] == "false"
        assert row.verdict.text == "Fits"


# Without a charger


async def test_a_file_is_explained_without_any_charger(bench: Any, tmp_path: Path) -> None:
    file = tmp_path / "halo.txt"
    file.write_text("ACPhaseSwitchingSupported (r/o): true\nHeartbeatInterval (r/w): 300\n")
    async with opened(bench) as page:
        page.tabs.setCurrentIndex(EXPLAIN)
        explainer = page.explainer
        await until(explainer.empty.isVisible)
        explainer.open_file(file)
        await until(explainer.panel.isVisible)
        assert explainer.panel.stack.text() == "Charge Amps, known by ACPhaseSwitchingSupported"
        assert explainer.line.text() == "From halo.txt, read as lines. Nothing is sent anywhere."
        wish(explainer.panel.wishes, "lost-line", "five-minutes")
        assert explainer.panel.wishes.apply.isHidden()


async def test_a_pasted_frame_is_explained(bench: Any) -> None:
    frame = '[3,"1",{"configurationKey":[{"key":"OCPPEndPoint","readonly":false,"value":"ws://old"}]}]'
    async with opened(bench) as page:
        page.tabs.setCurrentIndex(EXPLAIN)
        QGuiApplication.clipboard().setText(frame)
        click(page.explainer.paste_button)
        assert page.explainer.panel.stack.text() == "Evnex, known by OCPPEndPoint"


async def test_a_file_that_holds_nothing_is_refused_in_words(bench: Any, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear colleague,\nthe charger is dead.")
    async with opened(bench) as page:
        page.tabs.setCurrentIndex(EXPLAIN)
        page.explainer.open_file(file)
        assert page.explainer.line.text().startswith("There are no settings in it.")
        assert not page.explainer.panel.isVisible()
        page.explainer.open_file(tmp_path / "gone.json")
        assert "can't be read" in page.explainer.line.text()
