"""Persons who do with a simulated station what a prompt asks, whatever version it speaks."""

from __future__ import annotations

from collections.abc import Callable

from app.model.acceptance import Answer, Prompt
from app.sim.errands import Errands, FirmwareErrand
from app.sim.station import OcppStation
from app.sim.station2 import Station2

CARD = "04A1B2C3"
Simulated = OcppStation | Station2


def helpful(unit: Simulated) -> Callable[[Prompt], Answer | None]:
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


def careful(unit: Simulated) -> None:
    """Let a station look into an image before it installs it; the simulated one installs anything."""
    unit.errands.__class__ = _CarefulErrands
