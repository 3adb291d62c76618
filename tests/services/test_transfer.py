"""Logs from chargers and firmware to them, with chargers that use curl, lie, restart, fall silent or refuse."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from app.errors import NotSupported, Refused, StoreError
from app.model.transfer import Carrier
from app.ocpp.services import transfer
from app.ocpp.services.transfer import Image, Patience, Progress
from tests.services.kit import Answer, Bench, Peer, bench

LOG = b"2026-11-22 12:00:00 contactor closed\n" * 400
QUICK = Patience(quiet_s=1.0, away_s=5.0, settle_s=0.2)


async def curl(*arguments: str) -> int:
    process = await asyncio.create_subprocess_exec("curl", "-sS", "--fail", "--max-time", "5", *arguments)
    return await process.wait()


class Charger:
    """What a charger does with an order of ours: fetch or deliver with curl, and tell each step."""

    def __init__(self, folder: Path, *, lies: bool = False, silent: bool = False, fails: bool = False) -> None:
        self.folder = folder
        self.lies, self.silent, self.fails = lies, silent, fails
        self.peer: Peer | None = None
        self.work: list[asyncio.Task[None]] = []
        (folder / "diag.log").write_bytes(LOG)

    def answers(self) -> dict[str, Answer]:
        return {
            "GetDiagnostics": lambda order: self.begin(self.deliver(order["location"]), {"fileName": "diag.log"}),
            "GetLog": lambda order: self.begin(
                self.deliver(order["log"]["remoteLocation"]), {"status": "Accepted", "filename": "diag.log"}
            ),
            "UpdateFirmware": lambda order: self.begin(
                self.update(order.get("location") or order["firmware"]["location"]),
                {} if "location" in order else {"status": "Accepted"},
            ),
            "SignedUpdateFirmware": {"status": "InvalidCertificate"},
        }

    def begin(self, work: Any, answer: dict[str, Any]) -> dict[str, Any]:
        self.work.append(asyncio.create_task(work))
        return answer

    async def tell(self, status: str) -> None:
        assert self.peer is not None
        is_log = status.startswith("Upload")
        if self.silent:
            return
        if self.peer.version == "1.6":
            action = "DiagnosticsStatusNotification" if is_log else "FirmwareStatusNotification"
            await self.peer.ask(action, {"status": status})
        else:
            action = "LogStatusNotification" if is_log else "FirmwareStatusNotification"
            status = "UploadFailure" if status == "UploadFailed" else status
            await self.peer.ask(action, {"status": status, "requestId": 1})

    async def deliver(self, location: str) -> None:
        await self.tell("Uploading")
        if self.fails:
            await self.tell("UploadFailed")
            return
        if not self.lies:
            assert await curl("-T", str(self.folder / "diag.log"), location) == 0
        await self.tell("Uploaded")

    async def update(self, location: str) -> None:
        await self.tell("Downloading")
        if not self.lies:
            assert await curl("-o", str(self.folder / "got.bin"), location) == 0
        await self.tell("Downloaded")
        await self.tell("Installing")
        await self.tell("InstallationFailed" if self.fails else "Installed")


async def fetch(here: Bench, charger: Charger, version: str = "1.6", **options: Any) -> transfer.Outcome:
    async with here.peer(version, **charger.answers()) as peer:
        charger.peer = peer
        try:
            return await transfer.fetch_diagnostics(
                here.endpoint(), here.desk.site(here.endpoint()), patience=QUICK, **options
            )
        finally:
            await asyncio.gather(*charger.work)


async def update(here: Bench, charger: Charger, image: Path, version: str = "1.6", **options: Any) -> transfer.Outcome:
    async with here.peer(version, **charger.answers()) as peer:
        charger.peer = peer
        try:
            return await transfer.update_firmware(
                here.endpoint(), here.desk.site(here.endpoint()), Image(path=image), patience=QUICK, **options
            )
        finally:
            await asyncio.gather(*charger.work)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "wall-2.0.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


@pytest.mark.parametrize("carrier", list(Carrier))
@pytest.mark.parametrize(("version", "kind"), [("1.6", "diagnostics"), ("1.6", "security"), ("2.0.1", "diagnostics")])
async def test_a_log_comes_and_is_kept_with_its_source(
    tmp_path: Path, version: str, kind: str, carrier: Carrier
) -> None:
    seen: list[Progress] = []
    async with bench(tmp_path) as here:
        outcome = await fetch(here, Charger(tmp_path), version, kind=kind, carrier=carrier, tell=seen.append)
        assert outcome.is_done
        assert [status.status for status in outcome.statuses] == ["Uploading", "Uploaded"]
        (kept,) = here.files.received("CP-1")
        assert kept.path.read_bytes() == LOG
        assert (kept.remote, kept.carrier, kept.purpose) == ("127.0.0.1", carrier, f"{kind} log")
        assert max(progress.bytes for progress in seen) == len(LOG)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_the_login_for_a_file_is_shown_nowhere(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here:
        outcome = await fetch(here, Charger(tmp_path), version, carrier=Carrier.FTP)
        assert outcome.is_done
        (order,) = [
            frame.text
            for frame in here.site.frames.take()
            if frame.action in ("GetDiagnostics", "GetLog") and "ftp://" in frame.text
        ]
        assert ":•••@127.0.0.1" in order


async def test_uploaded_without_a_file_is_not_believed(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await fetch(here, Charger(tmp_path, lies=True))
        assert not outcome.is_done
        assert "nothing came" in outcome.text


async def test_a_file_without_a_word_counts_and_the_silence_is_noted(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await fetch(here, Charger(tmp_path, silent=True))
        assert outcome.is_done
        assert outcome.oddities


async def test_a_failed_upload_is_told_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await fetch(here, Charger(tmp_path, fails=True), "2.0.1")
        assert not outcome.is_done
        assert "could not send" in outcome.text


async def test_a_charger_without_diagnostics_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer(GetDiagnostics={}, GetLog={"status": "Rejected"}):
        site = here.desk.site(here.endpoint())
        with pytest.raises(Refused, match="names no file"):
            await transfer.fetch_diagnostics(here.endpoint(), site)
        with pytest.raises(Refused, match="Rejected"):
            await transfer.fetch_diagnostics(here.endpoint(), site, kind="security")


async def test_giving_up_takes_the_offer_back(tmp_path: Path) -> None:
    asked = asyncio.Event()
    where: list[str] = []

    def order(request: dict[str, Any]) -> dict[str, Any]:
        where.append(request["location"])
        asked.set()
        return {"fileName": "x.log"}

    async with bench(tmp_path) as here, here.peer(GetDiagnostics=order):
        site = here.desk.site(here.endpoint())
        task = asyncio.create_task(transfer.fetch_diagnostics(here.endpoint(), site))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (tmp_path / "late.log").write_bytes(b"late")
        assert await curl("-T", str(tmp_path / "late.log"), where[0]) != 0
        assert not here.files.received()


@pytest.mark.parametrize("carrier", list(Carrier))
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_firmware_is_fetched_whole_and_watched_to_the_end(
    tmp_path: Path, image: Path, version: str, carrier: Carrier
) -> None:
    async with bench(tmp_path) as here:
        outcome = await update(here, Charger(tmp_path), image, version, carrier=carrier)
        assert outcome.is_done, outcome
        assert outcome.fetched == image.stat().st_size
        assert not outcome.oddities
        assert (
            hashlib.sha256((tmp_path / "got.bin").read_bytes()).digest() == hashlib.sha256(image.read_bytes()).digest()
        )


async def test_installed_from_nowhere_is_not_believed(tmp_path: Path, image: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await update(here, Charger(tmp_path, lies=True), image)
        assert not outcome.is_done
        assert any("fetched 0 of" in odd for odd in outcome.oddities)


async def test_what_is_told_of_an_update_before_this_one_does_not_end_it(tmp_path: Path, image: Path) -> None:
    charger = Charger(tmp_path)
    update_now = charger.update

    async def late(location: str) -> None:
        await charger.tell("Installed")
        await update_now(location)

    charger.update = late  # type: ignore[method-assign]
    async with bench(tmp_path) as here:
        outcome = await update(here, charger, image)
        assert outcome.is_done
        assert "odd order" in " ".join(outcome.oddities)


async def test_a_failed_installation_ends_it(tmp_path: Path, image: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await update(here, Charger(tmp_path, fails=True), image)
        assert not outcome.is_done
        assert "InstallationFailed" in outcome.text


async def test_silence_ends_it_with_what_is_known(tmp_path: Path, image: Path) -> None:
    async with bench(tmp_path) as here:
        outcome = await update(here, Charger(tmp_path, silent=True), image)
        assert not outcome.is_done
        assert "fetched the whole image" in outcome.text


async def test_an_update_goes_on_over_the_restart_it_needs(tmp_path: Path, image: Path) -> None:
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def order(request: dict[str, Any]) -> dict[str, Any]:
        asked.set_result(request["location"])
        return {}

    seen: list[Progress] = []
    async with bench(tmp_path) as here:
        async with here.peer(UpdateFirmware=order) as before:
            task = asyncio.create_task(
                transfer.update_firmware(
                    here.endpoint(),
                    here.desk.site(here.endpoint()),
                    Image(path=image),
                    patience=QUICK,
                    tell=seen.append,
                )
            )
            assert await curl("-o", str(tmp_path / "got.bin"), await asked) == 0
            for status in ("Downloaded", "Installing"):
                await before.ask("FirmwareStatusNotification", {"status": status})
        async with here.peer() as after:
            await after.ask("FirmwareStatusNotification", {"status": "Installed"})
            outcome = await task
        assert outcome.is_done
        assert any("waiting for it to dial again" in progress.text for progress in seen)


async def test_a_signed_image_nobody_trusts_is_refused(tmp_path: Path, image: Path) -> None:
    async with bench(tmp_path) as here, here.peer(**Charger(tmp_path).answers()) as peer:
        signed = Image(path=image, signature="c2lnbmF0dXJl", certificate="-----BEGIN CERTIFICATE-----\n")
        with pytest.raises(Refused, match="does not trust"):
            await transfer.update_firmware(here.endpoint(), here.desk.site(here.endpoint()), signed)
        assert peer.sent("SignedUpdateFirmware")


async def test_signature_and_certificate_are_found_beside_the_image(tmp_path: Path, image: Path) -> None:
    assert not (await transfer.image_of(image)).is_signed
    image.with_name(image.name + ".pem").write_text("-----BEGIN CERTIFICATE-----\n")
    sig = image.with_name(image.name + ".sig")
    sig.write_text("c2lnbmF0dXJl\n")
    assert (await transfer.image_of(image)).signature == "c2lnbmF0dXJl"
    sig.write_bytes(b"\x01\x02\xff")
    assert (await transfer.image_of(image)).signature == "AQL/"
    sig.write_bytes(b"\x01" * 5000)
    with pytest.raises(StoreError):
        await transfer.image_of(image)


async def test_a_charger_that_takes_no_firmware_says_so(tmp_path: Path, image: Path) -> None:
    async with bench(tmp_path) as here, here.peer("2.0.1", UpdateFirmware={"status": "Rejected"}):
        with pytest.raises(NotSupported):
            await transfer.update_firmware(here.endpoint(), here.desk.site(here.endpoint()), Image(path=image))
