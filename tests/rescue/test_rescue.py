"""What a dead backend never got is folded from frames, written without personal data, and drained until dry."""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from app.errors import StoreError
from app.model.frame import Direction, Frame, FrameKind
from app.ocpp.endpoint import Endpoint
from app.rescue.draining import Drained, drain
from app.rescue.files import Ledger, csv_text, json_text, write
from app.rescue.sessions import sessions
from app.scope import Scope
from tests.ocpp.endpoint_kit import BOOT, Site, site

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = bytes(range(16))


class Tape:
    """Writes frames as the endpoint publishes them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._uids = itertools.count(1)

    def ask(self, action: str, payload: dict[str, Any], answer: dict[str, Any] | None = None) -> None:
        uid = str(next(self._uids))
        self._add(Direction.IN, FrameKind.CALL, uid, action, [2, uid, action, payload])
        self._add(Direction.OUT, FrameKind.RESULT, uid, action, [3, uid, answer or {}])

    def _add(self, way: Direction, kind: FrameKind, uid: str, action: str, message: list[Any]) -> None:
        seq = len(self.frames) + 1
        self.frames.append(
            Frame(
                seq=seq,
                at=NOW + timedelta(seconds=seq),
                identity="CP1",
                connection=1,
                direction=way,
                text=json.dumps(message),
                kind=kind,
                uid=uid,
                action=action,
            )
        )


def start(tag: str = "04A1B2C3", at: str = "2026-10-01T08:00:00Z") -> dict[str, Any]:
    return {"connectorId": 1, "idTag": tag, "timestamp": at, "meterStart": 1000}


def sample(at: str, wh: int) -> dict[str, Any]:
    return {"timestamp": at, "sampledValue": [{"value": str(wh), "unit": "Wh"}]}


def test_a_session_kept_for_a_dead_backend_is_whole() -> None:
    tape = Tape()
    tape.ask("StartTransaction", start(), {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    tape.ask(
        "MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": [sample("2026-10-01T09:00:00Z", 4000)]}
    )
    stop = {"transactionId": 7, "timestamp": "2026-10-01T10:00:00Z", "meterStop": 9000, "reason": "EVDisconnected"}
    tape.ask("StopTransaction", stop)
    (session,) = sessions(tape.frames)
    assert (session.state, session.energy_wh, session.transaction) == ("complete", 8000, "7")
    assert session.is_replayed
    assert session.reason == "EVDisconnected"
    assert session.samples == 1


def test_a_start_told_three_times_is_one_session() -> None:
    tape = Tape()
    for number in (7, 8, 9):
        tape.ask("StartTransaction", start(), {"transactionId": number, "idTagInfo": {"status": "Accepted"}})
    (session,) = sessions(tape.frames)
    assert session.repeats == 2
    assert session.state == "open"


def test_a_stop_of_the_old_backends_transaction_stands_without_start() -> None:
    tape = Tape()
    values = [sample("2026-10-01T09:00:00Z", 2000), sample("2026-10-01T09:10:00Z", 3500)]
    tape.ask("MeterValues", {"connectorId": 2, "transactionId": 99, "meterValue": values})
    tape.ask("StopTransaction", {"transactionId": 99, "timestamp": "2026-10-01T10:00:00Z", "meterStop": 5000})
    (session,) = sessions(tape.frames)
    assert (session.state, session.connector) == ("without start", 2)
    assert session.energy_wh == 3000  # what the samples show at least


def test_an_unset_clock_is_told_not_believed() -> None:
    tape = Tape()
    tape.ask("StartTransaction", start(at="1970-01-01T00:00:10Z"), {"transactionId": 7, "idTagInfo": {}})
    (session,) = sessions(tape.frames)
    assert not session.has_believable_times


def event(number: int, kind: str, wh: float | None = None, **more: Any) -> dict[str, Any]:
    contexts = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": f"2026-10-01T08:0{number}:00Z",
        "triggerReason": "Authorized",
        "seqNo": number,
        "offline": True,
        "transactionInfo": {"transactionId": "T1"},
        **more,
    }
    if wh is not None:
        value = {"value": wh, "context": contexts.get(kind, "Sample.Periodic")}
        payload["meterValue"] = [{"timestamp": payload["timestamp"], "sampledValue": [value]}]
    return payload


def test_a_2x_session_names_the_events_never_heard() -> None:
    tape = Tape()
    token = {"idToken": "04A1B2C3", "type": "ISO14443"}
    tape.ask("TransactionEvent", event(0, "Started", 100, idToken=token, evse={"id": 2, "connectorId": 1}))
    tape.ask("TransactionEvent", event(1, "Updated", 150))
    tape.ask("TransactionEvent", event(1, "Updated", 150))
    tape.ask("TransactionEvent", event(4, "Ended", 900))
    (session,) = sessions(tape.frames)
    assert (session.state, session.energy_wh, session.connector) == ("complete", 800, 2)
    assert (session.repeats, session.missing) == (1, 2)
    assert session.is_replayed


def test_files_hold_the_energy_and_no_card() -> None:
    tape = Tape()
    tape.ask("StartTransaction", start("=cmd()"), {"transactionId": 7, "idTagInfo": {}})
    tape.ask("StartTransaction", start("04A1B2C3", "2026-10-02T08:00:00Z"), {"transactionId": 8, "idTagInfo": {}})
    tape.ask("StopTransaction", {"transactionId": 8, "timestamp": "2026-10-02T09:00:00Z", "meterStop": 3000})
    ledger = Ledger(identity="CP1", serial="SN", made_at=NOW, is_dry=True, sessions=sessions(tape.frames))
    text, document = csv_text(ledger, KEY), json.loads(json_text(ledger, KEY))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["energy_wh"] for line in lines] == ["", "2000.0"]
    assert document["energy_wh"] == 2000
    for secret in ("04A1B2C3", "cmd()"):
        assert secret not in text
        assert secret not in json_text(ledger, KEY)
    assert lines[0]["card"] != lines[1]["card"]
    assert csv_text(ledger, KEY) != csv_text(ledger, bytes(16))


def test_a_folder_that_takes_nothing_leaves_nothing(tmp_path: Path) -> None:
    ledger = Ledger(identity="CP1", serial="", made_at=NOW, is_dry=True, sessions=())
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError):
        write(ledger, KEY, tmp_path / "taken", "CP1")
    paths = write(ledger, KEY, tmp_path / "out", "CP1")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)


async def test_a_queue_is_drained_until_nothing_old_comes() -> None:
    async with site() as here, dialled(here) as (link, endpoint):
        await link.send(json.dumps([2, "1", "BootNotification", BOOT]))
        await link.recv()
        steps: list[Drained] = []

        async def tell() -> None:
            for day in range(1, 6):
                payload = start(at=f"2026-10-0{day}T08:00:00Z")
                await link.send(json.dumps([2, f"k{day}", "StartTransaction", payload]))
                assert json.loads(await link.recv())[0] == 3

        async with Scope("unit") as scope:
            scope.required("queue", tell())
            found = await drain(endpoint, quiet_s=0.3, told=steps.append)
        assert (found.is_dry, found.messages) == (True, 5)
        assert len(steps) == 5


async def test_a_unit_that_hangs_up_is_not_called_dry() -> None:
    async with site() as here, dialled(here) as (link, endpoint), Scope("unit") as scope:
        scope.required("hang up", link.close())
        found = await drain(endpoint, quiet_s=5)
        assert (found.is_dry, found.is_gone) == (False, True)


@asynccontextmanager
async def dialled(here: Site) -> AsyncIterator[tuple[ClientConnection, Endpoint]]:
    async with websockets.connect(f"{here.url}CP1", subprotocols=[Subprotocol("ocpp1.6")]) as link:
        yield link, await here.server.arrival("CP1", timeout_s=5)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@x", "\t=1", "\r=1"])
def test_nothing_a_charger_says_becomes_a_formula(text: str) -> None:
    tape = Tape()
    tape.ask("StartTransaction", start(), {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    ledger = Ledger(identity=text, serial="", made_at=NOW, is_dry=True, sessions=sessions(tape.frames))
    (row,) = csv.DictReader(io.StringIO(csv_text(ledger, KEY), newline=""))
    assert row["identity"] == f"'{text}"


async def test_numbers_beyond_64_bits_do_not_end_the_drain() -> None:
    async with site() as here, websockets.connect(f"{here.url}/CP-9", subprotocols=[Subprotocol("ocpp1.6")]) as link:
        endpoint = await here.server.arrival("CP-9", timeout_s=5)
        async with Scope("test") as scope:
            seen = asyncio.Event()
            task = scope.required("drain", drain(endpoint, quiet_s=5, told=lambda _: seen.set()))
            await asyncio.sleep(0)
            # The comma has it read with patience, by a reader without bounds for numbers.
            stamp = '"timestamp":"2020-01-01T00:00:00Z"'
            await link.send(f'[2,"1","StopTransaction",{{"transactionId":{10**30},"meterStop":1,{stamp},}}]')
            async with asyncio.timeout(5):
                await seen.wait()
            await link.close()
            assert (await task).messages == 1
