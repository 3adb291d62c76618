"""Read a foreign file line by line within bounds: plain, gzip or zip. Write a file whole or not at all."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, cast

from app.errors import DiskFull, StoreError

LINE_LIMIT = 4_194_304
"""Longest line in bytes: a frame is at most 262,144 characters, each up to 12 bytes as JSON."""

GIANT_LIMIT = 33_554_432
"""How far a line without an end is followed, in bytes."""

TOTAL_LIMIT = 4_294_967_296
"""Most bytes read from one file, unpacked: 4 GiB is about ten million frames."""

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_DAMAGED = (EOFError, OSError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
"""What the unpackers raise on a file that is cut, damaged, or packed in a way they don't know."""
_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class LineReader:
    """The lines of a file, without their ends. ``done`` is the part of the file that was read, 0 to 1.

    ``cut`` says why the end is missing: a truncated archive, a last line without an end, or a bound that was reached.
    A line longer than ``LINE_LIMIT`` is given as ``None``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut = ""
        self.number = 0
        self.is_last_open = False
        """The last line given has no line end."""
        self._stack = ExitStack()
        self._read = 0
        self._size = 1
        self._raw: IO[bytes]
        self._stream: IO[bytes]

    def __enter__(self) -> LineReader:
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):  # opening a pipe would wait for ever
                raise StoreError(f"{self.path.name} is no file.", "Choose the file that holds the trace.")
            self._raw = self._stack.enter_context(self.path.open("rb"))
            self._size = max(1, os.fstat(self._raw.fileno()).st_size)
            self._stream = self._opened()
        except _DAMAGED as error:
            self._stack.close()
            raise unreadable(self.path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def done(self) -> float:
        """Return how much of the file was read."""
        return min(1.0, self._raw.tell() / self._size) if not self._raw.closed else 1.0

    def _opened(self) -> IO[bytes]:
        start = self._raw.read(4)
        self._raw.seek(0)
        if start[:2] == _GZIP:
            return cast(IO[bytes], self._stack.enter_context(closing(gzip.GzipFile(fileobj=self._raw))))
        if start == _ZIP:
            archive = self._stack.enter_context(zipfile.ZipFile(self._raw))
            names = [item for item in archive.infolist() if not item.is_dir()]
            if len(names) != 1:
                raise StoreError(
                    f"{self.path.name} holds {len(names)} files.", "Unpack it and open the trace that is in it."
                )
            return self._stack.enter_context(archive.open(names[0]))
        return self._raw

    def peek(self, size: int) -> bytes:
        """Return the first bytes of what is in the file; reading goes on from the start afterwards."""
        start = bytearray()
        try:
            while len(start) < size and (more := self._stream.read(min(16_384, size - len(start)))):
                start += more
        except _DAMAGED as error:
            if not start:
                raise unreadable(self.path, error) from error
        self._stream.seek(0)
        return bytes(start)

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end; for files that have no lines."""
        try:
            data = self._stream.read(size)
        except _DAMAGED as error:
            self.cut = f"The packed file ends too early or is damaged ({error})."
            return b""
        self._read += len(data)
        if self._read > TOTAL_LIMIT:
            self.cut = f"The file is larger than {TOTAL_LIMIT // 2**30} GiB; the rest was not read."
            return b""
        return data

    def __iter__(self) -> Iterator[bytes | None]:
        encoding = next((name for mark, name in _BOMS if self.peek(2) == mark), "")
        lines = self._transcoded(encoding) if encoding else self._lines()
        for line in lines:
            self.number += 1
            yield line

    def _lines(self) -> Iterator[bytes | None]:
        while (line := self._line()) or self._read == 0:
            self._read += len(line)
            if self._read > TOTAL_LIMIT:
                self.cut = f"The file is larger than {TOTAL_LIMIT // 2**30} GiB; the rest was not read."
                return
            if not line:
                return
            self.is_last_open = not line.endswith(b"\n")
            if len(line) > LINE_LIMIT:
                yield None
                if not self._skip_line():
                    return
            else:
                yield line.rstrip(b"\r\n")

    def _line(self) -> bytes:
        try:
            return self._stream.readline(LINE_LIMIT + 1)
        except _DAMAGED as error:
            self.cut = f"The packed file ends too early or is damaged ({error})."
            return b""

    def _text_line(self, text: io.TextIOWrapper) -> str:
        try:
            return text.readline(LINE_LIMIT)
        except _DAMAGED as error:
            self.cut = f"The packed file ends too early or is damaged ({error})."
            return ""

    def _skip_line(self) -> bool:
        """Leave a giant line behind; say whether it has an end at all."""
        skipped = 0
        while (rest := self._line()) and not rest.endswith(b"\n"):
            skipped += len(rest)
            if skipped > GIANT_LIMIT:
                self.cut = f"Line {self.number} has no end; the rest of the file was not read."
                return False
        self._read += skipped
        return True

    def _transcoded(self, encoding: str) -> Iterator[bytes | None]:
        """Windows editors save logs as UTF-16."""
        text = io.TextIOWrapper(self._stream, encoding=encoding, errors="replace", newline="\n")
        try:
            while line := self._text_line(text):
                self._read += len(line)
                if self._read > TOTAL_LIMIT:
                    self.cut = f"The file is larger than {TOTAL_LIMIT // 2**30} GiB; the rest was not read."
                    return
                yield line.rstrip("\r\n").encode(errors="replace")
        finally:
            text.detach()


def unreadable(path: Path, error: Exception) -> StoreError:
    """Return what it means that a file can't be opened."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StoreError(f"{path.name} can't be read: {why}.", "Check that the file is there, whole and readable.")


@contextmanager
def writing(path: Path, *, packs: bool = False) -> Iterator[IO[bytes]]:
    """Write a file that appears whole at the end, or not at all. Raises DiskFull, StoreError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(part.open("wb"))
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) if packs else None
            yield cast(IO[bytes], packed) if packed is not None else raw
            if packed is not None:
                packed.close()
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> StoreError:
    """Return what it means that a file can't be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(
            f"There is no room for {path.name} ({error.strerror}).",
            "Free some space or choose another disk. Nothing half-written remains.",
        )
    return StoreError(f"{path.name} can't be written: {error.strerror}.", f"Check room and rights of {path.parent}.")
