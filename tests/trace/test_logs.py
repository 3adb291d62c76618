"""Text logs of common backends, line by line as their sources write them (``app.trace.dialects`` names the files)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import StoreError
from app.model.frame import Direction, Frame, FrameKind
from app.trace.judging import TraceJudge
from tests.trace.trace_kit import read

BOOT = '[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
ANSWER = '[3,"1",{"currentTime":"2024-01-15T10:00:00.300Z","interval":300,"status":"Accepted"}]'
RESET = '[2,"77","Reset",{"type":"Soft"}]'
DONE = '[3,"77",{"status":"Accepted"}]'
EVENT = '[2,"9","TransactionEvent",{"eventType":"Started"}]'
MESSAGES = (BOOT, ANSWER, RESET, DONE, EVENT)
SIDES = (Direction.IN, Direction.OUT, Direction.OUT, Direction.IN, Direction.IN)

_STEVE = "[INFO ] 2024-01-15 11:00:0{n},223 de.rwth.idsg.steve.ocpp.ws.WebSocketLogger (qtp1-54) - [chargeBoxId=CP1, sessionId=6f1-a] {word}: {text}"
_PYTHON = "2024-01-15 11:00:0{n},223 INFO:ocpp:CP1: {word} {text}"
_HOME = "2024-01-15 11:00:0{n}.223 INFO (MainThread) [ocpp] CP1: {word} {text}"
_GO = 'time="2024-01-15T11:00:0{n}+01:00" level=debug msg="{word} CP1: {quoted}" logger=ocppj'
_GO_TTY = "DEBU[2024-01-15T11:00:0{n}+01:00] {word} CP1: {text}  logger=ocppj"
_EVCC = "[ocpp  ] TRACE 2024/01/15 11:00:0{n} {word} CP1: {text}"
_PINO = '{{"level":30,"time":17053128{n}0223,"identifier":"CP1","direction":"{word}","msg":"frame","frame":{text}}}'
_LOOSE = "Jan 15 2024-01-15T11:00:0{n}+0100 station_id=CP1 {word} {text}"

LOGS = {
    "SteVe log": (_STEVE, ("Received", "Sending")),
    "mobilityhouse/ocpp log (Python, Home Assistant)": (_PYTHON, ("receive message", "send")),
    "mobilityhouse/ocpp log (Python, Home Assistant) ": (_HOME, ("receive message", "send")),
    "ocpp-go log (also evcc)": (_GO, ("received JSON message from", "sent JSON message to")),
    "ocpp-go log (also evcc) ": (_GO_TTY, ("received JSON message from", "sent JSON message to")),
    "ocpp-go log (also evcc)  ": (_EVCC, ("recv", "send")),
    "JSON log lines": (_PINO, ("in", "out")),
    "text log with OCPP messages": (_LOOSE, ("<-", "->")),
}


def log(template: str, words: tuple[str, str]) -> list[str]:
    return [
        template.format(n=place, word=words[side is Direction.OUT], text=text, quoted=text.replace('"', '\\"'))
        for place, (text, side) in enumerate(zip(MESSAGES, SIDES, strict=True))
    ]


def frames_of(path: Path, text: str | bytes) -> list[Frame]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [entry for entry in read(path)[0] if isinstance(entry, Frame)]


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_recognised_and_read(tmp_path: Path, name: str):
    path = tmp_path / "backend.log"
    path.write_text("starting up\n" + "\n".join(log(*LOGS[name])) + "\nTraceback: something else\n")
    entries, info = read(path)
    frames = [entry for entry in entries if isinstance(entry, Frame)]
    assert info.dialect == name.strip()
    assert [json.loads(frame.text) for frame in frames] == [json.loads(text) for text in MESSAGES]
    assert tuple(frame.direction for frame in frames) == SIDES
    assert [frame.action for frame in frames] == ["BootNotification"] * 2 + ["Reset"] * 2 + ["TransactionEvent"]
    assert {frame.identity for frame in frames} == {"CP1"}
    assert (info.unread, info.lines) == (2, 7)
    assert frames[0].at.replace(microsecond=0, second=0) == datetime(2024, 1, 15, 10, 0, tzinfo=UTC)


def test_connections_of_steve_are_told_apart(tmp_path: Path):
    line = "[WARN ] 2024-01-15 11:00:00,123 d.r.i.s.o.w.WebSocketLogger (q) - [chargeBoxId=CP1, sessionId=a] {}"
    boots = log(_STEVE, ("Received", "Sending"))[:2]
    up, down = (
        line.format("Connection is established"),
        line.format("Connection is closed, status: CloseStatus[code=1006, reason=null]"),
    )
    frames = frames_of(tmp_path / "a.log", "\n".join([up, *boots, down, up, *boots]))
    assert [frame.connection for frame in frames] == [1, 1, 2, 2]
    assert read(tmp_path / "a.log")[1].unread == 0


def test_a_message_over_several_lines_is_put_together(tmp_path: Path):
    blocks = []
    for place, (text, side) in enumerate(zip(MESSAGES, SIDES, strict=True)):
        way = "ChargePoint>CentralSystem" if side is Direction.IN else "CentralSystem>ChargePoint"
        pretty = json.dumps(json.loads(text), indent=2)
        blocks.append(f"2024-01-15T10:00:0{place}.000Z: {way} Something \n{pretty}\n\n")
    head = "2024-01-15T09:59:59.000Z: SYS> Session logging started. \n\n\n"
    path = tmp_path / "ocpp.log"
    frames = frames_of(path, head + "".join(blocks))
    assert [json.loads(frame.text) for frame in frames] == [json.loads(text) for text in MESSAGES]
    assert tuple(frame.direction for frame in frames) == SIDES
    assert read(path)[1].dialect == "EVerest libocpp log"


def test_a_log_of_the_charger_itself_is_turned_round(tmp_path: Path):
    words = ("send", "receive message")
    frames = frames_of(tmp_path / "cp.log", "\n".join(log(_PYTHON, words)))
    assert tuple(frame.direction for frame in frames) == SIDES


def test_a_log_without_directions_takes_them_from_the_messages(tmp_path: Path):
    frames = frames_of(tmp_path / "x.log", "\n".join(MESSAGES))
    assert tuple(frame.direction for frame in frames) == SIDES
    assert "no time" in read(tmp_path / "x.log")[1].clock


def test_a_log_in_local_time_is_set_right_by_the_backends_own_answers(tmp_path: Path):
    frames = frames_of(tmp_path / "x.log", "\n".join(log(_HOME, ("receive message", "send"))))
    assert frames[0].at.hour == 10
    assert read(tmp_path / "x.log")[1].clock.startswith("+1 h")


def test_a_windows_log_in_utf16_is_read(tmp_path: Path):
    text = "\r\n".join(log(_STEVE, ("Received", "Sending")))
    assert len(frames_of(tmp_path / "x.log", text.encode("utf-16"))) == 5


def test_broken_messages_of_a_log_are_kept_and_judged(tmp_path: Path):
    lines = log(_STEVE, ("Received", "Sending"))
    lines.append(lines[4].replace('"eventType":"Started"}]', '"eventType":'))
    frames = frames_of(tmp_path / "x.log", "\n".join(lines))
    judging = TraceJudge()
    for frame in frames:
        judging.take(frame)
    assert frames[-1].kind in (FrameKind.BROKEN, FrameKind.CALL)
    assert "JSON-BROKEN" in judging.judgement.codes


def test_a_log_without_ocpp_is_refused_in_words(tmp_path: Path):
    path = tmp_path / "x.log"
    path.write_text("2024-01-15 INFO nothing here\n" * 50)
    with pytest.raises(StoreError, match="no OCPP message"):
        read(path)


@pytest.mark.parametrize(
    "line",
    ["x" * 3_000_000, "a: " * 1_000_000, 'msg="[2,\\"' + '\\"' * 1_000_000, "[2," * 1_000_000, "[" + " " * 3_000_000],
    ids=["word", "colons", "quotes", "brackets", "blanks"],
)
def test_a_line_made_to_be_slow_is_not(tmp_path: Path, line: str):
    path = tmp_path / "x.log"
    path.write_text(LOGS["text log with OCPP messages"][0].format(n=1, word="<-", text=BOOT) + f"\n{line}\n")
    began = time.process_time()
    read(path)
    assert time.process_time() - began < 5
