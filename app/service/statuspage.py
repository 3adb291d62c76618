"""The bridge's status over HTTP: a page for people, JSON and OpenMetrics for programs. Nothing can be sent to it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from app import resources
from app.errors import PortInUse, ServerError
from app.model.bridge import BridgeStatus, LineState
from app.model.coding import encode
from app.service import metrics

if TYPE_CHECKING:
    from jinja2 import Environment

STALE_S = 30.0
"""A bridge whose clockwork has not run for so long is not healthy."""
CLOSING_S = 2.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusPage:
    """Serves ``/``, ``/status.json``, ``/metrics`` and ``/healthz`` on one address.

    ``status`` is asked at each request; ``beat`` returns when the bridge last did its round.
    """

    def __init__(self, status: Callable[[], BridgeStatus], beat: Callable[[], datetime]) -> None:
        self._status = status
        self._beat = beat
        self._runner: web.AppRunner | None = None
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Return where a browser finds it, empty while it is off."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" if self._runner else ""

    async def open(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one. Raises PortInUse, ServerError."""
        app = web.Application(client_max_size=1024, middlewares=[_guarded])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/status.json", self._json),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._health),
            ]
        )
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=15, shutdown_timeout=CLOSING_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise _trouble(error, host, port) from error
        self._runner = runner
        self.host, self.port = runner.addresses[0][:2]

    async def close(self) -> None:
        """Stop. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _page(self, _request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        status = self._status()
        text = _environment().get_template("status.html.j2").render(status=status, now=now, LineState=LineState)
        return web.Response(text=text, content_type="text/html")

    async def _json(self, _request: web.Request) -> web.Response:
        body = orjson.dumps(encode(self._status()), option=orjson.OPT_INDENT_2)
        return web.Response(body=body, content_type="application/json")

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = metrics.exposed(self._status(), datetime.now(UTC))
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE_LATEST})

    async def _health(self, _request: web.Request) -> web.Response:
        late_s = (datetime.now(UTC) - self._beat()).total_seconds()
        if late_s > STALE_S:
            return web.Response(status=503, text=f"The bridge has not done its round for {late_s:.0f} s.\n")
        return web.Response(text="ok\n")


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put the headers on; a name nobody gave this computer is a page elsewhere that tries to read ours."""
    if not _is_plain(request.host):
        return web.Response(status=421, text="Use this computer's address or name.\n")
    response = await handler(request)
    response.headers.update(HEADERS)
    return response


def _is_plain(host: str) -> bool:
    """Say whether a Host header is an address or a name without dots or of the local network (DNS rebinding)."""
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    name = name.partition("]")[0].strip("[").lower()
    is_address = ":" in name or name.replace(".", "").isdigit()
    return is_address or "." not in name or name.endswith((".local", ".lan", ".home.arpa"))


def _trouble(error: OSError, host: str, port: int) -> ServerError:
    import errno

    if error.errno == errno.EADDRINUSE:
        return PortInUse(
            f"Port {port} for the status page is in use.",
            "Give another one under [status] in the site file.",
            port=port,
        )
    return ServerError(
        f"The status page can't listen on {host}:{port}: {error.strerror or error}.",
        "Give an address of this computer under [status] in the site file.",
    )


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(resources.path("service")), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["ago"] = _ago
    return environment


def _ago(at: datetime, now: datetime) -> str:
    """Write a pause for a person."""
    seconds = max(0, int((now - at) / timedelta(seconds=1)))
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
