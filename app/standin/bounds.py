"""Whom a stand-in service serves, and how often: its own network only, and nobody without end."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from app.model.frame import Adapter

CLIENTS = 1024
"""Addresses whose rate is remembered; the one not heard longest goes first."""


class Ground(Protocol):
    """An adapter's address with its network, as the discovery lists them."""

    @property
    def adapter(self) -> Adapter:
        """Return the adapter with this address."""

    @property
    def prefix(self) -> int:
        """Return the network's prefix length."""

    @property
    def index(self) -> int:
        """Return the system's number of the adapter."""

    def contains(self, host: str) -> bool:
        """Say whether an address is directly on this network."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Rates:
    """Count requests: ``per_s`` of each client, ``total_per_s`` of all together, each with a second's burst."""

    def __init__(self, *, per_s: float, total_per_s: float) -> None:
        self._per_s = per_s
        self._total_per_s = total_per_s
        self._clients: OrderedDict[str, _Bucket] = OrderedDict()
        self._total: _Bucket | None = None
        self.dropped = 0
        """Requests that were one too many."""

    def allows(self, client: str, now_s: float) -> bool:
        """Count one request in; false when it is one too many."""
        bucket = self._clients.get(client)
        if bucket is None:
            bucket = self._clients[client] = _Bucket(self._per_s, now_s)
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(client)
        if self._total is None:
            self._total = _Bucket(self._total_per_s, now_s)
        # The client's own share first: one who asks too much must not use up the others'.
        allowed = _took(bucket, self._per_s, now_s) and _took(self._total, self._total_per_s, now_s)
        self.dropped += not allowed
        return allowed


def _took(bucket: _Bucket, per_s: float, now_s: float) -> bool:
    bucket.left = min(per_s, bucket.left + max(0.0, now_s - bucket.at_s) * per_s)
    bucket.at_s = now_s
    if bucket.left < 1:
        return False
    bucket.left -= 1
    return True
