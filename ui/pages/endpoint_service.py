"""What the services of one charger share on screen: whom they speak to, one order at a time, the outcome in words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.errors import AppError
from ui import icons
from ui.doors import is_alive
from ui.models.plain import visible_lines
from ui.tasks import Tasks
from ui.theme import SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.flow import Flow
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

TEXT_LIMIT = 1_000


class ServicePage(QWidget):
    """One service. Subclasses fill ``body`` and start orders with ``order``; its outcome stands in ``result``."""

    title: ClassVar[str] = ""
    icon_name: ClassVar[str] = ""
    only_versions: ClassVar[tuple[str, ...]] = ("1.6", "2.0.1", "2.1")

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self.bench = bench
        self.tasks = tasks
        self.identity = ""
        self._outcomes: dict[str, tuple[str, str]] = {}
        self._senders: list[QPushButton] = []
        self.setAccessibleName(self.tr(self.title))
        self.body = QVBoxLayout()
        self.body.setSpacing(SPACE_8)
        self.result = plain_label(self, "", is_wrapped=True)
        self.result.setAccessibleName(self.tr("Outcome"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self.body, 1)
        layout.addWidget(self.result)
        self.build()

    def build(self) -> None:
        """Fill ``body``."""

    def show_state(self) -> None:
        """Show what is known of the charger; called twice a second while in sight."""

    def charger_changed(self) -> None:
        """Forget what belongs to the charger before."""

    # Whom

    @property
    def endpoint(self) -> Endpoint | None:
        """Return the charger's connection, if it is there."""
        return self.bench.server.endpoint(self.identity) if self.identity else None

    def show_charger(self, identity: str) -> None:
        """Serve this charger from now on."""
        if identity == self.identity:
            return
        self.identity = identity
        self.charger_changed()
        self._show_outcome()
        self.refresh()

    def refresh(self) -> None:
        """Show how things are, and what can be ordered now."""
        endpoint = self.endpoint
        is_free = endpoint is not None and not self.is_busy and endpoint.version in self.only_versions
        for button in self._senders:
            button.setEnabled(is_free)
        self.show_state()

    # Ordering

    @property
    def _task(self) -> str:
        return f"{type(self).__name__} {self.identity}"

    @property
    def is_busy(self) -> bool:
        """Say whether an order to this charger is under way here."""
        return self.tasks.is_running(self._task)

    def order(self, run: Callable[[Endpoint], Coroutine[Any, Any, tuple[str, str]]], *, asks: bool = False) -> None:
        """Start an order; it returns its outcome in words, and a tone (``good``, ``attention``, ``fault``).

        ``asks``: it puts a question first, and calls ``waiting`` when it is answered.
        """
        endpoint = self.endpoint
        if endpoint is None or self.is_busy:
            return
        if asks:
            self.say(self.identity, "", "")
        else:
            self.waiting(self.identity)
        task = self.tasks.start_once(self._task, self._run(self.identity, run(endpoint)))
        if task is not None:
            task.add_done_callback(self._ended)
        self.refresh()

    def _ended(self, _: object) -> None:
        if is_alive(self):
            self.refresh()

    def waiting(self, identity: str) -> None:
        """Say that the charger is to answer now."""
        self.say(identity, self.tr("Waiting for the charger …"), "")

    def stop(self) -> None:
        """Give up the order under way."""
        self.tasks.cancel(self._task)

    async def _run(self, identity: str, work: Coroutine[Any, Any, tuple[str, str]]) -> None:
        text, tone = self.tr("Given up."), "attention"
        try:
            text, tone = await work
        except AppError as error:
            text, tone = f"{error.message} {error.advice}", "fault"
        finally:
            self.say(identity, text, tone)

    def say(self, identity: str, text: str, tone: str) -> None:
        """Show an outcome, at the charger it belongs to."""
        self._outcomes[identity] = (visible_lines(text[:TEXT_LIMIT]), tone)
        if len(self._outcomes) > 200:
            del self._outcomes[next(iter(self._outcomes))]
        self._show_outcome()

    def _show_outcome(self) -> None:
        text, tone = self._outcomes.get(self.identity, ("", ""))
        self.result.setText(text)
        self.result.setVisible(bool(text))
        set_look(self.result, tone=tone)

    # Parts

    def order_button(
        self, text: str, run: Callable[[], object], *, icon_name: str = "", is_primary: bool = False
    ) -> QPushButton:
        """Make a button that is alive while the charger can be ordered about."""
        button = QPushButton(text, self)
        if is_primary:
            set_role(button, "primary")
        if icon_name:
            icons.dress(button, icon_name, "accent_text" if is_primary else "text2")
        button.clicked.connect(run)
        self._senders.append(button)
        return button

    def row(self, *widgets: QWidget | int) -> QHBoxLayout:
        """Lay widgets side by side; a number is a stretch."""
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for widget in widgets:
            if isinstance(widget, int):
                row.addStretch(widget)
            else:
                row.addWidget(widget)
        return row

    def flow(self, *widgets: QWidget) -> Flow:
        """Lay widgets side by side, on as many lines as the width needs."""
        flow = Flow()
        for widget in widgets:
            flow.addWidget(widget)
        return flow

    def note(self, text: str) -> QWidget:
        """Make a line of explanation."""
        label = plain_label(self, "subtle", is_wrapped=True)
        label.setText(text)
        return label

    def form(self) -> QFormLayout:
        """Make an empty form."""
        form = QFormLayout()
        form.setSpacing(SPACE_8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        return form


def verdict(status: str, text: str) -> tuple[str, str]:
    """Turn a status and its meaning into an outcome."""
    return text, "good" if status == "Accepted" else "attention"
