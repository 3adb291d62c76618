"""Experiments at the door: which certificate a unit takes, and whether it comes without TLS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app.diagnosis.tls import how
from app.experiment.stage import Stage
from app.experiment.witness import Happening, Look
from app.model.observation import TlsFailed
from app.ocpp.endpoint import Endpoint

TAKEN, REFUSED, PLAIN, NOTHING = "taken", "refused", "plain", "nothing"
EXPIRED_ALERT = 45
"""certificate_expired (RFC 8446 §6.2)."""


async def certificates(stage: Stage) -> None:
    """Show the unit one personality after another, and let it dial each time."""
    with stage.personality() as show:
        for setting in stage.settings():
            show(setting)
            await stage.let_go()
            limit_s = stage.tempo.real(stage.experiment.round_s)
            stage.say("Waiting for the charger to dial over wss:// …", limit_s)
            look: Look[Endpoint | TlsFailed] = partial(_met, setting)
            met: Endpoint | TlsFailed | None = await stage.witness.until(look, limit_s)
            _marked(stage, met)
            if isinstance(met, Endpoint) and met.handshake.tls is None:
                return


def _met(face: str, happened: Sequence[Happening]) -> Endpoint | TlsFailed | None:
    """Find the unit's first meeting with a personality, or its coming without TLS."""
    for item in happened:
        if isinstance(item, Endpoint):
            session = item.handshake.tls
            if session is None or session.personality == face:
                return item
        elif isinstance(item, TlsFailed) and (item.served is None or item.personality == face):
            return item
    return None


def _marked(stage: Stage, met: Endpoint | TlsFailed | None) -> None:
    if isinstance(met, Endpoint):
        stage.learn(met)
        session = met.handshake.tls
        if session is None:
            stage.mark(PLAIN, "It came without TLS, so it looked at no certificate.")
        else:
            stage.mark(TAKEN, f"It took it ({session.version}, {session.suite}).")
    elif met is not None:
        told = f"We refused it: {met.reason}." if met.end.value.endswith("by us") else f"It {how(met)}."
        stage.mark(REFUSED, told, alert=float(met.alert if met.alert is not None else -1))
    else:
        stage.mark(NOTHING, "It did not dial.")


async def plain_visit(stage: Stage) -> None:
    """Let the unit come without TLS once, so that its clock is set, and then with TLS again."""
    for setting in stage.settings():
        limit_s = stage.tempo.real(stage.experiment.round_s)
        if setting == "ws":
            there = await _plainly(stage, limit_s)
            if there is None:
                stage.mark(NOTHING, "It did not come over ws://.")
                return
            stage.learn(there)
            stage.mark(PLAIN, "It came over ws://, and our answers set its clock.")
            continue
        stage.say("Now set the charger's address to wss:// again.", limit_s)
        _marked(stage, await stage.witness.until(_after_visit, limit_s))


async def _plainly(stage: Stage, limit_s: float) -> Endpoint | None:
    there = stage.endpoint
    if there is None or there.handshake.tls is not None:
        stage.say("Set the charger's address to ws:// now, with the same host and identity.", limit_s)
        there = await stage.witness.until(_came_plainly, limit_s)
    if there is not None and there.boot is None and there.ledger.boot is None:
        wait_s = stage.tempo.real(60)
        stage.say("It is here. Waiting for its Boot, whose answer sets its clock …", wait_s)
        await stage.witness.until(lambda _: there.boot, wait_s)
    return there


def _came_plainly(happened: Sequence[Happening]) -> Endpoint | None:
    return next((item for item in happened if isinstance(item, Endpoint) and item.handshake.tls is None), None)


def _after_visit(happened: Sequence[Happening]) -> Endpoint | TlsFailed | None:
    for item in happened:
        if isinstance(item, TlsFailed) or (isinstance(item, Endpoint) and item.handshake.tls is not None):
            return item
    return None
