"""The laboratory: a server on loopback, an experimenter whose seconds are short, and units that behave in one way."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from app.errors import NotReachable
from app.experiment.backends import Reply
from app.experiment.desk import Experimenter
from app.experiment.values import Result, State, Tempo
from app.jobs import checking
from app.model.finding import Finding
from app.model.listening import ListenPlan
from app.ocpp.host import Times
from app.ocpp.manner import USUAL
from app.scope import Scope
from app.trust.wardrobe import Wardrobe
from tests.catalogue.kit import is_told_whole
from tests.ocpp.endpoint_kit import BOOT, BOUNDS, HOST, QUICK, Site, site

QUICKLY = Tempo(pace=0.01, least_s=1.0)
"""A hundred times as fast; what ends by itself is never waited for in vain for longer than a second."""
REDIAL_S = 0.02


@dataclass
class Lab:
    """Where experiments are tried."""

    site: Site
    desk: Experimenter
    wardrobe: Wardrobe | None

    @property
    def server(self) -> Any:
        return self.site.server

    async def run(self, experiment_id: str, identity: str = "CP-1", **options: Any) -> Result:
        """Run an experiment to its end, and check what must always be so."""
        async with asyncio.timeout(20):
            result = await self.desk.run(experiment_id, identity=identity, **options)
        assert all(item.state in (State.DONE, State.SKIPPED) for item in result.rounds)
        assert result.ended_at is not None
        self.is_put_back(identity)
        return result

    async def ends(self, sign: str, experiment_id: str, identity: str = "CP-1", **options: Any) -> Result:
        """Run an experiment that must end so, and check the finding it proves."""
        result = await self.run(experiment_id, identity, **options)
        seen = [(item.setting, item.mark, item.seen) for item in result.rounds]
        assert result.sign == sign, (result.sign, result.why, seen)
        assert result.outcome is not None
        if result.outcome.code:
            assert result.finding is not None
            assert result.finding.code == result.outcome.code
            is_told_whole(result.finding)
            assert result.finding.evidence[0].label.startswith("experiment: ")
            assert await self.published(result.finding.code) is not None
        else:
            assert result.finding is None
        return result

    async def published(self, code: str) -> Finding:
        """Wait for a finding with an experiment's evidence."""
        while True:
            finding = await self.site.finding(code)
            if finding.evidence and finding.evidence[0].label.startswith("experiment: "):
                return finding

    def is_put_back(self, identity: str) -> None:
        """Assert that nothing is left of an experiment."""
        assert self.server.manner(identity) == USUAL
        assert self.server.personality_for == {}

    def trusting(self) -> ssl.SSLContext:
        """Return the TLS of a unit that was given our root."""
        assert self.wardrobe is not None
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.wardrobe.authority.export("pem").decode())
        return context


@asynccontextmanager
async def lab(
    wardrobe: Wardrobe | None = None, *, tempo: Tempo = QUICKLY, times: Times = QUICK, **bounds: Any
) -> AsyncIterator[Lab]:
    """Open the laboratory."""
    options: dict[str, Any] = {}
    if wardrobe is not None:
        options = {"plan": ListenPlan(host=HOST, port=0), "wardrobe": lambda: wardrobe}
    limits = replace(BOUNDS, tls_s=2.0, closing_s=0.1, **bounds)
    async with site(times=times, bounds=limits, **options) as built, Scope("lab") as scope:
        yield Lab(built, Experimenter(server=built.server, scope=scope, visit=checking.reply, tempo=tempo), wardrobe)


Life = Callable[["Unit"], Awaitable[None]]
"""What a unit does on one connection, from its first word to its last."""


class Unit:
    """A unit that dials, lives one connection as its ``life`` says, and dials again."""

    def __init__(self, lab: Lab, life: Life, identity: str = "CP-1", **options: Any) -> None:
        self.lab = lab
        self.life = life
        self.identity = identity
        self.options = options
        self.redial_s = REDIAL_S
        self.dials = 0
        self.link: ClientConnection
        self.boot_status = ""
        self.interval_s = 0.0
        self._uid = 0

    async def live(self) -> None:
        """Dial for ever."""
        while True:
            self.dials += 1
            with suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError):
                await self._visit()
            await asyncio.sleep(self.redial_s)

    async def _visit(self) -> None:
        self.options.setdefault("subprotocols", ["ocpp1.6"])
        url = f"{self.lab.site.url.rstrip('/')}/{self.identity}"
        async with websockets.connect(
            url, compression=None, ping_interval=None, close_timeout=1, **self.options
        ) as link:
            self.link = link
            await self.life(self)

    async def ask(self, action: str, payload: dict[str, Any], *, limit_s: float = 10.0) -> Any:
        """Send a CALL and return its answer; commands that come meanwhile are answered with nothing."""
        self._uid += 1
        uid = f"{self.dials}-{self._uid}"
        await self.link.send(json.dumps([2, uid, action, payload]))
        async with asyncio.timeout(limit_s):
            while True:
                message = json.loads(await self.link.recv())
                if message[0] == 2:
                    await self.command(message)
                elif message[1] == uid:
                    return message[2]

    async def boot(self, *, limit_s: float = 10.0) -> None:
        """Send a BootNotification and remember the answer."""
        answer = await self.ask("BootNotification", BOOT, limit_s=limit_s)
        self.boot_status, self.interval_s = answer["status"], float(answer["interval"])

    async def command(self, message: list[Any]) -> None:
        """Answer a command of the central system."""
        await self.link.send(json.dumps([3, message[1], self.answer(message[2], message[3])]))

    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a command."""
        if action == "GetConfiguration":
            keys = payload.get("key") or [f"Key{number}" for number in range(30)]
            return {"configurationKey": [{"key": key, "readonly": False, "value": "1"} for key in keys]}
        return {"status": "Accepted"}

    async def serve(self) -> None:
        """Answer commands until the line ends."""
        async for text in self.link:
            message = json.loads(text)
            if message[0] == 2:
                await self.command(message)


@asynccontextmanager
async def living(unit: Unit, *, connects: bool = True) -> AsyncIterator[Unit]:
    """Let a unit live, from its first dial-in where it succeeds."""
    life = asyncio.ensure_future(unit.live())
    try:
        if connects:
            await unit.lab.server.arrival(unit.identity, timeout_s=5)
        yield unit
    finally:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def healthy(unit: Unit) -> None:
    """Boot, tell a state, and stay."""
    await unit.boot()
    await unit.ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    await unit.serve()


def unreachable(_: str) -> Awaitable[Reply]:
    """Refuse to dial any backend."""
    raise NotReachable("Nothing answers.", "Try again.")
