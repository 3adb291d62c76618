"""Coming in and going out: one login at a time, bound to the TCP connection, and always a logout."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar

from app.driver.web import WebSession, as_object
from app.drivers.alfen.identity import is_info, sockets_of
from app.drivers.alfen.registers import secret_ids
from app.errors import AppError, AuthFailed, Busy, LinkLost, Unexpected
from app.links.http import basic
from app.links.link import Credentials, HttpAnswer, HttpManner, Links, Login
from app.model.address import NetAddress
from app.model.profile import Profile
from app.scope import Scope

USER = "admin"
"""The user of the owner's password (alfen_wallbox issue 83)."""
SHOWN_AS = "Rehome"

HELLO_S = 3.0
LOGIN_S = 8.0
LOGOUT_S = 2.0
"""Longest waits in seconds [OURS]; a logout must not hold up a program that ends."""
KNOCKS_S = (0.2, 0.5, 1.0)
"""Pauses before knocking again where the station hangs up: another session of ours may just be ending [OURS]."""

LOGIN_ADVICE = (
    "Enter the user “admin” and the owner's password (on the card from the installer, or a temporary one, valid for up "
    "to 72 hours). The PIN of the Eve Connect app is not enough. If they are right, another program may be logged in: "
    "log out of the ACE Service Installer, MyEve and Eve Connect, or wait a minute."
)
BUSY_ADVICE = (
    "The station serves one program at a time. Close the ACE Service Installer, MyEve, Eve Connect and home automation "
    "that uses it, wait a minute, then try again. Restarting the station ends a session that was left open."
)

SECRET_NAMES = frozenset({"access", "refresh", "data"})
"""The login's tokens, and the value of ``/api/domain``."""


class AlfenWeb(WebSession):
    """The station's web interface behind its login.

    States::

        out ──info, login──► in ──logout──► out
                             in ──write, restart, 401──► out (the station ended the session)
    """

    deadline_s: ClassVar[float] = 12.0
    login_advice: ClassVar[str] = LOGIN_ADVICE
    manner: ClassVar[HttpManner] = HttpManner(
        login=Login.NONE, is_single=True, keeps_cookies=True, secret_keys=SECRET_NAMES | secret_ids()
    )

    def __init__(self, address: NetAddress, profile: Profile, links: Links) -> None:
        super().__init__(address, profile, links)
        self.info: dict[str, Any] = {}
        self._fresh: dict[str, Any] = {}
        self.sockets = 1
        self._credentials: Credentials | None = None
        self._bearer: dict[str, str] = {}
        self._is_in = False
        self._scope = Scope(f"alfen/{address}")
        self._exchange: asyncio.Task[HttpAnswer | AppError] | None = None

    async def _open(self) -> None:
        found = self._links.credentials(self._net)
        if found is not None and found.password:
            self._credentials = Credentials(user=found.user or USER, password=found.password)
        await self._enter()
        await self.look()

    async def _close(self) -> None:
        try:
            if self._exchange is not None:
                await asyncio.wait({self._exchange}, timeout=LOGOUT_S)
            await self._log_out()
        finally:
            await self._scope.close()
            await super()._close()

    # In and out

    async def _enter(self) -> None:
        """Connect anew, see who is there, and log in. Raises Busy, AuthFailed, Unexpected, LinkError."""
        await self._greet()
        self._must_be_the_same()
        self.sockets = sockets_of(self.info)
        if self._credentials is None:
            raise AuthFailed(f"{self.address} asks for a login.", LOGIN_ADVICE)
        if self._net.scheme == "http":
            # firmware below 5 wants Basic beside the login (pbasista/alfenctl, transport.py)
            self._bearer = {"Authorization": basic(self._credentials)}
        await self._log_in(self._credentials)

    async def _greet(self) -> None:
        """Ask ``/api/info`` over a fresh connection; a station that hangs up serves somebody else."""
        for pause_s in (*KNOCKS_S, 0.0):
            await self._reconnect()
            try:
                answer = await self.http.request("GET", "/api/info", timeout_s=HELLO_S, limit=100_000)
            except LinkLost as error:
                if not pause_s:
                    raise Busy(
                        f"{self.address} takes the connection and hangs up: another program is logged in.", BUSY_ADVICE
                    ) from error
                await asyncio.sleep(pause_s)
                continue
            if answer.status != 200:
                raise Unexpected(f"{self.address} answered HTTP {answer.status}.", "Check the address.")
            self._fresh = as_object(answer)
            return

    async def _reconnect(self) -> None:
        if self._http is not None:
            await self._http.close()
        self._bearer = {}
        self._http = await self._links.http(self._net, credentials=self._credentials, manner=self.manner)

    def _must_be_the_same(self) -> None:
        """Before a password goes out: is this an Alfen, and the one we began with?"""
        fresh = self._fresh
        if not is_info(fresh):
            raise Unexpected(f"{self.address} answers, but not like an Alfen station.", "Check the address.")
        if self.info and fresh["ObjectId"] != self.info["ObjectId"]:
            raise Unexpected(
                f"Another charger answers at {self.address} now: {fresh['ObjectId']} instead of "
                f"{self.info['ObjectId']}. Nothing more was sent to it.",
                "Search again: the charger's address has changed.",
            )
        self.info = fresh

    async def _log_in(self, login: Credentials) -> None:
        body = {"username": login.user, "password": login.password.reveal(), "displayname": SHOWN_AS}
        self._is_in = True  # a login whose answer is lost may have worked: then it is logged out as well
        request = self.http.request(
            "POST", "/api/login", json=body, headers=self._bearer, timeout_s=LOGIN_S, limit=100_000
        )
        answer = await self._whole(request)
        if answer.status != 200:
            self._is_in = False
            raise AuthFailed(f"{self.address} refuses the login (HTTP {answer.status}).", LOGIN_ADVICE)
        if answer.body.strip():
            token = as_object(answer).get("access")
            if isinstance(token, str) and token:
                self._bearer = {"Authorization": f"Bearer {token}"}

    async def _log_out(self) -> None:
        if not self._is_in or self._http is None:
            return
        self._is_in = False
        try:
            async with asyncio.timeout(LOGOUT_S):
                await self._http.request("POST", "/api/logout", headers=self._bearer, timeout_s=LOGOUT_S)
        except (AppError, TimeoutError):
            return

    def ended(self) -> None:
        """Note that the station has ended the session by itself."""
        self._is_in = False

    # Talking

    async def exchange(self, method: str, path: str, *, json: Any = None, limit: int = 1_000_000) -> HttpAnswer:
        """Make one exchange, logging in again where the station has ended the session.

        Raises Busy where it ends the session again at once: another program takes it. Raises LinkError, AuthFailed.
        """
        for is_last in (False, True):
            if not self._is_in:
                await self._enter()
            try:
                answer = await self._whole(
                    self.http.request(
                        method, path, json=json, headers=self._bearer, timeout_s=self.deadline_s, limit=limit
                    )
                )
            except LinkLost:
                self.ended()
                # only a question may be asked twice
                if is_last or method != "GET":
                    raise
                continue
            if answer.status not in (401, 403):
                return answer
            self.ended()
        raise Busy(f"{self.address} ended our session: another program took it over.", BUSY_ADVICE)

    async def _whole(self, request: Coroutine[Any, Any, HttpAnswer]) -> HttpAnswer:
        """Await an exchange that goes on where the caller is cancelled.

        Torn apart, it would take the connection along, and with it the only way to log out.
        """
        self._exchange = self._scope.isolated("exchange", _outcome(request))
        outcome = await asyncio.shield(self._exchange)
        if isinstance(outcome, AppError):
            raise outcome
        return outcome

    async def exchange_object(self, path: str) -> dict[str, Any]:
        """Get a JSON object; raises Unexpected on any status but 200, Garbled."""
        answer = await self.exchange("GET", path)
        if answer.status != 200:
            raise Unexpected(f"{self.address} answered {path} with HTTP {answer.status}.", "Note the firmware version.")
        return as_object(answer)


async def _outcome(request: Coroutine[Any, Any, HttpAnswer]) -> HttpAnswer | AppError:
    try:
        return await request
    except AppError as error:
        return error
