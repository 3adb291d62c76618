"""The file service, spoken to by programs not written here: curl, wget, ftplib, urllib, aioftp, raw sockets."""

# ruff: noqa: SIM117 - a service, its ticket and its client read better one below the other
from __future__ import annotations

import asyncio
import contextlib
import ftplib
import hashlib
import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aioftp
import pytest

from app.errors import DiskFull
from app.model.transfer import Carrier, FileMove, Received, Stage, Ticket
from app.standin.files import FileBounds, FileShelf, safe_name
from app.standin.fileservice import FileService

HOST = "127.0.0.1"
LOG = bytes(range(256)) * 2000
BOUNDS = FileBounds(file=1_000_000, spare=1, idle_s=2.0, connect_s=1.0, files=3, clients=4)

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


@asynccontextmanager
async def service(folder: Path, bounds: FileBounds = BOUNDS) -> AsyncIterator[FileService]:
    files = FileService(folder, bounds=bounds)
    try:
        yield files
    finally:
        await files.close()


async def run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace")


def moves(files: FileService) -> list[FileMove]:
    return files.moves.subscribe(100_000).take()


async def ended(subscription: object, stage: Stage) -> FileMove:
    async with asyncio.timeout(5):
        async for move in subscription:  # type: ignore[attr-defined]
            if move.stage is stage:
                return move
    raise AssertionError(stage)


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "diag.log"
    path.write_bytes(LOG)
    return path


def is_the_log(received: Received, identity: str = "CP-1") -> bool:
    assert received.path.read_bytes() == LOG
    assert received.sha256 == hashlib.sha256(LOG).hexdigest()
    assert (received.identity, received.size, received.remote) == (identity, len(LOG), HOST)
    return True


# Delivering


@needs_curl
@pytest.mark.parametrize(
    "how",
    [
        ("http", "-T", "{file}", "{url}diag.log"),
        ("http", "-T", "{file}", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "{url}diag.log"),
        ("http", "--data-binary", "@{file}", "{url}"),
        ("http", "-F", "note=hello", "-F", "file=@{file}", "{url}"),
        ("ftp", "-T", "{file}", "{url}"),
        ("ftp", "-T", "{file}", "{url}logs/2026/diag.log", "--ftp-create-dirs"),
        ("ftp", "-T", "{file}", "--disable-epsv", "{url}"),
        ("ftp", "-T", "{file}", "--ftp-port", "-", "{url}"),
        ("ftp", "-T", "{file}", "--ftp-port", "-", "--disable-eprt", "{url}"),
    ],
    ids=["put", "put-chunked", "post", "form", "epsv", "folders", "pasv", "eprt", "port"],
)
async def test_curl_delivers_a_log(tmp_path: Path, log_file: Path, how: tuple[str, ...]) -> None:
    carrier, *arguments = how
    async with service(tmp_path / "files") as files:
        with files.moves.subscribe(10_000) as told:
            async with files.expecting(
                identity="CP-1", purpose="diagnostics", host=HOST, carrier=Carrier(carrier)
            ) as ticket:
                filled = [part.format(file=log_file, url=ticket.location) for part in arguments]
                code, out = await run("curl", "-sS", "--fail", "--max-time", "10", *filled)
                assert code == 0, out
            done = await ended(told, Stage.DONE)
        assert done.received is not None
        assert is_the_log(done.received)
        assert [item.purpose for item in files.received("CP-1")] == ["diagnostics"]
        assert files.received("CP-2") == ()


async def test_ftplib_and_aioftp_deliver(tmp_path: Path, log_file: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier.FTP) as ticket:
            await asyncio.to_thread(_ftplib_stores, ticket, log_file, True)
            await asyncio.to_thread(_ftplib_stores, ticket, log_file, False)
            url = urlsplit(ticket.location)
            async with aioftp.Client.context(HOST, url.port or 0, url.username, url.password) as client:
                stream = await client.upload_stream("aioftp.log")
                await stream.write(LOG)
                await stream.finish()
        assert len(files.received()) == 3
        assert all(is_the_log(item) for item in files.received())


def _ftplib_stores(ticket: Ticket, path: Path, is_passive: bool) -> None:
    url = urlsplit(ticket.location)
    with ftplib.FTP(timeout=5) as ftp, path.open("rb") as file:
        ftp.connect(HOST, url.port or 0)
        ftp.login(url.username or "", url.password or "")
        ftp.set_pasv(is_passive)
        assert ftp.nlst() == []
        ftp.storbinary("STOR charger.log", file)


async def test_a_charger_that_knows_only_anonymous_ftp_delivers_under_the_secret_folder(
    tmp_path: Path, log_file: Path
) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier.FTP) as ticket:
            url = urlsplit(ticket.location)
            code, out = await run("curl", "-sS", "-T", str(log_file), f"ftp://{HOST}:{url.port}/{ticket.token}/x.log")
            assert code == 0, out
            code, out = await run("curl", "-sS", "-T", str(log_file), f"ftp://{HOST}:{url.port}/else/x.log")
            assert code != 0, out
        assert is_the_log(files.received()[0])
        assert len(files.received()) == 1


# Fetching


@needs_curl
@pytest.mark.parametrize("carrier", ["http", "ftp"])
async def test_a_firmware_image_is_fetched_whole_and_resumed(tmp_path: Path, carrier: str) -> None:
    image = tmp_path / "fw 1.2.bin"
    image.write_bytes(LOG)
    half = tmp_path / "half.bin"
    half.write_bytes(LOG[:100_000])
    async with service(tmp_path / "files") as files:
        async with files.offering(
            image, identity="CP-1", purpose="firmware", host=HOST, carrier=Carrier(carrier)
        ) as ticket:
            assert ticket.sha256 == hashlib.sha256(LOG).hexdigest()
            code, out = await run("curl", "-sS", "--fail", "-o", str(tmp_path / "got.bin"), ticket.location)
            assert code == 0, out
            code, out = await run("curl", "-sS", "--fail", "-C", "-", "-o", str(half), ticket.location)
            assert code == 0, out
            code, out = await run("curl", "-sS", "--fail", "-I", ticket.location)
            assert str(len(LOG)) in out
        assert (tmp_path / "got.bin").read_bytes() == LOG
        assert half.read_bytes() == LOG


@pytest.mark.skipif(shutil.which("wget") is None, reason="no wget")
@pytest.mark.parametrize("carrier", ["http", "ftp"])
async def test_wget_fetches(tmp_path: Path, log_file: Path, carrier: str) -> None:
    async with service(tmp_path / "files") as files:
        async with files.offering(
            log_file, identity="CP-1", purpose="firmware", host=HOST, carrier=Carrier(carrier)
        ) as ticket:
            code, out = await run("wget", "-q", "-T", "5", "-t", "1", "-O", str(tmp_path / "got.bin"), ticket.location)
            assert code == 0, out
        assert (tmp_path / "got.bin").read_bytes() == LOG


async def test_urllib_fetches_and_a_closed_ticket_is_worth_nothing(tmp_path: Path, log_file: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-2", purpose="log", host=HOST) as other:
            async with files.offering(log_file, identity="CP-1", purpose="firmware", host=HOST) as ticket:
                got = await asyncio.to_thread(lambda: urllib.request.urlopen(ticket.location, timeout=5).read())
                assert got == LOG
                assert urlsplit(other.location).port == urlsplit(ticket.location).port
            for url, method in ((ticket.location, "GET"), (other.location, "GET"), (other.location, "DELETE")):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    await asyncio.to_thread(_ask, url, method)
                refused.value.close()
                assert refused.value.code in (404, 405)


def _ask(url: str, method: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5).close()


async def test_nothing_listens_when_no_transfer_is_under_way(tmp_path: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST) as ticket:
            port = urlsplit(ticket.location).port or 0
            socket.create_connection((HOST, port), timeout=2).close()
        with pytest.raises(OSError):
            socket.create_connection((HOST, port), timeout=2).close()


async def test_it_listens_only_on_the_address_it_was_given(tmp_path: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host="127.0.0.1") as ticket:
            port = urlsplit(ticket.location).port or 0
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.2", port), timeout=2).close()


# Hostile


@needs_curl
@pytest.mark.parametrize("carrier", ["http", "ftp"])
async def test_too_large_a_file_is_refused_and_nothing_of_it_kept(tmp_path: Path, carrier: str) -> None:
    big = tmp_path / "big.log"
    big.write_bytes(bytes(BOUNDS.file + 1))
    async with service(tmp_path / "files") as files:
        with files.moves.subscribe(10_000) as told:
            async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier(carrier)) as ticket:
                chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"] if carrier == "http" else []
                code, _ = await run("curl", "-sS", "--fail", "-T", str(big), *chunked, ticket.location)
                assert code != 0
            failed = await ended(told, Stage.FAILED)
        assert "more than it may" in failed.text
        assert not files.received()
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@needs_curl
@pytest.mark.parametrize("carrier", ["http", "ftp"])
async def test_a_full_disk_is_told_and_never_filled_to_the_brim(tmp_path: Path, log_file: Path, carrier: str) -> None:
    async with service(tmp_path / "files") as files:
        room = [2_000_000_000]
        files.shelf._room = lambda _: room[0]
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier(carrier)) as ticket:
            room[0] = 0
            _code, out = await run("curl", "-sS", "-w", "%{response_code}", "-T", str(log_file), ticket.location)
            assert "507" in out if carrier == "http" else "452" in out
        assert not files.received()
        with pytest.raises(DiskFull):
            async with files.expecting(identity="CP-1", purpose="log", host=HOST):
                pass


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    room = [1_000_000_000]
    shelf = FileShelf(tmp_path / "files", room=lambda _: room[0])
    ticket = shelf.expect("CP-1", "log")
    file = shelf.incoming(ticket.token, "x.log", Carrier.HTTP, HOST)
    room[0] = 1000
    with pytest.raises(DiskFull):
        for _ in range(300):
            file.write(bytes(65_536))
    file.failed("full")
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "CON",
        "nul.txt",
        ".bashrc",
        "a\x00b",
        "x" * 400,
        "",
        "💥",
        "/",
        "a:b|c?.log",
    ],
)
def test_any_name_becomes_a_plain_one(name: str) -> None:
    plain = safe_name(name)
    assert plain
    assert len(plain) <= 110
    assert not set(plain) & set('/\\:|?*<>"\x00')
    assert not plain.startswith((".", "-"))
    assert plain.partition(".")[0].upper() not in ("CON", "NUL")


async def ftp_says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *lines: str) -> str:
    answer = ""
    for line in lines:
        writer.write(line.encode() + b"\r\n")
        await writer.drain()
        async with asyncio.timeout(5):
            answer = (await reader.readline()).decode()
    return answer


@asynccontextmanager
async def ftp_line(
    ticket: Ticket, *, logs_in: bool = True
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = urlsplit(ticket.location)
    reader, writer = await asyncio.open_connection(HOST, url.port)
    try:
        assert (await reader.readline()).startswith(b"220")
        if logs_in:
            said = await ftp_says(reader, writer, f"USER {url.username}", f"PASS {url.password}")
            assert said.startswith("230")
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("STOR ../../evil", "553"),
        ("STOR ..\\evil", "553"),
        ("CWD /../..", "550"),
        ("PORT 10,0,0,1,200,10", "504"),
        ("PORT 127,0,0,1,0,22", "504"),
        ("PORT 1,2,3", "501"),
        ("EPRT |1|10.0.0.1|5000|", "504"),
        ("EPRT |9|x|y|", "501"),
        ("RETR diag.log", "550"),
        ("STOR x.log", "425"),
        ("DELE x.log", "502"),
        ("SITE EXEC sh", "502"),
        ("\x00\xff", "502"),
    ],
)
async def test_ftp_does_nothing_a_charger_has_no_need_of(tmp_path: Path, line: str, code: str) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier.FTP) as ticket:
            async with ftp_line(ticket) as (reader, writer):
                assert (await ftp_says(reader, writer, line)).startswith(code)
        assert not files.received()


async def test_a_wrong_password_is_tried_three_times_at_most(tmp_path: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=Carrier.FTP) as ticket:
            async with ftp_line(ticket, logs_in=False) as (reader, writer):
                for _ in range(3):
                    await ftp_says(reader, writer, f"USER {ticket.token}")
                    said = await ftp_says(reader, writer, "PASS guess")
                assert said.startswith("421")
                assert await reader.read() == b""


async def test_garbage_and_endless_lines_end_their_connection_only(tmp_path: Path, log_file: Path) -> None:
    async with service(tmp_path / "files") as files:
        for carrier in Carrier:
            async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=carrier) as ticket:
                reader, writer = await asyncio.open_connection(HOST, urlsplit(ticket.location).port)
                writer.write(b"A" * 100_000)
                try:
                    async with asyncio.timeout(5):
                        assert (await reader.read()).startswith((b"HTTP/1.0 400", b"220 "))
                except ConnectionError:
                    pass
                finally:
                    writer.close()
                code, out = await run("curl", "-sS", "--fail", "-T", str(log_file), ticket.location)
                assert code == 0, out


@pytest.mark.parametrize("carrier", list(Carrier))
async def test_those_who_only_hold_the_line_are_sent_away_and_keep_nobody_out(
    tmp_path: Path, log_file: Path, carrier: Carrier
) -> None:
    async with service(tmp_path / "files", FileBounds(spare=1, idle_s=0.3, clients=3)) as files:
        async with files.expecting(identity="CP-1", purpose="log", host=HOST, carrier=carrier) as ticket:
            port = urlsplit(ticket.location).port
            held = [await asyncio.open_connection(HOST, port) for _ in range(12)]
            async with asyncio.timeout(5):
                for reader, _ in held:
                    with contextlib.suppress(ConnectionError):
                        await reader.read()
            for _, writer in held:
                writer.close()
            code, out = await run("curl", "-sS", "--fail", "-T", str(log_file), ticket.location)
            assert code == 0, out


async def test_a_charger_that_hangs_up_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async with service(tmp_path / "files") as files:
        with files.moves.subscribe(1000) as told:
            async with files.expecting(identity="CP-1", purpose="log", host=HOST) as ticket:
                url = urlsplit(ticket.location)
                _reader, writer = await asyncio.open_connection(HOST, url.port)
                writer.write(f"PUT {url.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf".encode())
                await ended(told, Stage.MOVING)
                writer.close()
                assert (await ended(told, Stage.FAILED)).text == "the charger hung up"
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


async def test_where_a_file_came_from_is_kept_beside_it_without_the_ticket(tmp_path: Path, log_file: Path) -> None:
    async with service(tmp_path / "files") as files:
        async with files.expecting(identity="../CP 1", purpose="log", host=HOST) as ticket:
            await run("curl", "-sS", "-T", str(log_file), ticket.location)
        (kept,) = files.received("../CP 1")
        assert kept.path.parent.parent == tmp_path / "files"
        told = kept.path.with_name(kept.path.name + ".from.json").read_text()
        assert json.loads(told)["remote"] == HOST
        assert ticket.token not in told
        files.shelf.remove(kept)
        assert not files.received()


async def test_a_charger_can_write_no_note_beside_another_file(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path, bounds=BOUNDS)
    ticket = shelf.expect("CP-1", "diagnostics")
    for name in ("log.from.json", "log", "log.part"):
        file = shelf.incoming(ticket.token, name, Carrier.HTTP, HOST)
        file.write(b"{}")
        file.done()
    assert {item.name for item in shelf.received()} == {"log.from.json_", "log", "log.part_"}
    assert all(item.path.read_bytes() == b"{}" for item in shelf.received())


async def test_a_delivery_that_is_cancelled_before_its_data_connection_leaves_nothing(tmp_path: Path) -> None:
    async with service(tmp_path, FileBounds(spare=1, connect_s=30.0)) as files:
        async with files.expecting(identity="CP-1", purpose="diagnostics", host=HOST, carrier=Carrier.FTP) as ticket:
            parts = urlsplit(ticket.location)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            for line in (f"USER {parts.username}", f"PASS {parts.password}", "PASV", "STOR log.txt"):
                writer.write(f"{line}\r\n".encode())
            while not (await asyncio.wait_for(reader.readline(), 5)).startswith(b"150"):
                pass
            assert list(tmp_path.rglob("*.part"))
        writer.close()
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
