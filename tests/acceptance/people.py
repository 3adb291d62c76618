"""Persons who do with a simulated station what a prompt asks."""

from __future__ import annotations

from collections.abc import Callable

from app.model.acceptance import Answer, Prompt
from app.sim.station import OcppStation

CARD = "04A1B2C3"


def helpful(unit: OcppStation) -> Callable[[Prompt], Answer | None]:
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
