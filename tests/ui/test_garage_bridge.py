"""The Bridge tab through its real widgets: a simulated JuiceBox and a raw OCPP charger, bridged to our own endpoint."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import websockets
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QWidget

from app.bridge.corrections import BOOT, TLS_ADDED
from app.bridge.station import Start
from app.errors import StoreError
from app.model.backend import SecurityProfile
from app.model.bridge import LineState, UnitKind
from app.model.secret import Secret
from app.service import choosing
from app.service.choosing import OURS, Choice
from app.service.site import SitePlan
from app.settings import Listed, Preset, Settings
from app.sim.juicebox import JuiceBox
from tests.ports import free_port
from ui.dialogs import Question
from ui.pages import garage_bridge_export
from ui.pages.garage_bridge import BridgePanel
from ui.pages.garage_bridge_form import UnitForm
from ui.pages.traffic import TrafficPage

PACE = 0.02
SERIAL = "0910042001260513476122621631"
LIMIT_S = 20


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.01)
        return found


def settings(**more: Any) -> Settings:
    presets = (Preset(name="Harbour", url="wss://csms.example/ocpp", security_profile=2),)
    return Settings(endpoint_on=False, endpoint_port=0, presets=presets, **more)


@pytest.fixture(autouse=True)
def relay_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let relayed chargers dial a port of this test's own."""
    port, made = free_port(), choosing.plan_of

    def plan_of(choices: Iterable[Choice], grounds: choosing.Grounds) -> SitePlan:
        return replace(made(choices, grounds), relay_port=port)

    monkeypatch.setattr(choosing, "plan_of", plan_of)
    return port


@asynccontextmanager
async def opened(bench: Any) -> AsyncIterator[BridgePanel]:
    page = BridgePanel(bench)
    page.resize(1150, 600)
    page.show()
    try:
        yield page
    finally:
        await page.stop()
        await bench.bridge.stop()
        page.close()
        page.deleteLater()


@asynccontextmanager
async def adopted_box(bench: Any) -> AsyncIterator[JuiceBox]:
    state = await bench.juice.start("127.0.0.1", (0,))
    async with JuiceBox("jb2", target=("127.0.0.1", state.ports[0]), time_scale=PACE, rating_a=40, offline_a=40) as box:
        await until(lambda: bench.juice.boxes.get(box.serial) and bench.juice.boxes[box.serial].report)
        bench.juice.adopt(bench.juice.propose(box.serial, 24.0))
        yield box


def click(button: QAbstractButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(combo: QComboBox, value: object) -> None:
    combo.setCurrentIndex(combo.findData(value))
    combo.activated.emit(combo.currentIndex())


def typed(line: QLineEdit, text: str) -> None:
    line.selectAll()
    QTest.keyClicks(line, text)


async def question() -> Question:
    found: Question = await until(
        lambda: next(
            (one for one in QApplication.topLevelWidgets() if isinstance(one, Question) and one.isVisible()), 0
        )
    )
    return found


async def answer(key: str) -> str:
    """Click an answer of the question in front; return what was asked."""
    asked = await question()
    button = asked.findChild(QAbstractButton, f"answer-{key}")
    assert button is not None
    click(button)
    return asked.accessibleDescription()


def relay(**more: Any) -> Choice:
    return Choice(**{"kind": UnitKind.RELAY, "unit": "OLD-7", "identity": "NEW-7", **more})


# Nothing yet


async def test_without_units_the_way_leads_to_the_juiceboxes(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        assert page.body.currentWidget() is page.empty
        assert not page.start.isEnabled()
        assert not page.export.isEnabled()
        went = []
        page.go.connect(lambda *where: went.append(where))
        page.empty.acted.emit()
        assert went == [("garage", "juice")]
        page.open(SERIAL)
        assert "circuit's limit" in page.fault.text
        click(page.add_box)
        assert page.form.box.count() == 0
        click(page.form.save)
        assert "Adopt a JuiceBox first" in page.form.fields["id"].problem
        QTest.keyClick(page.form.identity, Qt.Key.Key_Escape)
        assert page.stack.currentIndex() == 0


# A JuiceBox


async def test_a_box_is_chosen_proved_on_our_endpoint_and_stopped(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, adopted_box(bench) as box, opened(bench) as page:
        page.open(box.serial)
        form = page.form
        assert page.stack.currentWidget() is form
        assert form.backend.currentData() == "Harbour"
        choose(form.backend, OURS)
        assert form.profile.currentIndex() == 0
        assert "never told more than 24 A" in form.notes["id"].text()
        assert "stays at 0 A" in form.notes["start"].text()
        typed(form.identity, "STALL 1")
        choose(form.start, Start.FREE)
        assert "goes on charging" in form.notes["start"].text()
        click(form.save)
        assert "characters that backends refuse" in form.fields["identity"].problem
        assert "Enter the tag" in form.fields["id_tag"].problem
        typed(form.identity, "STALL-1")
        typed(form.tag, "GARAGE")
        QTest.keyClick(form.tag, Qt.Key.Key_Return)
        assert page.stack.currentIndex() == 0
        (choice,) = bench.bridge.choices
        assert (choice.unit, choice.identity, choice.start) == (box.serial, "STALL-1", Start.FREE)
        box.plug_in()
        click(page.start)
        await until(lambda: page.chip.text == "Bridging")
        await until(lambda: page.model.items[0].status and page.model.items[0].status.line is LineState.ONLINE)
        await until(lambda: "Charging" in [page.model.index(0, 2).data()])
        await until(lambda: "BootNotification" in [row.frame.action for row in page.unit.model.items])
        assert "STALL-1" in bench.server.endpoints
        assert not page.warning.text, "a box that charges freely is held by nobody"
        went: list[object] = []
        page.go.connect(lambda *where: went.append(where))
        click(page.unit.traffic)
        assert went == [("traffic", "STALL-1")]
        click(page.stop_button)
        await until(lambda: page.chip.text == "Off" and page.start.isVisible() and page.start.isEnabled())
        assert page.model.items[0].status is None


async def test_all_boxes_are_let_charge_freely_once_that_is_confirmed(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, adopted_box(bench) as box, opened(bench) as page:
        bench.bridge.choose([Choice(kind=UnitKind.BOX, unit=box.serial, identity="STALL-1")])
        page.refresh()
        click(page.start)
        await until(lambda: bench.bridge.is_running and "stays at 0 A" in page.warning.text)
        click(page.release)
        assert f"{box.serial} · 24 A" in await answer("cancel")
        assert bench.bridge.is_running
        await until(lambda: not page.tasks.is_running("release"))
        click(page.release)
        await answer("release")
        await until(lambda: "may charge freely" in page.fault.text)
        assert not bench.bridge.is_running
        assert bench.juice.box_state(box.serial).wanted_a == 24


async def test_the_identity_of_a_list_is_proposed_and_a_double_one_refused(open_bench: Callable[..., Any]) -> None:
    listed = (Listed(serial=SERIAL, identity="STALL-31"),)
    async with open_bench(settings=settings(listed=listed)) as bench, opened(bench) as page:
        form = page.form
        others = (Choice(kind=UnitKind.BOX, unit="0910042001260513476122621632", identity="STALL-31"),)
        form.add(UnitKind.BOX, others, unit=SERIAL)
        assert form.identity.text() == "STALL-31"
        choose(form.backend, OURS)
        form.check()
        assert "Another unit has this identity" in form.fields["identity"].problem


# Passwords


async def test_the_presets_password_is_proposed(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.vault.set("preset/Harbour", Secret("of the preset"))
        click(page.add_relay)
        assert page.form.password.typed == "of the preset"
        assert page.form.password.line.echoMode() is QLineEdit.EchoMode.Password


async def test_a_password_goes_into_the_vault_follows_the_unit_and_goes_with_it(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        form = page.form
        click(page.add_relay)
        typed(form.unit, "OLD-7")
        assert form.identity.text() == "OLD-7", "the same name is proposed"
        click(form.save)
        assert "password is needed" in form.fields["password"].problem
        typed(form.password.line, "correct horse battery")
        click(form.save)
        (choice,) = bench.bridge.choices
        assert bench.vault.get("bridge/OLD-7").reveal() == "correct horse battery"
        page._activated()
        assert form.password.typed == ""
        assert "kept in the vault" in form.password.line.placeholderText()
        typed(form.identity, "NEW-7")
        click(form.save)
        assert bench.vault.get("bridge/NEW-7").reveal() == "correct horse battery"
        assert bench.vault.get("bridge/OLD-7") is None
        assert "correct horse" not in (bench.bridge.folder / "choices.json").read_text()
        page._activated()
        click(form.password.forget)
        click(form.save)
        assert "password is needed" in form.fields["password"].problem
        QTest.keyClick(form.identity, Qt.Key.Key_Escape)
        click(page.unit.remove)
        await answer("remove")
        await until(lambda: not bench.bridge.choices)
        await until(lambda: bench.vault.get("bridge/NEW-7") is None)
        assert choice not in bench.bridge.choices


async def test_a_client_certificate_and_its_key_are_needed_for_profile_3(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        form = page.form
        click(page.add_relay)
        typed(form.unit, "OLD-7")
        choose(form.profile, form.profile.itemData(3))
        form.submit()
        assert form.fields["certificate"].problem
        form.chain.setPlainText("no certificate")
        form.key.setPlainText("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----")
        form.submit()
        assert "no certificate (PEM)" in form.fields["certificate"].problem
        form.chain.setPlainText("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----")
        form.submit()
        (choice,) = bench.bridge.choices
        assert choice.chain.startswith("-----BEGIN CERTIFICATE-----")
        assert "PRIVATE KEY" in bench.vault.get(choice.key_name).reveal()
        form.change(choice, ())
        assert form.key.text == "", "a key is never shown again"


# An OCPP charger


async def test_what_may_be_corrected_is_chosen_and_watching_corrects_nothing(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        form = page.form
        form.change(relay(), ())
        assert not form.corrects.body.isVisibleTo(form)
        form.corrects.fold.setChecked(True)
        form.corrects.boxes[TLS_ADDED].setChecked(False)
        form.corrects.boxes[BOOT].setChecked(False)
        typed(form.corrects.vendor, "Acme")
        made = form.choice()
        assert (made.without, made.adds_boot, made.vendor) == ((TLS_ADDED,), False, "Acme")
        form.change(made, ())
        assert form.choice() == made
        assert form.corrects.fold.isChecked(), "what is forbidden is in sight"
        form.corrects.watches.setChecked(True)
        assert form.choice().watches_only
        assert not form.corrects.fold.isVisibleTo(form)


@asynccontextmanager
async def charger(bench: Any, name: str) -> AsyncIterator[None]:
    """Dial the bridge as a charger that names no version and sends no BootNotification."""
    port = bench.bridge.plan().relay_port
    async with websockets.connect(f"ws://127.0.0.1:{port}/{name}", compression=None) as link:
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await link.send(json.dumps([2, "s", "StatusNotification", status]))

        async def reply() -> None:
            async for text in link:
                message = json.loads(text)
                if message[0] == 2:
                    await link.send(json.dumps([3, message[1], {"status": "Accepted"}]))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(reply())
            try:
                yield
            finally:
                task.cancel()


async def test_corrections_of_a_relayed_unit_say_what_must_change_before_it_is_handed_over(
    open_bench: Callable[..., Any],
) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        click(page.start)
        await until(lambda: page.chip.text == "Bridging")
        await until(lambda: page.model.index(0, 1).data() == "Charger away")
        async with charger(bench, "OLD-7"):
            await until(lambda: page.model.index(0, 1).data() == "Online")
            cards = await until(lambda: page.unit._shown_corrections)
            assert "IDENTITY-CHANGED" in [one.code for one in cards]
            assert "correction" in page.unit.corrections_title.text()
            assert "correction" in page.model.index(0, 5).data()
            click(page.unit.hand_over)
            asked = await answer("now")
            assert "Enter the backend's address in the charger" in asked
            await until(lambda: "let go" in page.unit.notice.text or "by itself" in page.unit.notice.text)


async def test_who_knocks_and_is_held_off_is_named(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        click(page.start)
        await until(lambda: page.chip.text == "Bridging")
        port = bench.bridge.plan().relay_port
        async with websockets.connect(f"ws://127.0.0.1:{port}/STRANGER", compression=None) as link:
            await asyncio.wait_for(link.wait_closed(), LIMIT_S)
        await until(lambda: "STRANGER" in page.knocking.text)


async def test_what_was_said_to_another_backend_is_opened_from_the_bridges_recording(
    open_bench: Callable[..., Any],
) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        state = await bench.server.start("127.0.0.1", 0)
        named = replace(bench.settings, presets=(Preset(name="Far", url=state.url),))
        bench.settings = named
        bench.bridge.choose([relay(backend="Far")])
        page.refresh()
        click(page.start)
        await until(lambda: page.chip.text == "Bridging")
        async with charger(bench, "OLD-7"):
            await until(lambda: bench.bridge.recording)
            await until(page.unit.traffic.isEnabled)
            went: list[Any] = []
            page.go.connect(lambda *where: went.append(where))
            click(page.unit.traffic)
            assert went == [("traffic", bench.bridge.recording)]
            traffic = TrafficPage(bench)
            traffic.show()
            traffic.open(went[0][1])
            await until(lambda: traffic.replay is not None)
            await traffic.stop()
            traffic.close()
            traffic.deleteLater()


# What goes wrong


async def test_a_choice_that_cant_be_kept_leaves_the_old_one_with_its_password(
    open_bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        old = relay(backend="Harbour", security_profile=SecurityProfile.TLS_BASIC)
        bench.vault.set(old.password_name, Secret("correct horse battery"))
        bench.bridge.choose([old])
        page.refresh()
        page._activated()
        typed(page.form.identity, "STALL-9")

        def full(_: object) -> None:
            raise StoreError("choices.json can't be written: no room.", "Make room on the disk.")

        monkeypatch.setattr(bench.bridge, "choose", full)
        click(page.form.save)
        assert "Make room" in page.fault.text
        assert bench.bridge.choices == (old,)
        assert bench.vault.get(old.password_name).reveal() == "correct horse battery"


async def test_what_hinders_the_start_stands_beside_the_unit(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        gone = Choice(kind=UnitKind.BOX, unit=SERIAL, identity="STALL-1", backend="Gone", start=Start.TAG)
        bench.bridge.choose([relay(), gone])
        page.refresh()
        page.table.selectRow(1)
        assert "no preset any more" in page.unit.notice.text
        assert "Enter the tag" in page.unit.notice.text
        assert page.model.index(0, 5).data() == ""
        click(page.start)
        await until(lambda: "things are wrong" in page.fault.text)
        assert not bench.bridge.is_running
        await until(page.start.isEnabled)


async def test_a_taken_port_is_told_with_advice(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", bench.bridge.plan().relay_port)
        async with taken:
            click(page.start)
            text = await until(lambda: page.fault.text)
        assert str(bench.bridge.plan().relay_port) in text
        await until(page.start.isEnabled)


async def test_a_damaged_list_of_choices_is_told_and_left_alone(open_bench: Callable[..., Any], home: Path) -> None:
    async with open_bench(settings=settings()) as bench:
        (bench.bridge.folder).mkdir(parents=True, exist_ok=True)
        (bench.bridge.folder / "choices.json").write_text("[{")
        async with opened(bench) as page:
            assert "damaged" in page.fault.text
            assert not page.start.isEnabled()
            assert not page.add_relay.isEnabled(), "a new choice would overwrite the file"
            page.open(SERIAL)
            assert page.stack.currentIndex() == 0
        assert (bench.bridge.folder / "choices.json").read_text() == "[{"


async def test_a_change_while_it_runs_is_offered_and_taken_up(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        click(page.start)
        await until(lambda: page.chip.text == "Bridging")
        assert not page.restart.isVisible()
        click(page.add_relay)
        typed(page.form.unit, "OLD-8")
        choose(page.form.backend, OURS)
        click(page.form.save)
        assert page.model.index(1, 1).data() == "Not taken up yet"
        assert page.restart.isVisible()
        click(page.restart)
        await until(lambda: len(bench.bridge.status.units) == 2)
        await until(lambda: not page.restart.isVisible())


# The small box


async def test_the_site_file_is_shown_judged_and_saved_without_passwords(
    open_bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        choice = relay(backend="Harbour", security_profile=2)
        bench.vault.set(choice.password_name, Secret("correct horse battery"))
        bench.bridge.choose([choice, relay(unit="OLD-8", identity="NEW-8")])
        page.refresh()
        click(page.export)
        view = page.small_box
        assert "1 unit is bridged to this computer's own endpoint" in view.warning.text
        assert "this computer's own address" in view.address_note.text()
        typed(view.address, "192.168.7.5")
        await until(lambda: 'address = "192.168.7.5"' in view.text.view.toPlainText())
        assert f"ws://192.168.7.5:{bench.bridge.plan().relay_port}/" in view.then.text()
        typed(view.address, "the box")
        await until(lambda: "would refuse this file" in view.fault.text)
        assert not view.save.isEnabled()
        typed(view.address, "192.168.7.5")
        await until(view.save.isEnabled)
        shown = view.text.view.toPlainText()
        assert "correct horse" not in shown
        assert tomllib.loads(shown)["relay"][0]["password"] == "file:secrets/NEW-7.password"
        names = [field.text() for field in view.secrets.findChildren(QLineEdit)]
        assert names == ["secrets/NEW-7.password"]

        async def chosen(*_: object) -> Path:
            return tmp_path / "stick"

        monkeypatch.setattr(garage_bridge_export, "choose_folder", chosen)
        click(view.save)
        await until(lambda: "Written to" in view.outcome.text())
        assert [path.name for path in (tmp_path / "stick").iterdir()] == ["site.toml"]
        await until(view.save.isEnabled)
        view.with_secrets.setChecked(True)
        click(view.save)
        await until(lambda: (tmp_path / "stick" / "secrets" / "NEW-7.password").is_file())
        await until(lambda: "secrets/NEW-7.password" in view.outcome.text())


async def test_each_system_has_its_commands_to_copy(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        click(page.export)
        view = page.small_box
        for index, kind in enumerate(("systemd", "windows", "launchd")):
            view.tabs.setCurrentIndex(index)
            tab = view.recipes[kind]
            assert tab.isVisibleTo(view)
            texts = [field.text for field in tab.commands]
            assert set(bench.bridge.recipe(kind).commands) <= set(texts)
            tab.commands[1].copy()
            assert QGuiApplication.clipboard().text() == texts[1]
        assert "ProgramData\\RehomeBridge" in view.recipes["windows"].commands[0].text
        QTest.keyClick(view.address, Qt.Key.Key_Escape)
        assert page.stack.currentIndex() == 0


# For everybody


async def test_every_control_has_a_name_and_the_keyboard_reaches_it(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        page.form.change(relay(), ())
        page.small_box.opened()
        kinds = (QAbstractButton, QLineEdit, QComboBox)
        found: list[QWidget] = [one for kind in kinds for one in page.findChildren(kind)]
        assert len(found) > 30
        ours = [one for one in found if not one.objectName().startswith("qt_")]
        assert [one for one in ours if not (one.accessibleName() or getattr(one, "text", str)())] == []
        assert isinstance(page.form, UnitForm)
        assert all(one.focusPolicy() is not Qt.FocusPolicy.NoFocus for one in found if isinstance(one, QLineEdit))


async def test_delete_asks_before_a_unit_is_removed(open_bench: Callable[..., Any]) -> None:
    async with open_bench(settings=settings()) as bench, opened(bench) as page:
        bench.bridge.choose([relay()])
        page.refresh()
        page.activateWindow()
        page.table.setFocus()
        await until(page.table.hasFocus)
        QTest.keyClick(page.table, Qt.Key.Key_Delete)
        await answer("keep")
        await until(lambda: not page.tasks.is_running("remove"))
        assert len(bench.bridge.choices) == 1
