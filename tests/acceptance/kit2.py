"""What the acceptance tests of 2.x share: a simulated station that lives faster, and persons at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from app.model.acceptance import Answer, Prompt
from app.ocpp.server import OcppServer
from app.sim.errands import Errands, FirmwareErrand
from app.sim.station2 import Station2
from tests.acceptance.kit import PACE

CARD = "04A1B2C3"


@asynccontextmanager
async def station2(
    server: OcppServer, version: str = "2.0.1", identity: str = "CP-1", **options: Any
) -> AsyncIterator[Station2]:
    options.setdefault("time_scale", PACE)
    options.setdefault("redial_s", 10.0)
    url = server.state.url.replace("ws:", "wss:") if options.get("tls") else server.state.url
    async with Station2(url, identity, version, **options) as unit:
        await server.arrival(identity, timeout_s=10)
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        yield unit


def helpful2(unit: Station2) -> Callable[[Prompt], Answer | None]:
    """Do everything at once; prompts that close by themselves are left to do so."""

    def act(prompt: Prompt) -> Answer | None:
        match prompt.kind:
            case "plug-in":
                unit.plug_in(1)
            case "replug":
                unit.unplug(1)
                unit.plug_in(1)
            case "unplug" | "unplug-offline":
                unit.unplug(1)
                return Answer.DONE
            case "card" | "card-stop" | "card-refused":
                unit.swipe(CARD)
            case "card-offline":
                unit.swipe(CARD)
                return Answer.DONE
            case _:
                return Answer.DONE
        return None

    return act


class _CarefulErrands(Errands):
    __slots__ = ()

    async def _apply(self, errand: FirmwareErrand) -> None:
        self._say("Installing", errand)
        self._say("InstallationFailed", errand)
        self.firmware_status, self.firmware_id = "Idle", None


def careful2(unit: Station2) -> None:
    """Let a station look into an image before it installs it; the simulated one installs anything."""
    unit.errands.__class__ = _CarefulErrands
