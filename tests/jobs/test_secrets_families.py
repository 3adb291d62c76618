"""A move and its undo at a charger of each family, with logins and passwords looked for in everything left of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.commands.console import plain
from app.driver.capability import ExportsLog, ReadsSettings, WritesSettings
from app.errors import AppError
from app.jobs.editing import EditDesk
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.job import JobState, StepKind
from app.model.profile import Timing
from app.model.secret import Secret
from app.model.setting import Change
from app.report.build import build
from app.report.text import html, json_text
from app.sim.alfen import AlfenStation
from app.sim.backend import NewBackend
from app.sim.openocpp import OpenOcppUnit
from app.sim.peblar import PeblarCharger
from app.sim.smartevse import SmartEvseUnit
from app.sim.warp import WarpWallbox
from app.sim.wattpilot import WattpilotUnit
from app.storage.vault import MemoryVault
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive
from tests.jobs.test_secrets import LOGIN, NEW, OLD, assert_clean, logged

__all__ = ["logged"]

pytestmark = pytest.mark.timeout(90)
SCALE = 0.01
DEAD = "ws://127.0.0.1:1/dead"
PATIENT = Timing(restart_s=0.3, redial_s=0.2, patience_s=3.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One charger: how it is made, who logs in, whether it takes a backend's password, and a secret to edit."""

    make: Callable[[], Any]
    user: str = ""
    takes_password: bool = True
    secret_key: str = ""


def _warp() -> WarpWallbox:
    held = {"url": DEAD, "identity": "OLD-1", "enable": True, "enable_auth": True, "pass": OLD}
    return WarpWallbox(time_scale=SCALE, ocpp=held, login=("admin", LOGIN))


def _alfen(firmware: str) -> AlfenStation:
    return AlfenStation(firmware, time_scale=SCALE, password=LOGIN)


def _smart() -> SmartEvseUnit:
    held = {"mode": True, "backend_url": DEAD, "cb_id": "OLD-1", "auth_key": OLD}
    return SmartEvseUnit(time_scale=SCALE, ocpp=held)


FAMILIES = {
    "warp": Family(_warp, user="admin", secret_key="ocpp/config/pass"),
    "alfen": Family(lambda: _alfen("6.6.0-4252"), secret_key="2723_1"),
    "alfen-http": Family(lambda: _alfen("4.9.0-4156"), takes_password=False),
    "smartevse": Family(_smart, secret_key="ocpp_auth_key"),
    "openocpp": Family(
        lambda: OpenOcppUnit(time_scale=SCALE, url=DEAD, identity="OLD-1", password=OLD + OLD, transition_s=60.0)
    ),
    "peblar": Family(lambda: PeblarCharger(time_scale=SCALE, password=LOGIN), takes_password=False),
    "wattpilot": Family(
        lambda: WattpilotUnit(time_scale=SCALE, keys={"ocppe": True, "ocppu": f"{DEAD}/OLD-1"}, password=LOGIN),
        takes_password=False,
    ),
}


def word(name: str) -> str:
    """Return the backend's password; OpenOCPP keeps none below 16 characters."""
    return NEW + NEW if name == "openocpp" else NEW


async def _edited(bench: MiniBench, key: str) -> list[str]:
    """Write a secret by hand, as a person does on the settings page, and a value the charger refuses."""
    desk = EditDesk(store=bench.store, vault=bench.vault, bench=bench, jobs=bench.desk, scope=bench.scope)
    said = []
    async with bench.open("u1", capability=WritesSettings) as session:
        said.append(repr(await session.ask(ReadsSettings).read_settings()))
        if session.has(ExportsLog):
            said.append(await session.ask(ExportsLog).read_log())
        for value in (NEW, NEW * 40) if key else ():
            change = Change(key=key, before=None, after=value, is_secret=True)
            said.append(repr(change))
            try:
                said.append(repr(await desk.edit("u1", session, change, has_consent=True)))
            except AppError as error:
                said.append(f"{error!r} {error.message} {error.advice}")
        said.append(repr(session))
    return [*said, repr(desk.edits("u1"))]


async def _moved(bench: MiniBench, backend: Backend, out: Path) -> list[str]:
    job = await drive(bench, bench.desk.create("u1").id, backend, skips=[StepKind.SESSION])
    assert job.state is JobState.DONE, facts({job.id: job})
    bench.desk.undo(job.id)
    job = await bench.desk.finished(job.id)
    assert job.state is JobState.UNDONE, facts({job.id: job})
    events = bench.store.jobs.events(job.id)
    report = build(
        job, events, store=bench.store, unit=bench.finder.units["u1"], registry=bench.registry, version="test"
    )
    out.mkdir()
    (out / "report.html").write_text(html(report), encoding="utf-8")
    (out / "report.json").write_text(json_text(report), encoding="utf-8")
    told = [repr(job), repr(events), json.dumps(plain(job)), repr(bench.store.backups.load(job.id)), repr(report)]
    return [*told, repr(bench.finder.units)]


@pytest.mark.parametrize("name", FAMILIES)
async def test_no_password_of_a_family_is_left_anywhere(
    tmp_path: Path, logged: list[str], allowed_log: Any, name: str
) -> None:
    allowed_log("")
    family, vault = FAMILIES[name], MemoryVault()
    vault.set("charger/127.0.0.1/user", Secret(family.user))
    vault.set("charger/127.0.0.1/password", Secret(LOGIN))
    password = word(name) if family.takes_password else ""
    level = SecurityProfile.BASIC if password else SecurityProfile.NONE
    with Recorder(tmp_path / "recording.jsonl") as recorder:
        async with (
            NewBackend({"NEW-1": password}) as new,
            family.make() as unit,
            MiniBench(tmp_path, vault=vault, timing=PATIENT) as bench,
        ):
            bench.links._recorder = recorder
            await bench.add(unit.address)
            backend = Backend(url=new.url, identity="NEW-1", security_profile=level, secret=Secret(password))
            said = await _edited(bench, family.secret_key)
            said += await _moved(bench, backend, tmp_path / "out")
            said += [repr(backend), repr(bench.links), repr(recorder)]
    for number, text in enumerate([*said, *logged]):
        assert_clean(f"item {number}", text)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {".db", ".jsonl", ".html", ".json"} <= {file.suffix for file in files}
    for file in files:
        assert_clean(file.name, file.read_bytes())
