"""What the console's tests share: a page on a real endpoint, and chargers of every version played by ``websockets``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import websockets
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget

from ui.dialogs import Question
from ui.pages.endpoint import EndpointPage
from ui.pages.endpoint_console import Console

LIMIT_S = 10
BOOTS = {
    "1.6": {"chargePointVendor": "Vendor <b>", "chargePointModel": "Model", "firmwareVersion": "1.2"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor <b>", "model": "Model"}},
}
PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
Answer = Callable[[Any, str, dict[str, Any]], Any]


async def until(wanted: Callable[[], Any]) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while not (found := wanted()):  # noqa: ASYNC110  # Qt has no event to wait for
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def opened(bench: Any) -> AsyncIterator[EndpointPage]:
    await bench.server.start("127.0.0.1", 0)
    page = EndpointPage(bench)
    page.resize(1180, 672)
    page.show()
    try:
        yield page
    finally:
        await page.tasks.stop()
        page.close()
        page.deleteLater()


@asynccontextmanager
async def charger(
    bench: Any, identity: str = "CP-1", *, version: str = "1.6", answers: dict[str, Any] | None = None
) -> AsyncIterator[list[Any]]:
    """Connect a charger that boots and answers our calls from a table; yields the calls it got.

    An answer is a payload, a list (a CALLERROR's last three parts), or a coroutine function of link, id and payload
    that answers by itself.
    """
    url = f"ws://127.0.0.1:{bench.server.state.port}/{identity}"
    got: list[Any] = []
    async with websockets.connect(url, compression=None, subprotocols=[PROTOCOLS[version]]) as link:
        boot = BOOTS["1.6" if version == "1.6" else "2.0.1"]
        await link.send(json.dumps([2, "b", "BootNotification", boot]))
        await asyncio.wait_for(link.recv(), LIMIT_S)

        async def answer() -> None:
            async for text in link:
                message = json.loads(text)
                if message[0] == 6:
                    got.append(message[2:])
                elif message[0] == 2:
                    got.append(message[2:])
                    await reply(link, message, (answers or {}).get(message[2], {"status": "Accepted"}))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(answer())
            try:
                yield got
            finally:
                task.cancel()


async def reply(link: Any, message: list[Any], answer: Any) -> None:
    if callable(answer):
        await answer(link, message[1], message[3])
        return
    kind = [4, message[1], *answer] if isinstance(answer, list) else [3, message[1], answer]
    await link.send(json.dumps(kind))


def asked(got: list[Any], action: str) -> list[Any]:
    """Return what was asked of the charger under one action (discovery reads its settings as well)."""
    return [call[1] for call in got if call[0] == action]


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def press(parent: QWidget, name: str) -> None:
    await until(lambda: [box for box in parent.findChildren(Question) if box.isVisible()])
    click(parent.findChild(QPushButton, f"answer-{name}"))


async def selected(page: EndpointPage, identity: str) -> Console:
    await until(lambda: page.model.row_of(identity) is not None)
    page.show_charger(identity)
    await until(lambda: page.unit.identity == identity and page.unit.isVisible())
    return page.unit.console
