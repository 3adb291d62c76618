"""Build the console's forms and the device model's tree: how long the window stands still for each.

Run ``python tests/bench/bench_console.py``. Printed: milliseconds until a form is built and painted (schema read for the
first time, median of the largest ones, and with every optional field), until a device model of 2,000 variables is shown,
searched and compared. Wanted: the largest form in at most 100 ms.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtWidgets import QApplication, QWidget

from app.ocpp import actions, forms, schema
from app.ocpp.actions import Situation
from app.ocpp.devicemodel import Variable, VariableName
from app.ocpp.forms import Field, Kind
from ui.models.devicemodel import DeviceModel
from ui.theme import theme
from ui.widgets.formleaf import FormWords
from ui.widgets.formview import FormView
from ui.widgets.variabletree import VariableTree

LARGEST = (("2.1", "SetChargingProfile"), ("2.1", "SetVariableMonitoring"), ("1.6", "SetChargingProfile"))
VARIABLES = 2000


def now() -> datetime:
    return datetime.now(UTC)


def whole(field: Field) -> Any:
    """Fill in every field there is."""
    if field.kind is Kind.GROUP:
        return {child.name: whole(child) for child in field.fields if child.name != "customData"}
    if field.kind is Kind.LIST and field.item is not None:
        return [whole(field.item)]
    return forms.blank(field)


def timed_ms(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    QApplication.processEvents()
    return (time.perf_counter() - began) * 1000


def told(name: str, values: list[float]) -> None:
    print(f"{name}: {statistics.median(values):.1f} ms median, {max(values):.1f} ms worst of {len(values)}", flush=True)


def measure_forms(rounds: int) -> None:
    window = QWidget()
    window.resize(560, 480)
    view = FormView(FormWords(help=lambda field: field.help, now=now), window)
    view.resize(560, 480)
    window.show()
    QApplication.processEvents()
    for version, name in LARGEST:
        first, again, full = [], [], []
        for _ in range(rounds):
            forms.form.cache_clear()
            first.append(timed_ms(Build(view, version, name)))
            again.append(timed_ms(Build(view, version, name)))
            full.append(timed_ms(Build(view, version, name, is_whole=True)))
        told(f"{version} {name}, schema read", first)
        told(f"{version} {name}, schema known", again)
        told(f"{version} {name}, every optional field", full)
    window.close()


class Build:
    """Builds the form of one action."""

    def __init__(self, view: FormView, version: str, name: str, *, is_whole: bool = False) -> None:
        self.view, self.version, self.name, self.is_whole = view, version, name, is_whole

    def __call__(self) -> None:
        form, known = forms.form(self.version, self.name), actions.action(self.version, self.name)
        assert form is not None
        assert known is not None
        start = actions.start(known, Situation(now=now(), number=1, transaction="tx"))
        self.view.show_form(form, whole(form) if self.is_whole else start)


def measure_every_form(rounds: int) -> None:
    """Build the form of every command once, as somebody does who walks down the list."""
    window = QWidget()
    view = FormView(FormWords(help=lambda field: field.help, now=now), window)
    window.show()
    for version in schema.FOLDERS:
        names = [known.name for known in actions.commands(version)][: None if rounds > 1 else 5]
        told(f"{version}, every command", [timed_ms(Build(view, version, name)) for name in names])
    window.close()


def variables(shift: int) -> list[Variable]:
    return [
        Variable(
            name=VariableName(component=f"Component{number // 20}", variable=f"Variable{number}", evse=number % 4),
            type="integer",
            unit="s",
            value=str(number + (shift if number % 10 == 0 else 0)),
            min=0,
            max=10_000,
        )
        for number in range(VARIABLES)
    ]


def measure_model(rounds: int) -> None:
    window = QWidget()
    window.resize(1100, 480)
    tree = VariableTree(window)
    tree.resize(1100, 480)
    window.show()
    model: DeviceModel = tree.model
    shown, searched, compared = [], [], []
    for turn in range(rounds):
        model.compare(None)
        model.show(text="")
        these = variables(turn)
        before = {one.name.text: one.value for one in variables(turn + 1)}
        shown.append(timed_ms(functools.partial(model.show_variables, these)))
        searched.append(timed_ms(functools.partial(model.show, text="variable19")))
        model.show(text="")
        compared.append(timed_ms(functools.partial(model.compare, before)))
    told(f"device model of {VARIABLES:,} variables shown", shown)
    told(f"device model of {VARIABLES:,} variables searched", searched)
    told(f"device model of {VARIABLES:,} variables compared", compared)
    window.close()


def main(argv: list[str]) -> int:
    rounds = 1 if "--smoke" in argv else 15
    app = QApplication.instance() or QApplication([])
    theme()
    measure_forms(rounds)
    measure_every_form(rounds)
    measure_model(rounds)
    del app
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
