"""The console: send any command of the standard to a charger, see its answer, the time it took and what it means."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from app.errors import AppError, JobError, NotSupported, StoreError
from app.jobs import overocpp
from app.model.exchange import Exchange, Favourite
from app.ocpp import actions
from app.ocpp.actions import Action, Situation
from app.ocpp.devicemodel import Variable
from app.ocpp.settings16 import known_keys
from app.ocpp.shown import has_mask, masked
from ui import doors
from ui.dialogs import Button, ask
from ui.models.console import SHOWN_LIMIT, is_unlisted, keys_of, pretty, promised_profiles, raw_payload
from ui.models.plain import visible
from ui.pages import endpoint_change
from ui.pages.endpoint_console_form import Composer
from ui.pages.endpoint_console_sent import SentPanel
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, set_look
from ui.widgets.actiontree import ActionTree

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

TIMEOUT_S = 30
"""How long an answer is waited for."""
MOST_LINES = 200
"""Exchanges shown of one charger."""
MOST_PAYLOADS = 500
"""Requests kept with their passwords, to be sent again while the program runs."""


class Console(QWidget):
    """Commands at the left, the request in the middle, what was sent and answered at the right."""

    exchanged = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, secret_keys: frozenset[str], parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._secret_keys = secret_keys
        self._identity = ""
        self._version = ""
        self._history: dict[str, list[Exchange]] = {}
        self._payloads: dict[tuple[str, datetime], dict[str, Any]] = {}
        self._keys: dict[str, frozenset[str]] = {}
        self._promises: dict[str, frozenset[str]] = {}
        self._models: dict[str, tuple[Variable, ...]] = {}
        self.tree = ActionTree(self)
        self.composer = Composer(bench.now, self._suggest, self)
        self.sent_panel = SentPanel(self)
        self.is_gentle = QCheckBox(self.tr("Mark what it doesn't list"), self)
        self.is_gentle.setToolTip(self.tr("Asks the charger what it supports, and marks the commands it doesn't list"))
        self.form, self.raw, self.raw_action = self.composer.form, self.composer.raw, self.composer.raw_action
        self.is_raw, self.problem, self.send = self.composer.is_raw, self.composer.problem, self.composer.send
        self.lines, self.answer = self.sent_panel.lines, self.sent_panel.answer
        self._build()
        self._connect()

    def _build(self) -> None:
        left = QWidget(self)
        inside = QVBoxLayout(left)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(SPACE_4)
        inside.addWidget(self.tree, 1)
        inside.addWidget(self.is_gentle)
        splitter = QSplitter(Qt.Orientation.Horizontal, self)
        splitter.setChildrenCollapsible(False)
        for widget in (left, self.composer, self.sent_panel):
            splitter.addWidget(widget)
        splitter.setSizes([215, 540, 400])
        splitter.setStretchFactor(1, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.addWidget(splitter)

    def _connect(self) -> None:
        self.tree.picked.connect(self._picked)
        self.tree.wanted.connect(self.form.focus_first)
        self.composer.sent.connect(self.submit)
        self.composer.kept.connect(self._keep)
        self.composer.written.connect(self._written)
        self.sent_panel.again.connect(self._again)
        self.sent_panel.edited.connect(self._edit)
        self.sent_panel.forgotten.connect(self._forget)
        self.is_gentle.toggled.connect(self._gentle)
        shortcut = QKeySequence("Ctrl+Return")
        QShortcut(shortcut, self, self.submit, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._show_favourites()

    # Which charger

    def show_charger(self, identity: str) -> None:
        """Talk to this charger from now on."""
        if identity == self._identity:
            return
        self._identity = identity
        self._take_version(is_other=True)
        self._show_history()
        self._show_promises()
        if self.is_gentle.isChecked():
            self._gentle(True)

    def refresh(self) -> None:
        """Show whether the charger can be talked to at the moment."""
        self._take_version()
        self._show_readiness()

    def _take_version(self, *, is_other: bool = False) -> None:
        endpoint = self._endpoint()
        version = endpoint.version if endpoint is not None else self._version or "1.6"
        if version == self._version and not is_other:
            return
        self._version = version
        self.tree.show_version(version)
        if self.tree.chosen is not None:
            self._picked(self.tree.chosen)

    def _endpoint(self) -> Endpoint | None:
        return self._bench.server.endpoint(self._identity) if self._identity else None

    def situation(self) -> Situation:
        """Return what new forms are filled from."""
        endpoint, now = self._endpoint(), self._bench.now()
        number = int(now.timestamp()) % 1_000_000_000
        if endpoint is None:
            return Situation(now=now, number=number, root=self._root)
        running = [session for session in endpoint.transactions.values() if session.is_running]
        connectors = [place for place in endpoint.statuses if place > 0]
        connector = running[-1].connector if running else min(connectors, default=1)
        nothing: int | str = 0 if endpoint.version == "1.6" else ""
        return Situation(
            now=now,
            connector=connector,
            evse=connector,
            transaction=running[-1].transaction_id if running else nothing,
            tag=(running[-1].tag if running else "") or "REHOME",
            number=number,
            root=self._root,
        )

    def _root(self) -> str:
        try:
            return self._bench.authority.root.pem
        except AppError:  # our certificates can't be read: the field stays empty
            return ""

    def _suggest(self, path: str) -> list[str]:
        """Name what a charger may know by that name: its settings, components and variables."""
        model = self._models.get(self._identity, ())
        if path == "key":
            return sorted(self._keys.get(self._identity, frozenset()) | known_keys().keys())
        if path.endswith("component.name"):
            return sorted({one.name.component for one in model})
        return sorted({one.name.variable for one in model}) if path.endswith("variable.name") else []

    def show_model(self, identity: str, model: tuple[Variable, ...]) -> None:
        """Learn a station's device model: its names are suggested, its controllers are what it lists."""
        self._models[identity] = model
        off = {one.name.component for one in model if one.name.variable == "Available" and one.value == "false"}
        self._promises[identity] = frozenset(one.name.component for one in model) - off
        self._show_promises()

    # Composing

    def _picked(self, choice: Action | Favourite) -> None:
        if isinstance(choice, Favourite):
            payload, _ = raw_payload(choice.request)
            self.composer.show_request(choice.version, choice.action, payload)
        else:
            self.composer.show_action(self._version or "1.6", choice, self.situation())
        self._show_promises()

    def _written(self, text: str) -> None:
        made, problem = self.composer.made()
        self.sent_panel.show_preview(text if problem else pretty(masked(made, self._secret_keys)))
        self._show_readiness()

    def _show_readiness(self) -> None:
        is_possible = not self.composer.made()[1] and self._endpoint() is not None
        self.send.setEnabled(is_possible and not self.is_sending)

    @property
    def is_sending(self) -> bool:
        """Say whether a command to this charger is under way."""
        return self._tasks.is_running(f"send {self._identity}")

    # Sending

    def submit(self) -> None:
        """Send what the form says."""
        self.composer.check()
        if self.send.isEnabled():
            made, _ = self.composer.made()
            if has_mask(made):
                self._tell_masked()
                return
            is_send = self.composer.is_without_answer
            self._start(self.composer.action, made, list(self.composer.breaches), is_send=is_send)

    def _start(self, action: str, made: dict[str, Any], breaches: list[str], *, is_send: bool) -> None:
        sending = self._send(action, made, breaches, is_send=is_send)
        task = self._tasks.start_once(f"send {self._identity}", sending)
        if task is not None:
            task.add_done_callback(self._over)

    def _over(self, _task: object) -> None:
        if doors.is_alive(self):
            self._show_readiness()

    async def _send(self, action: str, made: dict[str, Any], breaches: list[str], *, is_send: bool) -> None:
        endpoint = self._endpoint()
        if endpoint is None or not await self._is_wanted(action, made, breaches):
            return
        exchange = Exchange(
            identity=endpoint.identity,
            version=endpoint.version,
            action=action,
            request=self._shown(made),
            sent_at=self._bench.now(),
            is_send=is_send,
        )
        self._add(exchange)
        done = exchange
        try:
            done = await self._sent(endpoint, made, exchange)
        except AppError as error:
            done = replace(exchange, trouble=f"{error.message} {error.advice}".strip())
        except asyncio.CancelledError:
            done = replace(exchange, trouble=self.tr("Stopped before an answer came."))
            raise
        finally:
            took_s = (self._bench.now() - done.sent_at).total_seconds()
            self._remember(done, made)
            self._settle(exchange, replace(done, took_s=took_s))

    def _remember(self, done: Exchange, made: dict[str, Any]) -> None:
        self._payloads[done.identity, done.sent_at] = made
        if len(self._payloads) > MOST_PAYLOADS:
            del self._payloads[next(iter(self._payloads))]

    async def _sent(self, endpoint: Endpoint, made: dict[str, Any], exchange: Exchange) -> Exchange:
        """Send a command; a change of a known charger's setting with a backup, unless a person does without."""
        unit = endpoint_change.unit_of(self._bench, exchange.identity)
        written = overocpp.written(exchange.action, made)
        if exchange.is_send:
            await endpoint.send(exchange.action, made)
            return replace(exchange, answer="{}")
        if unit is not None and written is not None:
            try:
                answer = await overocpp.change(self._bench, unit, exchange.identity, *written, self._secret_keys)
                return replace(exchange, answer=self._shown(answer))
            except (JobError, NotSupported) as error:
                if not await endpoint_change.is_wanted_bare(self, error):
                    raise
            exchange = replace(exchange, sent_at=self._bench.now())
        answer = await endpoint.call(exchange.action, made, timeout_s=TIMEOUT_S)
        self._learn(exchange, answer)
        return replace(exchange, answer=self._shown(answer))

    async def _is_wanted(self, action: str, made: dict[str, Any], breaches: list[str]) -> bool:
        known = actions.action(self._version, action)
        warning = known.warning if known is not None else ""
        if overocpp.written(action, made) is not None:
            warning = self._change_warning()
        if not warning and not breaches:
            return True
        texts = [warning] if warning else []
        if breaches:
            listed = "\n".join(f"• {visible(breach, 160)}" for breach in breaches[:8])
            texts.append(self.tr("This is against the standard:\n{what}").format(what=listed))
        words = self.tr("Send anyway") if breaches else self.tr("Send {action}").format(action=visible(action, 40))
        role = "danger" if breaches else "primary"
        send, close = Button(key="send", text=words, role=role), Button(key="close", text=self.tr("Cancel"))
        title = f"{known.title if known is not None else visible(action, 64)}?"
        buttons = (close, send) if breaches else (send, close)
        answer = await ask(self, title, "\n\n".join(texts), buttons, icon_name="triangle-alert", tone="attention")
        return answer == "send"

    def _change_warning(self) -> str:
        if endpoint_change.unit_of(self._bench, self._identity) is None:
            return self.tr("This charger is not a known one: no backup is made, and there is no way back.")
        return self.tr(
            "The old value is kept first, and the new one is read back. The way back is in the charger's history."
        )

    def _shown(self, value: dict[str, Any]) -> str:
        return pretty(masked(value, self._secret_keys))[:SHOWN_LIMIT]

    # History

    def _of(self, identity: str) -> list[Exchange]:
        if identity not in self._history:
            self._history[identity] = list(self._bench.store.console.of(identity))
        return self._history[identity]

    def _add(self, exchange: Exchange) -> None:
        lines = self._of(exchange.identity)
        lines.append(exchange)
        del lines[:-MOST_LINES]
        if exchange.identity == self._identity:
            self.sent_panel.show_exchanges(self._of(self._identity), is_new=True)

    def _settle(self, waiting: Exchange, done: Exchange) -> None:
        lines = self._of(waiting.identity)
        place = next((row for row, line in enumerate(lines) if line is waiting), None)
        if place is not None:
            lines[place] = done
        try:
            self._bench.store.console.add(done)
        except StoreError as error:
            doors.report(error, where="console history")
        if not doors.is_alive(self):
            return
        if done.identity == self._identity:
            self._show_history()
        self.exchanged.emit()

    def _show_history(self) -> None:
        self.sent_panel.show_exchanges(self._of(self._identity) if self._identity else [])

    def _payload_of(self, exchange: Exchange) -> dict[str, Any]:
        live = self._payloads.get((exchange.identity, exchange.sent_at))
        return live if live is not None else raw_payload(exchange.request)[0]

    def _again(self, exchange: Exchange) -> None:
        made = self._payload_of(exchange)
        if has_mask(made):
            self._edit(exchange)
            self._tell_masked()
            return
        if self._endpoint() is not None:
            self._start(exchange.action, made, [], is_send=exchange.is_send)

    def _tell_masked(self) -> None:
        """Say why it is not sent: the mask itself would become the charger's password."""
        self.problem.show_text(self.tr("A password is masked here, since it is not kept: type it again."))
        set_look(self.problem, tone="fault")

    def _edit(self, exchange: Exchange) -> None:
        self.composer.show_request(exchange.version, exchange.action, self._payload_of(exchange))
        if exchange.version == self._version:
            self.tree.blockSignals(True)
            self.tree.choose(exchange.action)
            self.tree.blockSignals(False)

    def _forget(self) -> None:
        self._bench.store.console.forget(self._identity)
        self._history[self._identity] = []
        self._show_history()

    # Favourites

    def _show_favourites(self) -> None:
        self.tree.show_favourites(self._bench.store.console.favourites())

    def _keep(self) -> None:
        self._tasks.start_once("keep favourite", self._keeping(), busy=self.composer.keep)

    async def _keeping(self) -> None:
        chosen = self.tree.chosen
        if isinstance(chosen, Favourite) and not self.composer.made()[1]:
            buttons = (Button(key="keep", text=self.tr("Keep it")), Button(key="drop", text=self.tr("Drop it")))
            text = self.tr("“{title}” is a favourite.").format(title=visible(chosen.title, 80))
            if await ask(self, self.tr("Favourite"), text, buttons, icon_name="pin") == "drop":
                self._bench.store.console.drop(chosen.title)
                self._show_favourites()
            return
        made, problem = self.composer.made()
        if problem:
            return
        action = self.composer.action
        known = actions.action(self._version, action)
        title = f"{known.title if known is not None else action} · {_gist(masked(made, self._secret_keys))}"
        self._bench.store.console.keep(
            Favourite(title=title.strip(" ·")[:120], version=self._version, action=action, request=self._shown(made))
        )
        self._show_favourites()

    # Gentle mode

    def _gentle(self, is_on: bool) -> None:
        if is_on and self._identity not in self._promises and self._endpoint() is not None:
            self._tasks.start_once(f"features {self._identity}", self._ask_features(), busy=self.is_gentle)
        self._show_promises()

    async def _ask_features(self) -> None:
        endpoint = self._endpoint()
        if endpoint is None:
            return
        if endpoint.version == "1.6":
            keys = ["SupportedFeatureProfiles", "SecurityProfile"]
            answer = await endpoint.call("GetConfiguration", {"key": keys}, timeout_s=TIMEOUT_S)
            promised = promised_profiles(answer)
        else:
            self.show_model(endpoint.identity, await endpoint.device_model())
            return
        if promised is not None:
            self._promises[endpoint.identity] = promised
        self._show_promises()

    def _learn(self, exchange: Exchange, answer: dict[str, Any]) -> None:
        if exchange.action != "GetConfiguration":
            return
        self._keys[exchange.identity] = self._keys.get(exchange.identity, frozenset()) | keys_of(answer)
        promised = promised_profiles(answer)
        if promised is not None:
            self._promises[exchange.identity] = promised | self._promises.get(exchange.identity, frozenset())
            self._show_promises()

    def _show_promises(self) -> None:
        promises = self._promises.get(self._identity) if self.is_gentle.isChecked() else None
        self.tree.show_promises(promises)
        chosen = self.tree.chosen
        self.composer.show_mark(isinstance(chosen, Action) and is_unlisted(chosen, promises))


def _gist(made: dict[str, Any]) -> str:
    """Name a request by its plain values."""
    plain = [str(value) for value in made.values() if isinstance(value, str | int | float) and str(value)]
    return visible(" ".join(plain), 60)
