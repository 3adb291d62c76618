"""The HTTP and WebSocket face of a simulated OpenEVSE gateway (src/web_server.cpp, web_server_config.cpp)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from app.scope import Scope
from app.sim.fault import Fault
from app.sim.openevse_config import Era, fits_pool

if TYPE_CHECKING:
    from app.sim.openevse import OpenEvseGateway

REQUEST_LIMIT = 8196
OPEN_PATHS = frozenset({"/emoncms/describe", "/login"})
WRITES = frozenset({"/config"})
THROTTLE_AT = 10
READ_COMMANDS = ("$G", "$F0", "$FB")

Answer = web.StreamResponse


class GatewayWeb:
    """The web server of one gateway. It keeps its port over restarts."""

    def __init__(self, gateway: OpenEvseGateway, host: str, port: int) -> None:
        self._gateway = gateway
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None
        self._outgoing: dict[web.WebSocketResponse, asyncio.Queue[str]] = {}
        self.refuses_stream = False
        self._failures = 0
        self._down = asyncio.Event()

    async def start(self) -> None:
        """Listen."""
        if self._runner is not None:
            return
        self._down.clear()
        app = web.Application(middlewares=[self._guard], client_max_size=REQUEST_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        runner, self._runner = self._runner, None
        self._down.set()
        if runner is not None:
            await runner.cleanup()

    def publish(self, fields: dict[str, Any]) -> None:
        """Send a partial status object to every WebSocket; a slow listener loses the oldest."""
        text = json.dumps(fields)
        for queue in self._outgoing.values():
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(text)

    def publish_state(self) -> None:
        """Send what changes with the state (src/input.cpp)."""
        live = self._gateway.live()
        names = ("state", "flags", "vehicle", "pilot", "amp", "voltage", "power")
        self.publish({name: live[name] for name in names if name in live})

    # Before any answer

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> Answer:
        faults = self._gateway.faults
        if Fault.SILENT in faults:
            await self._down.wait()
        if Fault.SLOW in faults:
            await asyncio.sleep(2.0 * self._gateway.time_scale)
        if request.path not in OPEN_PATHS and not self._is_allowed(request):
            return self._login_wanted()
        answer: Answer = await handler(request)
        return answer

    def _is_allowed(self, request: web.Request) -> bool:
        config, is_head = self._gateway.config, self._gateway.era is Era.HEAD
        user, password = str(config["www_username"]), str(config["www_password"])
        if is_head and not user:
            user = "openevseadmin"
        is_guarded = bool(password) if is_head else bool(config["www_username"])
        if not is_guarded or (not is_head and request.path in ("/ws", "/debug/console", "/evse/console")):
            return True
        sent = basic_of(request.headers.get("Authorization", ""))
        if sent == (user, password):
            self._failures = 0
            return True
        self._failures += sent is not None
        return False

    def _login_wanted(self) -> web.Response:
        if self._gateway.era is Era.HEAD and self._failures > THROTTLE_AT:
            return _json({"msg": "locked"}, status=429)
        realm = self._gateway.config["hostname"]
        return web.Response(status=401, headers={"WWW-Authenticate": f'Basic realm="{realm}"'})

    # The pages

    async def _dispatch(self, request: web.Request) -> Answer:
        pages = {
            "/config": self._config,
            "/status": self._status,
            "/ws": self._stream,
            "/restart": self._restart,
            "/reset": self._reset,
            "/emoncms/describe": self._describe,
            "/r": self._rapi,
            "/rapi": self._rapi,
            "/debug": self._debug,
            "/login": self._login,
            "/claims": self._empty_list,
            "/schedule": self._empty_list,
            "/override": self._nothing,
        }
        page = pages.get(request.path)
        if page is None:
            return web.Response(status=404, text="Not found")
        return await page(request)

    async def _config(self, request: web.Request) -> Answer:
        if request.method == "GET":
            return _json(self._gateway.store.shown())
        if request.method != "POST":
            return web.Response(status=405)
        document = await self._posted(request)
        if request.headers.get("X-Storage") == "factory" and self._gateway.config["factory_write_lock"]:
            return _json({"msg": "Factory settings locked"}, status=423)
        if document is None or not fits_pool(document) or Fault.REFUSES in self._gateway.faults:
            return _json({"msg": "Could not parse JSON"}, status=400)
        changed = self._gateway.store.apply(document)
        if changed:
            self._gateway.changed(changed)
            self.publish({"config_version": self._gateway.store.version})
        if Fault.DROPS_MID_WRITE in self._gateway.faults:
            drop(request)
        version = self._gateway.store.version
        return _json({"config_version": version, "msg": "done" if changed else "no change"})

    async def _posted(self, request: web.Request) -> dict[str, Any] | None:
        try:
            document = json.loads(await request.read())
        except web.HTTPRequestEntityTooLarge:
            drop(request)
            return None
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

    async def _status(self, request: web.Request) -> Answer:
        if request.method == "GET":
            return _json(self._gateway.status())
        return _json({"msg": "Method not allowed"}, status=405)

    async def _restart(self, request: web.Request) -> Answer:
        era = self._gateway.era
        if era is Era.V4_1_7:
            self._gateway.restart_soon()
            return web.Response(text="1")
        if request.method == "GET":
            if era is Era.HEAD and request.headers.get("X-Requested-With") != "OpenEVSE":
                return _json({"msg": "csrf"}, status=403)
            self._gateway.restart_soon()
            return web.Response(text="1")
        document = await self._posted(request)
        if document is None:
            return _json({"msg": "Couldn't parse json"}, status=400)
        if "device" not in document:
            return _json({"msg": "wrong payload"}, status=400)
        if document["device"] not in ("gateway", "evse"):
            return _json({"msg": "unknown device"}, status=404)
        if document["device"] == "gateway":
            self._gateway.restart_soon()
        return _json({"msg": f"restart {document['device']}"})

    async def _reset(self, request: web.Request) -> Answer:
        if self._gateway.era is Era.HEAD and request.headers.get("X-Requested-With") != "OpenEVSE":
            return _json({"msg": "csrf"}, status=403)
        self._gateway.was_erased = True
        return web.Response(text="1")

    async def _describe(self, _request: web.Request) -> Answer:
        return web.Response(text="openevse", headers={"Access-Control-Allow-Origin": "*"})

    async def _rapi(self, request: web.Request) -> Answer:
        command = request.query.get("rapi", "")
        if not command.startswith(READ_COMMANDS):
            return _json({"cmd": command, "error": "RAPI_RESPONSE_BLOCKED"}, status=400)
        answer = self._gateway.controller.reply(command)
        if request.query.get("json") == "1":
            return _json({"cmd": command, "ret": answer})
        return web.Response(text=f"{command} {answer}", content_type="text/html")

    async def _debug(self, _request: web.Request) -> Answer:
        return web.Response(text="\r\n".join(self._gateway.log))

    async def _login(self, request: web.Request) -> Answer:
        if self._gateway.era is not Era.HEAD:
            return web.Response(status=404, text="Not found")
        document = await self._posted(request) or {}
        config = self._gateway.config
        wanted = (config["www_username"] or "openevseadmin", config["www_password"])
        if (document.get("user"), document.get("pass")) == wanted:
            return _json({"msg": "ok"})
        self._failures += 1
        is_locked = self._failures > THROTTLE_AT
        return _json({"msg": "locked" if is_locked else "invalid"}, status=429 if is_locked else 401)

    async def _empty_list(self, _request: web.Request) -> Answer:
        return _json([])

    async def _nothing(self, _request: web.Request) -> Answer:
        return _json({})

    # The stream

    async def _stream(self, request: web.Request) -> Answer:
        if self.refuses_stream:
            return web.Response(status=404, text="Not found")
        stream = web.WebSocketResponse(autoping=True)
        await stream.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue(64)
        queue.put_nowait(json.dumps(self._gateway.status()))
        self._outgoing[stream] = queue
        listener = Scope(f"sim/{self._gateway.name}/ws")
        listener.isolated("listen", self._listen(stream))
        try:
            while not stream.closed:
                await stream.send_str(await queue.get())
        except ConnectionError:
            pass
        finally:
            self._outgoing.pop(stream, None)
            await listener.close()
        return stream

    async def _listen(self, stream: web.WebSocketResponse) -> None:
        async for message in stream:
            if message.type is WSMsgType.TEXT and '"ping"' in message.data:
                await stream.send_str('{"pong": 1}')


def basic_of(header: str) -> tuple[str, str] | None:
    """Return user and password of a Basic header, ``None`` where it is none."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def drop(request: web.Request) -> None:
    """Cut the line under a request."""
    if request.transport is not None:
        request.transport.abort()


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        text=json.dumps(value, separators=(",", ":")),
        status=status,
        content_type="application/json",
        headers={
            "Cache-Control": "no-cache, private, no-store, must-revalidate, max-stale=0, post-check=0, pre-check=0"
        },
    )
