"""``rehome call``, started as a user starts it, with a charger that is not our code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.e2e.test_headless import LIMIT_S, rehome

pytestmark = pytest.mark.timeout(120)
BOOTS = {
    "ocpp1.6": {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "S1"},
    "ocpp2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M", "serialNumber": "S1"}},
}
Answers = dict[str, Callable[[dict[str, Any]], Any]]


@asynccontextmanager
async def dialling(port: int, protocol: str, answers: Answers) -> AsyncIterator[list[Any]]:
    """Dial again and again, as a charger does, until the program listens; yields the calls it got."""
    got: list[Any] = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_dial(port, protocol, answers, got))
        try:
            yield got
        finally:
            task.cancel()


async def _dial(port: int, protocol: str, answers: Answers, got: list[Any]) -> None:
    while True:
        try:
            async with connect(f"ws://127.0.0.1:{port}/CP-1", subprotocols=[Subprotocol(protocol)]) as link:
                await link.send(json.dumps([2, "b", "BootNotification", BOOTS[protocol]]))
                async for text in link:
                    await _reply(link, json.loads(text), answers, got)
        except (OSError, ConnectionClosed):  # nobody listens yet, or the program ends in the middle of our word
            await asyncio.sleep(0.05)


async def _reply(link: ClientConnection, message: list[Any], answers: Answers, got: list[Any]) -> None:
    if message[0] != 2:
        return
    got.append(message[2:])
    answer = answers.get(message[2], lambda _: {"status": "Accepted"})(message[3])
    await link.send(json.dumps([4, message[1], *answer] if isinstance(answer, list) else [3, message[1], answer]))
    if message[2] == "GetBaseReport":
        part = {"requestId": message[3]["requestId"], "generatedAt": "2026-11-22T16:00:00Z", "seqNo": 0, "tbc": False}
        await link.send(json.dumps([2, "r", "NotifyReport", part]))


async def call(tmp_path: Path, port: int, *words: str, stdin: str = "") -> tuple[int, Any, str]:
    where = ("--json", "--home", str(tmp_path), "--host", "127.0.0.1", "--port", str(port))
    async with asyncio.timeout(LIMIT_S):
        return await rehome("call", "CP-1", *words, *where, stdin=stdin)


async def test_answer_and_its_meaning_are_printed(tmp_path: Path, free_port: int) -> None:
    refuse = {"TriggerMessage": lambda _: {"status": "NotImplemented"}}
    async with dialling(free_port, "ocpp1.6", refuse) as got:
        code, value, _ = await call(tmp_path, free_port, "TriggerMessage", '{"requestedMessage": "Heartbeat"}')
    assert code == 1
    assert ["TriggerMessage", {"requestedMessage": "Heartbeat"}] in got
    assert value["answer"] == {"status": "NotImplemented"}
    assert value["statuses"][0]["meaning"].startswith("The charger doesn't know this message")


async def test_danger_and_nonsense_need_a_word_and_nothing_was_sent(tmp_path: Path, free_port: int) -> None:
    async with dialling(free_port, "ocpp1.6", {}) as got:
        code, _, told = await call(tmp_path, free_port, "Reset", '{"type": "Hard"}')
        assert (code, "--yes" in told) == (4, True)
        code, _, told = await call(tmp_path, free_port, "Reset", '{"type": "Sideways"}', "--yes")
        assert code == 2
        assert "type: Must be one of Hard, Soft." in told
        code, _, told = await call(tmp_path, free_port, "Reset", "[1]")
        assert (code, "must be an object" in told) == (2, True)
        assert not [sent for sent in got if sent[0] == "Reset"]
        code, value, _ = await call(
            tmp_path, free_port, "Reset", "-", "--yes", "--anyway", stdin='{"type": "Sideways"}'
        )
    assert (code, value["version"]) == (0, "1.6")
    assert ["Reset", {"type": "Sideways"}] in got


async def test_setting_is_written_with_a_backup_and_read_back(tmp_path: Path, free_port: int) -> None:
    kept = {"HeartbeatInterval": "60"}

    def write(payload: dict[str, Any]) -> dict[str, Any]:
        kept[payload["key"]] = payload["value"]
        return {"status": "Accepted"}

    def read(_: dict[str, Any]) -> dict[str, Any]:
        return {"configurationKey": [{"key": key, "readonly": False, "value": value} for key, value in kept.items()]}

    words = ("ChangeConfiguration", '{"key": "HeartbeatInterval", "value": "30"}', "--yes")
    async with dialling(free_port, "ocpp1.6", {"GetConfiguration": read, "ChangeConfiguration": write}):
        code, value, _ = await call(tmp_path, free_port, *words)
    assert code == 0
    assert value["answer"]["readBack"] == {"key": "HeartbeatInterval", "value": "30"}


async def test_reports_of_2_0_1_are_collected(tmp_path: Path, free_port: int) -> None:
    async with dialling(free_port, "ocpp2.0.1", {}):
        code, value, _ = await call(tmp_path, free_port, "GetBaseReport", "--reports")
    assert (code, value["version"], value["reports"][0]["tbc"]) == (0, "2.0.1", False)


async def test_charger_that_never_dials_has_its_own_code(tmp_path: Path, free_port: int) -> None:
    code, _, told = await call(tmp_path, free_port, "ClearCache", "--yes", "--wait", "0.1")
    assert (code, "did not dial" in told) == (3, True)
