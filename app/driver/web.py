"""What drivers of HTTP interfaces share: one exchange at a time, each way it can fail turned into an error with advice.

A driver subclasses ``WebSession``, looks at the unit in ``look`` and sets ``offers``; ``web_driver`` makes the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from app.driver.registry import Driver
from app.driver.session import Session
from app.errors import AuthFailed, Garbled, LinkLost, LoginWall, NotSupported, Unexpected
from app.links.decoding import decode_json
from app.links.link import USUAL, HttpAnswer, HttpLink, HttpManner, Links
from app.model.address import Address, NetAddress
from app.model.profile import Profile
from app.model.unit import Identity, SourceKind

PROBE_S = 3.0
PROBE_LIMIT = 100_000
"""Seconds and bytes one fingerprint call may take."""

Recognise = Callable[[HttpLink, Profile], Awaitable[Identity | None]]


class WebSession(Session):
    """One session over HTTP. Guard each capability with ``self.call``; make its exchanges with ``fetch``."""

    manner: ClassVar[HttpManner] = USUAL
    login_advice: ClassVar[str] = "Enter the user name and password of the charger's own web page."

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address)
        self._net = address
        self._profile = profile
        self._links = links
        self._http: HttpLink | None = None

    async def _open(self) -> None:
        self._http = await self._links.http(self._net, manner=self.manner)
        await self.look()

    async def _close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def look(self) -> None:
        """Look at this very unit and set ``offers``."""
        raise NotImplementedError

    @property
    def http(self) -> HttpLink:
        """Return the link; raises LinkLost before it is opened."""
        if self._http is None:
            raise LinkLost(f"The connection to {self.address} is closed.", "Open the charger again.")
        return self._http

    async def fetch(self, method: str, path: str, **options: Any) -> HttpAnswer:
        """Make one exchange; raises AuthFailed where a login is wanted. Other statuses are the caller's to read."""
        options.setdefault("timeout_s", self.deadline_s)
        answer = await self.http.request(method, path, **options)
        if answer.status in (401, 403):
            raise AuthFailed(f"{self.address} asks for a login.", self.login_advice)
        return answer

    async def fetch_object(self, path: str, *, limit: int = 1_000_000) -> dict[str, Any]:
        """Get a JSON object; raises Unexpected on any status but 200, Garbled on anything else."""
        answer = await self.fetch("GET", path, limit=limit)
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version.")
        return as_object(answer)


def as_object(answer: HttpAnswer) -> dict[str, Any]:
    """Decode the body as a JSON object; raises Garbled."""
    return object_in(answer.body)


def object_in(body: bytes | str) -> dict[str, Any]:
    """Decode a JSON object; raises Garbled."""
    found = decode_json(body if isinstance(body, bytes) else body.encode("utf-8", "replace"))
    if not isinstance(found, dict):
        raise Garbled("The charger sent JSON that is not an object.", "Note the firmware version and report it.")
    return found


async def fingerprint(http: HttpLink, path: str) -> Any:
    """Ask one harmless question of an address that may be anything: the decoded JSON, ``None`` where it is none.

    Raises LinkError where nothing answers, LoginWall where a login is wanted.
    """
    answer = await http.request("GET", path, timeout_s=PROBE_S, limit=PROBE_LIMIT)
    if answer.status == 401:
        raise LoginWall("A login is wanted.", "Enter the user name and password of the charger's own web page.")
    try:
        return answer.json() if answer.status == 200 else None
    except Garbled:
        return None


def text_of(found: Mapping[str, Any], key: str, limit: int = 200) -> str:
    """Return a value from a charger as bounded text: empty where it is absent, null or no plain value."""
    value = found.get(key)
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:limit]


def web_driver(
    kind: type[WebSession],
    *,
    title: str,
    capabilities: frozenset[type],
    recognise: Recognise,
    asks: tuple[str, ...] = (),
    sources: frozenset[SourceKind] = frozenset({SourceKind.MDNS, SourceKind.LAN, SourceKind.MANUAL}),
) -> Driver:
    """Make the driver of a session class. ``recognise`` asks an open link who is there, changing nothing.

    ``asks`` lists everything it may send, for whoever is about to search.
    """

    def open_session(address: Address, profile: Profile, links: Links) -> Session:
        if not isinstance(address, NetAddress):
            raise NotSupported(f"{address} is not a network address.", "Enter the charger's IP address.")
        return kind(address, profile, links)

    async def probe(address: Address, profile: Profile, links: Links) -> Identity | None:
        if not isinstance(address, NetAddress):
            return None
        http = await links.http(address, manner=kind.manner)
        try:
            return await recognise(http, profile)
        except Garbled:
            return None
        finally:
            await http.close()

    return Driver(
        id=kind.driver_id,
        title=title,
        sources=sources,
        open=open_session,
        capabilities=capabilities,
        probe=probe,
        asks=asks,
    )
