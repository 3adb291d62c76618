"""Put keys on disk: readable by their owner alone, encrypted where a keyring keeps the passphrase."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from app.model.secret import Secret


def encryption(lock: Secret | None) -> serialization.KeySerializationEncryption:
    """Return how a key is written; an empty lock leaves it to the file's rights."""
    if not lock:
        return serialization.NoEncryption()
    return serialization.BestAvailableEncryption(lock.reveal().encode())


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")  # 0600 from the first moment
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
