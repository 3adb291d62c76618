"""Diagnostics, logs and firmware (OCPP 1.6 §4.4, §4.5, §5.9, §5.19; SEC16 N01), over this computer's file service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.acceptance.case import case
from app.acceptance.cases16.asking import claims, has_security
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should
from app.model.transfer import Carrier
from app.ocpp.v16 import stamp

FILES = claims("FirmwareManagement")
FIRST_S = 40.0
"""How long a unit may take to say that it has begun [OURS]."""
UPLOAD_S = 80.0
TOLD = "FirmwareStatusNotification"
NO_FIRMWARE = b"Rehome acceptance test: this is no firmware. Nothing is to be installed.\n" * 32


def _judge_course(take: Take, action: str, good: str, bad: tuple[str, ...]) -> Iterator[Check]:
    told = take.heard(action, lambda message: message.text("status") != "Idle")
    words = ", ".join(message.text("status") for message in told)
    yield must(f"{action} tells how it goes", bool(told), words, *map(seq_of, told))
    if told:
        yield must(f"It ends with {good}", told[-1].text("status") == good, words, *map(seq_of, told))
        yield must("and tells no failure", not {m.text("status") for m in told} & set(bad), words, *map(seq_of, told))


def _judge_file(take: Take) -> Iterator[Check]:
    came = [mark for mark in take.marked("file") if mark.facts.get("stage") == "done"]
    sizes = ", ".join(f"{mark.facts.get('name')}: {mark.facts.get('bytes')} bytes" for mark in came)
    yield must("A file arrives here", bool(came), sizes)
    yield should("and is not empty", any(mark.facts.get("bytes", "0") != "0" for mark in came) or not came, sizes)


def judge_diagnostics(take: Take) -> Iterator[Check]:
    """Look at the answer, the course and the file."""
    for ask in take.asked("GetDiagnostics")[-1:]:
        yield must("GetDiagnostics is answered (§5.9)", ask.is_answered, ask.status, *ask.seqs)
        name = ask.answer.text("fileName") if ask.answer else ""
        yield must("with the name of a file", bool(name), f"“{name}”", *ask.seqs)
        if name:
            yield from _judge_course(take.after(ask), "DiagnosticsStatusNotification", "Uploaded", ("UploadFailed",))
            yield from _judge_file(take)


@case(
    "A16-DIAG-01",
    "Diagnostics arrive on this computer",
    "OCPP 1.6 §4.4, §5.9",
    judge=judge_diagnostics,
    budget_s=160,
    needs=[FILES],
)
async def diagnostics(stage: Stage) -> None:
    """Ask for diagnostics, and take the file in; over FTP and HTTP where the unit does not say which it can."""
    for carrier in carriers(stage.facts):
        async with stage.expecting("acceptance diagnostics", carrier) as location:
            reply = await stage.call("GetDiagnostics", {"location": location, "retries": 0})
            if reply.answer is None or not reply.answer.text("fileName"):
                return
            await _followed(stage, "DiagnosticsStatusNotification", ("Uploaded", "UploadFailed"))
            told = stage.take.after(reply).heard("DiagnosticsStatusNotification")
            if any(message.text("status") == "Uploaded" for message in told):
                return


def carriers(facts: Facts) -> tuple[Carrier, ...]:
    """Return how files may travel: as claimed, else FTP, which most old units know, then HTTP."""
    claimed = facts.settings.get("SupportedFileTransferProtocols")
    if claimed is None or not claimed.items:
        return (Carrier.FTP, Carrier.HTTP)
    named = {item.upper() for item in claimed.items}
    return (Carrier.HTTP,) if "HTTP" in named else (Carrier.FTP,)


def judge_log(take: Take) -> Iterator[Check]:
    """Look at the answer, the course and the file."""
    for ask in take.asked("GetLog")[:1]:
        yield must("GetLog is accepted (SEC16 N01)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status == "Accepted":
            yield from _judge_course(take, "LogStatusNotification", "Uploaded", ("UploadFailure", "BadMessage"))
            yield from _judge_file(take)


@case(
    "A16-DIAG-02",
    "The security log arrives on this computer",
    "SEC16 N01",
    judge=judge_log,
    budget_s=160,
    needs=[has_security],
)
async def log(stage: Stage) -> None:
    """Ask for the security log, and take the file in."""
    async with stage.expecting("acceptance security log") as location:
        payload = {"logType": "SecurityLog", "requestId": 41_011, "retries": 0, "log": {"remoteLocation": location}}
        if (await stage.offered("GetLog", payload)).status == "Accepted":
            await _followed(stage, "LogStatusNotification", ("Uploaded", "UploadFailure", "BadMessage"))


async def _followed(stage: Stage, action: str, ends: tuple[str, ...]) -> bool:
    """Wait for the end of a transfer; false where nothing was told of it at all."""
    first = await stage.heard(action, where=lambda message: message.text("status") != "Idle", within_s=FIRST_S)
    if first is None:
        return False
    await stage.heard(action, where=lambda message: message.text("status") in ends, within_s=UPLOAD_S)
    await stage.until(lambda: any(mark.facts.get("stage") == "done" for mark in stage.take.marked("file")), 5)
    return True


def judge_no_firmware(take: Take) -> Iterator[Check]:
    """Look that the file is fetched, refused, and the unit still there."""
    for ask in take.asked("UpdateFirmware")[:1]:
        yield must("UpdateFirmware is answered (§5.19)", ask.is_answered, ask.status, *ask.seqs)
        if not ask.is_answered:
            return
    told = take.heard("FirmwareStatusNotification", lambda message: message.text("status") != "Idle")
    words = ", ".join(message.text("status") for message in told)
    yield must("FirmwareStatusNotification tells how it goes (§4.5)", bool(told), words, *map(seq_of, told))
    if not told:
        return
    states = [message.text("status") for message in told]
    fetched = [mark for mark in take.marked("file") if mark.facts.get("stage") == "done"]
    if "Downloaded" in states or "Installed" in states:
        yield must("What it calls Downloaded went over this line", bool(fetched), words, *map(seq_of, told))
    yield must("A file that is no firmware is not Installed", "Installed" not in states, words, *map(seq_of, told))
    yield should(
        "It says InstallationFailed or DownloadFailed",
        bool({"InstallationFailed", "DownloadFailed"} & {*states}),
        words,
        *map(seq_of, told),
    )
    for question in take.asked("GetConfiguration")[-1:]:
        yield must("and the charger goes on", question.answer is not None, question.status, *question.seqs)


@case(
    "A16-FW-01",
    "A file that is no firmware is not installed",
    "OCPP 1.6 §4.5, §5.19, FirmwareStatus",
    judge=judge_no_firmware,
    budget_s=300,
    person=True,
    idle=True,
    needs=[FILES],
)
async def no_firmware(stage: Stage) -> None:
    """Offer a small text file as firmware, and follow what becomes of it."""
    await stage.person("firmware")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        image = Path(folder) / "rehome-no-firmware.bin"
        image.write_bytes(NO_FIRMWARE)
        for carrier in carriers(stage.facts):
            async with stage.offering(image, "acceptance firmware", carrier) as location:
                if await _update(stage, location):
                    return


def judge_dead_address(take: Take) -> Iterator[Check]:
    """Look that nothing is claimed that can't be."""
    for ask in take.asked("UpdateFirmware")[:1]:
        yield must("UpdateFirmware is answered (§5.19)", ask.is_answered, ask.status, *ask.seqs)
        if not ask.is_answered:
            return
    told = take.heard("FirmwareStatusNotification", lambda message: message.text("status") != "Idle")
    states = [message.text("status") for message in told]
    words = ", ".join(states)
    yield must("FirmwareStatusNotification tells how it goes (§4.5)", bool(told), words, *map(seq_of, told))
    is_honest = not {"Downloaded", "Installing", "Installed"} & {*states}
    yield must("It does not claim to have fetched what is not there", is_honest, words, *map(seq_of, told))
    yield should("and says DownloadFailed", "DownloadFailed" in states, words, *map(seq_of, told))


@case(
    "A16-FW-02",
    "Firmware from a dead address: it says so",
    "OCPP 1.6 §4.5, FirmwareStatus; “Accepted is not applied”",
    judge=judge_dead_address,
    budget_s=200,
    idle=True,
    needs=[FILES],
)
async def dead_address(stage: Stage) -> None:
    """Offer an update at an address of this computer where nobody listens."""
    host = stage.facts.handshake.local.rpartition(":")[0] or "127.0.0.1"
    await _update(stage, f"http://{host}:9/rehome-no-firmware.bin")


async def _update(stage: Stage, location: str) -> bool:
    """Offer an image and follow it to its end; false where nothing was told of it at all."""
    since = stage.last_seq
    reply = await stage.call("UpdateFirmware", {"location": location, "retrieveDate": stamp(stage.now()), "retries": 0})
    if not reply.is_answered:
        return True
    first = await stage.heard(TOLD, where=lambda message: message.text("status") != "Idle", within_s=FIRST_S)
    if first is not None:
        ends = ("InstallationFailed", "DownloadFailed", "Installed")
        await stage.heard(TOLD, where=lambda m: m.text("status") in ends, within_s=150, since=since)
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})
    return first is not None
