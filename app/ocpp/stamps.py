"""Times as OCPP writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def written(at: datetime) -> str:
    """Write a time as OCPP does: UTC, milliseconds, ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str) -> datetime:
    """Read an ISO 8601 time, without a zone as UTC; raises ValueError."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
