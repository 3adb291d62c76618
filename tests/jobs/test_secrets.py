"""A whole job in the demo garage, with the passwords looked for in everything that is left of it."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import re
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.commands.console import Console, plain
from app.commands.work import Answers, drive
from app.errors import AppError
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, JobState
from app.model.secret import Secret
from app.settings import Settings
from app.sim.garage import DemoGarage, demo
from app.workbench import Workbench

NEW = "Zq7#pässw/rd&+"
"""The new backend's password: every escaping changes something in it."""
OLD = "Vx4-old&secret"
LOGIN = "Kj8=web=login!"
UNIT = "STALL-01"


class _Everything(logging.Handler):
    """Keeps every record of every level, with its traceback; not those of the simulators' own libraries."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("websockets.client", "websockets.server", "app.sim")):
            return
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.texts.append(f"{record.getMessage()} {record.args!r} {trace}")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    root, collector = logging.getLogger(), _Everything()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(collector)
    yield collector.texts
    root.removeHandler(collector)
    root.setLevel(level)


def spellings(password: str) -> Iterator[bytes]:
    """Every form in which the password may stand somewhere, also inside of any base64."""
    yield from (form.encode() for form in Secret(password).spellings())
    raw = password.encode()
    yield from (raw, password.encode("latin-1"), password.encode("utf-16-le"), raw.hex(" ").encode())
    yield base64.b64encode(f"{UNIT}:{password}".encode())
    for shift in range(3):
        # The part of the base64 that does not depend on what stands before and after.
        yield base64.b64encode(b"\0" * shift + raw)[4 * bool(shift) : (len(raw) + shift) // 3 * 4]
        yield base64.urlsafe_b64encode(b"\0" * shift + raw)[4 * bool(shift) : (len(raw) + shift) // 3 * 4]


def assert_clean(where: str, content: bytes | str) -> None:
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    for password in (NEW, OLD, LOGIN):
        for form in spellings(password):
            at = content.find(form)
            assert at < 0, f"{where} holds a password as {form!r}: …{content[max(0, at - 60) : at + 60]!r}…"


def unpacked(content: bytes) -> bytes:
    """A PDF's streams, inflated."""
    parts = [content]
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            parts.append(zlib.decompressobj().decompress(match[1]))
        except zlib.error:
            continue
    return b"".join(parts)


class _Spy(DemoGarage):
    """The demo garage, with passwords that can be told from everything else."""

    def __init__(self, *, time_scale: float) -> None:
        super().__init__(time_scale=time_scale)
        for identity in self.identities:
            self.backend.provision(identity, NEW)
        self.gateway.config["ocpp_authkey"] = OLD.encode().hex()
        self.gateway.config["ocpp_chargeBoxId"] = UNIT
        self.gateway.config["www_username"], self.gateway.config["www_password"] = "admin", LOGIN


async def _moved_and_undone(bench: Workbench, unit_id: str, out: Path) -> tuple[Job, list[str]]:
    said: list[str] = []
    job_id = bench.desk.create(unit_id).id
    with bench.desk.changes.subscribe() as changes, bench.desk.progress.subscribe() as progress:
        backend = Backend(
            url=bench.settings.presets[0].url,
            identity=UNIT,
            security_profile=SecurityProfile.BASIC,
            secret=Secret(NEW),
        )
        job = await drive(bench, job_id, Answers(backend=backend, accepts_doors=True), Console(is_json=True))
        said.append(repr(backend))
        assert job.state is JobState.DONE, job
        await bench.save_report(job_id, out)
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        await bench.save_report(job_id, out / "undone")
        said += [repr(item) for item in (*changes.take(), *progress.take())]
    return job, said


async def _errors_of(bench: Workbench, unit_id: str) -> list[str]:
    """What exceptions say, with the tracebacks a crash report would show."""
    told = []
    backend = Backend(url="ws://127.0.0.1:1", identity=UNIT, security_profile=SecurityProfile.BASIC, secret=Secret(NEW))
    for wrong in (lambda: bench.desk.choose("no-such-job", backend), lambda: pickle.dumps(backend.secret)):
        try:
            wrong()
        except (AppError, TypeError) as error:
            told.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    return told


async def test_no_password_is_left_anywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
    capsys: pytest.CaptureFixture[str],
    allowed_log: Any,
):
    allowed_log("")
    garages: list[_Spy] = []

    def spied(**options: Any) -> _Spy:
        garages.append(_Spy(**options))
        return garages[-1]

    monkeypatch.setattr("app.sim.garage.DemoGarage", spied)
    home, out = tmp_path / "data", tmp_path / "out"
    with Recorder(home / "recording.jsonl") as recorder:
        async with demo(Settings(), home=home, time_scale=0.1) as bench:
            bench.links._recorder = recorder
            bench.vault.set("charger/127.0.0.1/user", Secret("admin"))
            bench.vault.set("charger/127.0.0.1/password", Secret(LOGIN))
            frames, findings = bench.frames.subscribe(100_000), bench.findings.subscribe(10_000)
            unit = await bench.finder.add(str(garages[0].gateway.address))
            job, said = await _moved_and_undone(bench, unit.unit_id, out)
            assert job.state is JobState.UNDONE, job
            said += await _errors_of(bench, job.unit_id)
            said += [repr(frame) for frame in frames.take()] + [repr(finding) for finding in findings.take()]
            said += [repr(knock) for knock in bench.server.knock_list]
            said += [repr(end.handshake) for end in bench.server.endpoints.values()]
            said += [repr(bench.store.jobs.events(job.id)), repr(job), json.dumps(plain(job), ensure_ascii=False)]
            said += [repr(bench.finder.units), json.dumps(plain(dict(bench.finder.units)))]
            said += [repr(bench.store.backups.load(job.id)), repr(bench.report(job.id)), bench.report_html(job.id)]
            frames.close()
            findings.close()
    for number, text in enumerate(said):
        assert_clean(f"item {number}", text)
    for text in logged:
        assert_clean("the log", text)
    printed = capsys.readouterr()
    assert_clean("what was printed", printed.out + printed.err)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    names = {file.suffix for file in files}
    assert {".db", ".jsonl", ".html", ".json", ".pdf"} <= names
    assert "•••" in (home / "recording.jsonl").read_text(encoding="utf-8"), "there was something to hide"
    for file in files:
        assert_clean(file.name, unpacked(file.read_bytes()))
