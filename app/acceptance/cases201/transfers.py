"""Logs and firmware (OCPP 2.0.1 part 2, N01, L01, L02), over this computer's file service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.acceptance.cases201.asking import HEARTBEAT, case201, selector
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import stamp

UPLOAD_S = 120.0
NO_FIRMWARE = b"Rehome acceptance test: this is no firmware. Nothing is to be installed.\n" * 32
FAILED_LOG = ("UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied")
ENDS_LOG = ("Uploaded", *FAILED_LOG)
FAILED_UPDATE = ("DownloadFailed", "InstallationFailed", "InvalidSignature", "InstallVerificationFailed")
ENDS_UPDATE = ("Installed", *FAILED_UPDATE)
DEAD = 9
"""The port at which nobody listens (discard, RFC 863)."""


def speaks_http(facts: Facts) -> str:
    """Need a station that moves files over HTTP, where it tells what it can (OCPPCommCtrlr.FileTransferProtocols)."""
    told = facts.settings.get("OCPPCommCtrlr.FileTransferProtocols")
    if told is None or not told.items or "HTTP" in {item.upper() for item in told.items}:
        return ""
    return f"It moves files over {', '.join(sorted(told.items))} alone, not over HTTP."


def _words(told: list[str]) -> str:
    return ", ".join(told)


def judge_log(take: Take) -> Iterator[Check]:
    """Look at the answer, the course and the file."""
    for ask in take.asked("GetLog")[:1]:
        yield must("GetLog is accepted (N01)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status != "Accepted":
            return
        number = ask.request.get("requestId")
        told = take.heard("LogStatusNotification", lambda m: m.text("status") != "Idle")
        words = _words([message.text("status") for message in told])
        seqs = list(map(seq_of, told))
        yield must("LogStatusNotification tells how it goes", bool(told), words, *seqs)
        if not told:
            return
        strange = [message for message in told if message.get("requestId") != number]
        yield must("and names our request", not strange, f"{number}", *map(seq_of, strange))
        yield must("It ends with Uploaded", told[-1].text("status") == "Uploaded", words, *seqs)
        came = [mark for mark in take.marked("file") if mark.facts.get("stage") == "done"]
        sizes = ", ".join(f"{mark.facts.get('name')}: {mark.facts.get('bytes')} bytes" for mark in came)
        yield must("A file arrives here", bool(came), sizes)
        yield should("and is not empty", any(mark.facts.get("bytes", "0") != "0" for mark in came) or not came, sizes)


async def _log(stage: Stage, kind: str, number: int) -> None:
    async with stage.expecting(f"acceptance {kind}") as location:
        payload = {"logType": kind, "requestId": number, "retries": 0, "log": {"remoteLocation": location}}
        if (await stage.offered("GetLog", payload)).status == "Accepted":
            await stage.heard("LogStatusNotification", where=lambda m: m.text("status") in ENDS_LOG, within_s=UPLOAD_S)
            await stage.until(lambda: any(m.facts.get("stage") == "done" for m in stage.take.marked("file")), 5)


@case201(
    "A201-DIAG-01",
    "The diagnostics log arrives on this computer",
    "OCPP 2.0.1 N01",
    judge=judge_log,
    budget_s=160,
    needs=[speaks_http],
)
async def diagnostics(stage: Stage) -> None:
    """Ask for the diagnostics log, and take the file in."""
    await _log(stage, "DiagnosticsLog", 41_011)


@case201(
    "A201-DIAG-02",
    "The security log arrives on this computer",
    "OCPP 2.0.1 N01",
    judge=judge_log,
    budget_s=160,
    needs=[speaks_http],
)
async def security_log(stage: Stage) -> None:
    """Ask for the security log, and take the file in."""
    await _log(stage, "SecurityLog", 41_012)


def judge_dead_log(take: Take) -> Iterator[Check]:
    """Look that no upload is claimed that can't be."""
    for ask in take.asked("GetLog")[:1]:
        yield must("GetLog is answered (N01)", ask.is_answered, ask.status, *ask.seqs)
        if ask.status != "Accepted":
            return
        told = take.heard("LogStatusNotification", lambda m: m.text("status") != "Idle")
        states = [message.text("status") for message in told]
        yield must("LogStatusNotification tells how it goes", bool(told), _words(states), *map(seq_of, told))
        yield must("It does not claim to have uploaded", "Uploaded" not in states, _words(states), *map(seq_of, told))
        is_told = bool({*states} & {*FAILED_LOG})
        yield should("and says UploadFailure", is_told, _words(states), *map(seq_of, told))


@case201(
    "A201-DIAG-03",
    "A log for a dead address: it says so",
    "OCPP 2.0.1 N01; “Accepted is not applied”",
    judge=judge_dead_log,
    budget_s=160,
    needs=[speaks_http],
)
async def dead_log(stage: Stage) -> None:
    """Ask for the diagnostics log at an address of this computer where nobody listens."""
    log = {"remoteLocation": f"http://{_host(stage)}:{DEAD}/rehome"}
    payload = {"logType": "DiagnosticsLog", "requestId": 41_013, "retries": 0, "log": log}
    if (await stage.offered("GetLog", payload)).status == "Accepted":
        await stage.heard("LogStatusNotification", where=lambda m: m.text("status") in ENDS_LOG, within_s=UPLOAD_S)


def _host(stage: Stage) -> str:
    return stage.facts.handshake.local.rpartition(":")[0] or "127.0.0.1"


def judge_no_firmware(take: Take) -> Iterator[Check]:
    """Look that the file is fetched, refused, and the station still there."""
    for ask in take.asked("UpdateFirmware")[:1]:
        yield must("UpdateFirmware is answered (L02)", ask.is_answered, ask.status, *ask.seqs)
        if ask.status != "Accepted":
            yield should("An unsigned file may be refused at once", ask.status == "Rejected", ask.status, *ask.seqs)
            return
    told = take.heard("FirmwareStatusNotification", lambda m: m.text("status") != "Idle")
    states = [message.text("status") for message in told]
    seqs = list(map(seq_of, told))
    yield must("FirmwareStatusNotification tells how it goes", bool(told), _words(states), *seqs)
    if not told:
        return
    fetched = [mark for mark in take.marked("file") if mark.facts.get("stage") == "done"]
    if {"Downloaded", "Installed"} & {*states}:
        yield must("What it calls Downloaded went over this line", bool(fetched), _words(states), *seqs)
    yield must("A file that is no firmware is not Installed", "Installed" not in states, _words(states), *seqs)
    yield should("It says what failed", bool({*FAILED_UPDATE} & {*states}), _words(states), *seqs)
    for question in take.asked("GetVariables")[-1:]:
        yield must("and the station goes on", question.answer is not None, question.status, *question.seqs)


@case201(
    "A201-FW-01",
    "A file that is no firmware is not installed",
    "OCPP 2.0.1 L02",
    judge=judge_no_firmware,
    budget_s=300,
    person=True,
    idle=True,
    needs=[speaks_http],
)
async def no_firmware(stage: Stage) -> None:
    """Offer a small text file as firmware, and follow what becomes of it."""
    await stage.person("firmware")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        image = Path(folder) / "rehome-no-firmware.bin"
        image.write_bytes(NO_FIRMWARE)
        async with stage.offering(image, "acceptance firmware") as location:
            await _update(stage, location, 41_014)


def judge_dead_address(take: Take) -> Iterator[Check]:
    """Look that nothing is claimed that can't be."""
    for ask in take.asked("UpdateFirmware")[:1]:
        yield must("UpdateFirmware is answered (L02)", ask.is_answered, ask.status, *ask.seqs)
        if ask.status != "Accepted":
            yield should("An unsigned update may be refused at once", ask.status == "Rejected", ask.status, *ask.seqs)
            return
    told = take.heard("FirmwareStatusNotification", lambda m: m.text("status") != "Idle")
    states = [message.text("status") for message in told]
    seqs = list(map(seq_of, told))
    yield must("FirmwareStatusNotification tells how it goes", bool(told), _words(states), *seqs)
    is_honest = not {"Downloaded", "Installing", "Installed"} & {*states}
    yield must("It does not claim to have fetched what is not there", is_honest, _words(states), *seqs)
    yield should("and says DownloadFailed", "DownloadFailed" in states, _words(states), *seqs)


@case201(
    "A201-FW-02",
    "Firmware from a dead address: it says so",
    "OCPP 2.0.1 L02; “Accepted is not applied”",
    judge=judge_dead_address,
    budget_s=200,
    idle=True,
    needs=[speaks_http],
)
async def dead_address(stage: Stage) -> None:
    """Offer an update at an address of this computer where nobody listens."""
    await _update(stage, f"http://{_host(stage)}:{DEAD}/rehome-no-firmware.bin", 41_015)


async def _update(stage: Stage, location: str, number: int) -> None:
    firmware = {"location": location, "retrieveDateTime": stamp(stage.now())}
    reply = await stage.offered("UpdateFirmware", {"requestId": number, "firmware": firmware, "retries": 0})
    if reply.status != "Accepted":
        return
    await stage.heard("FirmwareStatusNotification", where=lambda m: m.text("status") in ENDS_UPDATE, within_s=150)
    await stage.call("GetVariables", {"getVariableData": [selector(HEARTBEAT)]})
