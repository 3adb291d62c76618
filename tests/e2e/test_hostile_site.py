"""A good charger is rehomed through the window while everything around it misbehaves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QAbstractItemView, QLabel, QTextEdit, QWidget

from app.model.job import JobState
from app.scope import Scope
from app.sim.rapi import RapiController
from tests.e2e.kit import Visit, until
from tests.e2e.test_window_mouse import write

Visiting = Callable[..., AbstractAsyncContextManager[Visit]]
pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("mdns")]
"""Not beside the flood of the mDNS tests: this neighbourhood is loud enough."""
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 12
GROWTH_KB = 200 * 1024
NOISE = bytes(range(256)) * 64


def resident_kb() -> int:
    """The memory this process has now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def hostile(text: object) -> bool:
    return isinstance(text, str) and ("<img" in text or "<b>" in text)


def rendered(root: QWidget) -> list[str]:
    """List what shows a charger's text as markup: labels, tool tips, documents, cells."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        if hostile(widget.toolTip()) and Qt.mightBeRichText(widget.toolTip()):
            found.append(f"tool tip of {widget}: {widget.toolTip()}")
        if isinstance(widget, QLabel) and hostile(widget.text()) and widget.textFormat() is not Qt.TextFormat.PlainText:
            found.append(f"{widget}: {widget.text()}")
        if isinstance(widget, QTextEdit) and any("evil.example" in part for part in _pictures(widget.document())):
            found.append(f"{widget}")
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            found += _tool_tips(widget.model())
    return found


def _pictures(document: QTextDocument) -> list[str]:
    html = document.toHtml()
    return html.split("<img")[1:]


def _tool_tips(model: QAbstractItemModel) -> list[str]:
    tips = []
    for row in range(min(model.rowCount(), 300)):
        for column in range(COLUMNS):
            tip = model.index(row, column).data(Qt.ItemDataRole.ToolTipRole)
            if hostile(tip) and Qt.mightBeRichText(tip):
                tips.append(f"{model}: {tip}")
    return tips


def shows(root: QWidget) -> str:
    """All texts of labels and cells."""
    texts = [label.text() for label in root.findChildren(QLabel)]
    for view in root.findChildren(QAbstractItemView):
        model: Any = view.model()
        for row in range(min(model.rowCount(), 500) if model else 0):
            texts += [str(model.index(row, column).data() or "") for column in range(COLUMNS)]
    return "\n".join(texts)


@asynccontextmanager
async def neighbour(url: str, *ports: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The siege, in a process of its own; every fake charger must have been asked in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.hostile", url, *map(str, ports), cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
        out, _ = await asyncio.wait_for(process.communicate(b""), 60)
        assert all(int(word) for word in out.split()), f"some fake charger was never asked: {out!r}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_a_good_job_finishes_amid_hostile_neighbours(visiting: Visiting, allowed_log: Any) -> None:
    allowed_log("aiohttp.server: Error handling request")  # the simulated charger's own web server says so
    async with visiting() as at, AsyncExitStack() as stack:
        unit = await at.found("openevse-wifi")
        before_kb = resident_kb()
        noisy = await stack.enter_async_context(RapiController(time_scale=0.02, mcu_id="NOISE"))
        state = at.bench.server.state
        foe = await stack.enter_async_context(neighbour(state.url, state.port, at.garage.gateway.address.port))
        ports = [int(word) for word in (await foe.stdout.readline()).split()]
        async with Scope("adding") as scope:
            addresses = [*(f"127.0.0.1:{port}" for port in ports), noisy.port]
            adding = {scope.isolated(address, add(at, address)) for address in addresses}
            for _ in range(20):
                noisy.noise(NOISE)
                at.garage.controller.noise(NOISE)
            await at.press_next_step(unit)
            await write(at)
            await until(lambda: at.job.is_final or not at.is_working)
            assert (await at.stopped()).state is JobState.DONE, at.job.steps
            async with asyncio.timeout(40):
                assert await foe.stdout.readline() == b"done\n"
                await asyncio.wait(adding)
        assert resident_kb() - before_kb < GROWTH_KB, f"{(resident_kb() - before_kb) / 1024:.0f} MB more"
        for page_id in ("site", "endpoint", "garage", "traffic", "jobs", "chargers", "settings"):
            at.rail(page_id)
            await until(lambda: at.page.is_shown)
            assert not rendered(at.window), page_id
        named = [found for found in at.bench.finder.units.values() if "<img" in found.title]
        assert named, "no hostile name came through; this test tests nothing"
        for found in named[:3]:
            at.window.go("unit", found.unit_id)
            await until(lambda: "<img" in shows(at.window))
            assert not rendered(at.window)


async def add(at: Visit, text: str) -> None:
    """Add an address as a person would; that it can't be used is told, not raised further."""
    from app.errors import AppError

    try:
        await at.bench.finder.add(text)
    except AppError as error:
        assert error.advice
