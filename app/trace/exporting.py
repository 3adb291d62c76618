"""Write a trace file: our own format, OCPP Trace JSONL, pcapng or plain text; whole at the end, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.model.frame import Handshake
from app.model.masking import mask_secrets
from app.model.trace import Entry, ProgramStart, Record, TraceFormat
from app.storage.evidence import EvidenceStore
from app.storage.traffic import TrafficStore
from app.trace import openformat
from app.trace.files import writing
from app.trace.merging import Selection, entries
from app.trace.own import TraceWriter
from app.trace.pcapng import CaptureWriter
from app.trace.recording import BREATH_S, SLICE_S, Told

SUFFIXES = {
    TraceFormat.REHOME: ".rehome-trace",
    TraceFormat.OPEN: ".ocpp-trace.jsonl",
    TraceFormat.PCAPNG: ".pcapng",
    TraceFormat.LOG: ".log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written. ``left_out`` are frames the format has no form for."""

    path: Path
    format: TraceFormat
    frames: int
    records: int = 0
    left_out: int = 0
    hash: str = ""


class Sheet(Protocol):
    """Writes one format."""

    @property
    def frames(self) -> int:
        """Count the frames written."""
        ...

    @property
    def records(self) -> int:
        """Count the evidence written."""
        ...

    @property
    def left_out(self) -> int:
        """Count the frames the format has no form for."""
        ...

    @property
    def hash(self) -> str:
        """Return the last link of the hash chain, where there is one."""
        ...

    def head(self) -> bytes:
        """Return what stands at the beginning."""
        ...

    def entry(self, entry: Entry) -> bytes:
        """Return what stands for an entry; nothing where the format has no form for it."""
        ...

    def end(self) -> bytes:
        """Return what stands at the end."""
        ...


def format_of(path: Path) -> TraceFormat:
    """Return the format that a file name asks for (``.gz`` behind it packs it)."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".pcapng", ".pcap")):
        return TraceFormat.PCAPNG
    if name.endswith(".jsonl"):
        return TraceFormat.OPEN
    return TraceFormat.LOG if name.endswith((".log", ".txt")) else TraceFormat.REHOME


async def export(
    path: Path,
    kind: TraceFormat,
    selection: Selection,
    *,
    traffic: TrafficStore,
    evidence: EvidenceStore,
    start: ProgramStart,
    told: Told = lambda _count, _part: None,
) -> Exported:
    """Write the selected entries in slices; cancelling leaves no file. Raises DiskFull, StoreError."""
    until = selection.last_seq if selection.last_seq is not None else max(1, traffic.last_seq())
    sheet = _sheet(kind, selection, start)
    beat = time.perf_counter() + SLICE_S
    with writing(path, packs=path.name.lower().endswith(".gz")) as file:
        file.write(sheet.head())
        for entry, part in entries(selection, traffic, evidence, until):
            if entry is not None:
                file.write(sheet.entry(_masked(entry, selection.secret_keys)))
            if time.perf_counter() >= beat:
                told(sheet.frames, part)
                await asyncio.sleep(BREATH_S)
                beat = time.perf_counter() + SLICE_S
        file.write(sheet.end())
    told(sheet.frames, 1.0)
    return Exported(
        path=path, format=kind, frames=sheet.frames, records=sheet.records, left_out=sheet.left_out, hash=sheet.hash
    )


def _masked(entry: Entry, keys: Iterable[str]) -> Entry:
    """Mask vendor keys too: the store only knows the standard's and the passwords in the vault."""
    if isinstance(entry, Record) or not keys:
        return entry
    text = mask_secrets(entry.text, keys)
    return entry if text == entry.text else replace(entry, text=text, raw=None)


def _sheet(kind: TraceFormat, selection: Selection, start: ProgramStart) -> Sheet:
    if kind is TraceFormat.REHOME:
        return _OwnSheet(selection, start)
    if kind is TraceFormat.OPEN:
        return _OpenSheet()
    return CaptureWriter(start) if kind is TraceFormat.PCAPNG else _TextSheet()


class _OwnSheet:
    left_out = 0

    def __init__(self, selection: Selection, start: ProgramStart) -> None:
        self._writer = TraceWriter()
        self._selection = selection
        self._start = start

    @property
    def frames(self) -> int:
        return self._writer.frames

    @property
    def records(self) -> int:
        return self._writer.records

    @property
    def hash(self) -> str:
        return self._writer.hash

    def head(self) -> bytes:
        return self._writer.head(self._start, self._selection.about())

    def entry(self, entry: Entry) -> bytes:
        return self._writer.entry(entry)

    def end(self) -> bytes:
        return self._writer.end()


class _OpenSheet:
    def __init__(self) -> None:
        self.frames = self.records = self.left_out = 0
        self.hash = ""
        self._versions: dict[str, str] = {}

    def head(self) -> bytes:
        return b""

    def entry(self, entry: Entry) -> bytes:
        if isinstance(entry, Record):
            if isinstance(entry.evidence, Handshake):
                self._versions[entry.identity] = entry.evidence.version
            return b""
        document = openformat.record(entry, self._versions.get(entry.identity, ""))
        if document is None:
            self.left_out += 1
            return b""
        self.frames += 1
        return openformat.line(document)

    def end(self) -> bytes:
        return b""


class _TextSheet:
    def __init__(self) -> None:
        self.frames = self.records = self.left_out = 0
        self.hash = ""

    def head(self) -> bytes:
        return b""

    def entry(self, entry: Entry) -> bytes:
        if isinstance(entry, Record):
            return b""
        self.frames += 1
        word = "received" if entry.direction.value == "in" else "sent"
        text = entry.text or (entry.raw or b"").hex()
        line = f"{entry.at.isoformat()} identity={entry.identity or '-'} {word}: {_one_line(text)}\n"
        return line.encode(errors="replace")

    def end(self) -> bytes:
        return b""


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
