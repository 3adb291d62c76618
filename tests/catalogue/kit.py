"""The provocation kit: for every code of the catalogue, a peer that misbehaves exactly so.

``PROVOCATIONS`` (``provoke.py``) lists them; ``rig(provocation, wardrobe)`` is the place they act in: a server on
loopback, whatever it published, and a list for what was found elsewhere (the check of a backend, a job, the laptop).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from app.diagnosis import catalogue, thresholds
from app.diagnosis.watch import Watch
from app.model.finding import Finding
from app.model.listening import ListenPlan
from app.model.secret import Secret
from app.ocpp.endpoint import Endpoint
from app.ocpp.host import Times
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import BOUNDS, HOST, QUICK, Site, site

_PLACE = re.compile(r"\{([a-z_]+)\}")
PASSWORD = Secret("0123456789abcdef")
"""What every identity that begins with ``SECRET`` is expected to send."""


class Where(Enum):
    """Where a fault shows itself."""

    ENDPOINT = "endpoint"
    """On our endpoint: a recording of it shows the same."""
    BACKEND = "backend"
    LAPTOP = "laptop"
    SETTINGS = "settings"


@dataclass(frozen=True, kw_only=True)
class Provocation:
    """One way to bring a code about. ``act`` returns when the peer has done its worst."""

    code: str
    act: Callable[[Rig], Awaitable[None]]
    where: Where = Where.ENDPOINT
    case: str = ""
    """The case of the text that must be told; empty = not checked."""
    limits: str = ""
    """Thresholds set anew, so that a test need not wait for minutes."""
    times: Times = QUICK
    bounds: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.code}-{self.act.__name__}"

    def watch(self) -> Watch:
        """Return the judge that this provocation needs."""
        return Watch(thresholds.adjusted(self.limits))


@dataclass
class Rig:
    """Where a provocation acts."""

    site: Site
    wardrobe: Wardrobe
    found: list[Finding] = field(default_factory=list)

    @property
    def server(self) -> Any:
        return self.site.server

    def trusting(self) -> ssl.SSLContext:
        """Return the TLS of a unit that was given our root."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.wardrobe.authority.export("pem").decode())
        return context

    async def endpoint(self, identity: str) -> Endpoint:
        """Wait for a unit to be connected."""
        return await self.site.server.arrival(identity, timeout_s=5)

    async def gone(self, identity: str) -> None:
        """Wait until a unit's connection is over."""
        with self.site.server.endings.subscribe() as endings:
            async with asyncio.timeout(5):
                while self.site.server.endpoint(identity) is not None:
                    await anext(endings)

    async def named(self, code: str) -> Finding:
        """Return the first finding of a code, whoever found it."""
        for finding in self.found:
            if finding.code == code:
                return finding
        while True:
            finding = await self.site.finding(code)
            self.found.append(finding)
            return finding


@asynccontextmanager
async def rig(provocation: Provocation, wardrobe: Wardrobe) -> AsyncIterator[Rig]:
    """Open the place a provocation acts in."""
    bounds = replace(BOUNDS, **{"tls_s": 2.0, **provocation.bounds})
    plan = ListenPlan(host=HOST, port=0, **provocation.plan)
    async with site(
        times=provocation.times, bounds=bounds, plan=plan, wardrobe=lambda: wardrobe, expected=expected
    ) as built:
        built.server.judge = provocation.watch()
        yield Rig(built, wardrobe)


def expected(identity: str) -> Secret | None:
    """Tell the password of an identity."""
    return PASSWORD if identity.startswith("SECRET") else None


def is_told_whole(finding: Finding) -> None:
    """Assert that a finding has a proof and that its texts lack no detail."""
    assert finding.evidence, finding.code
    assert all(item.text for item in finding.evidence), finding
    case = finding.details.get("case", "")
    text = catalogue.told_for(catalogue.catalogue()[finding.code], case)
    assert not case or case in text.cases, (finding.code, case)
    for part in (text.title, text.symptom, text.cause, text.remedy, text.vendor):
        missing = [name for name in _PLACE.findall(part) if not finding.details.get(name)]
        assert not missing, (finding.code, case, missing)
    assert text.vendor, finding.code


def codes(findings: Sequence[Finding]) -> set[str]:
    """Return the codes of findings."""
    return {finding.code for finding in findings}
