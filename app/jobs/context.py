"""What a job needs of the program around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from app.driver.registry import Registry
from app.driver.session import Session
from app.model.backend import Backend
from app.model.frame import ListenState
from app.model.job import JobEvent
from app.model.unit import Unit
from app.ocpp.server import OcppServer
from app.rescue.desk import RescueDesk

Tap = Callable[[str, JobEvent], None]
"""Called with ``before`` and ``after`` around each event that goes to disk."""

Confirmation = Callable[[Backend, datetime], Awaitable[str]]
"""Asks the real backend whether it saw the unit since a time; returns its words, or an empty text for no."""


class Units(Protocol):
    """The part of the finder that a job uses."""

    @property
    def units(self) -> Mapping[str, Unit]:
        """Return all units by id."""
        ...

    def update(self, unit: Unit) -> None:
        """Replace a unit."""
        ...


class JobContext(Protocol):
    """The workbench, seen from a job."""

    @property
    def registry(self) -> Registry:
        """Return drivers and profiles."""
        ...

    @property
    def finder(self) -> Units:
        """Return the units."""
        ...

    @property
    def server(self) -> OcppServer:
        """Return our endpoint."""
        ...

    @property
    def rescue(self) -> RescueDesk | None:
        """Return who brings home the sessions of dead backends; ``None`` = nobody."""
        ...

    def open(
        self, unit_id: str, *, capability: type | None = None, driver_id: str = ""
    ) -> AbstractAsyncContextManager[Session]:
        """Open a session over a way (of this driver) that offers the capability; raises LinkError, NotSupported."""
        ...

    async def listen_somewhere(self) -> ListenState:
        """Make sure that the endpoint listens; raises PortInUse."""
        ...
