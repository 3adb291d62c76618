"""One FTP client: its commands in the order they come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.errors import DiskFull, StoreError
from app.model.transfer import Carrier, Course, Ticket
from app.standin.files import FileShelf, Incoming, Outgoing, TooLarge, safe_name
from app.standin.ftp_channel import Active, Channel, Passive, eprt_argument, is_allowed, port_argument

CHUNK = 65_536
MAX_COMMANDS = 500
MAX_WRONG = 3
PATH_LIMIT = 500
ANONYMOUS = ("anonymous", "ftp")


class FtpSession:
    """One client's session.

    States::

        greeted ──USER/PASS──► known ──PASV|PORT──► agreed ──RETR|STOR|LIST──► known
    """

    def __init__(self, shelf: FileShelf, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._shelf = shelf
        self._reader, self._writer = reader, writer
        self.peer: str = (writer.get_extra_info("peername") or ("",))[0]
        self._local: str = (writer.get_extra_info("sockname") or ("",))[0]
        self._user = ""
        self._is_in = False
        self._login: Ticket | None = None
        self._folder: tuple[str, ...] = ()
        self._channel: Channel | None = None
        self._rest = 0
        self._wrong = 0
        self._is_over = False
        self._before: dict[str, Callable[[str], Awaitable[None]]] = {
            "USER": self._take_user, "PASS": self._take_password, "QUIT": self._quit, "FEAT": self._features,
            "SYST": self._system, "NOOP": self._ok, "OPTS": self._ok, "AUTH": self._no_tls,
        }  # fmt: skip
        self._after: dict[str, Callable[[str], Awaitable[None]]] = {
            "TYPE": self._type, "MODE": self._mode, "STRU": self._mode, "ALLO": self._ok, "ACCT": self._ok,
            "PWD": self._pwd, "XPWD": self._pwd, "CWD": self._cwd, "CDUP": self._cdup, "MKD": self._mkd,
            "PASV": self._pasv, "EPSV": self._epsv, "PORT": self._port, "EPRT": self._eprt,
            "SIZE": self._size, "REST": self._restart, "RETR": self._retr, "STOR": self._stor, "LIST": self._list,
            "NLST": self._names, "ABOR": self._abort,
        }  # fmt: skip

    async def run(self) -> None:
        """Serve until the client leaves, falls silent or goes too far. Raises OSError, ValueError."""
        await self._say(220, "Rehome file service")
        for _ in range(MAX_COMMANDS):
            async with asyncio.timeout(self._shelf.bounds.idle_s):
                line = await self._reader.readline()
            if not line.endswith(b"\n"):
                return
            word, _, rest = line.decode("utf-8", "replace").strip("\r\n").partition(" ")
            await self._one(word.upper(), rest)
            if self._is_over:
                return

    def close(self) -> None:
        """Close everything. Idempotent."""
        self._drop_channel()
        self._writer.close()

    async def _one(self, word: str, rest: str) -> None:
        command = self._before.get(word)
        if command is None and word in self._after:
            if not self._is_in:
                await self._say(530, "Log in first.")
                return
            command = self._after[word]
        if command is None:
            await self._say(502, "Not offered.")
            return
        await command(rest)
        if word != "REST":
            self._rest = 0

    async def _say(self, code: int, text: str) -> None:
        self._writer.write(f"{code} {text}\r\n".encode())
        async with asyncio.timeout(self._shelf.bounds.idle_s):
            await self._writer.drain()

    # Who

    async def _take_user(self, rest: str) -> None:
        self._user, self._is_in, self._login, self._folder = rest.strip(), False, None, ()
        await self._say(331, "The password, please.")

    async def _take_password(self, rest: str) -> None:
        self._login = self._shelf.login(self._user, rest.strip())
        self._is_in = self._login is not None or self._user.lower() in ANONYMOUS
        if self._is_in:
            await self._say(230, "Welcome.")
            return
        self._wrong += 1
        self._is_over = self._wrong >= MAX_WRONG
        await self._say(421 if self._is_over else 530, "Not these.")

    async def _quit(self, _: str) -> None:
        self._is_over = True
        await self._say(221, "Bye.")

    async def _no_tls(self, _: str) -> None:
        await self._say(502, "No TLS here.")

    # Small talk

    async def _features(self, _: str) -> None:
        self._writer.write(b"211-Features\r\n EPSV\r\n EPRT\r\n SIZE\r\n REST STREAM\r\n UTF8\r\n")
        await self._say(211, "End")

    async def _system(self, _: str) -> None:
        await self._say(215, "UNIX Type: L8")

    async def _ok(self, _: str) -> None:
        await self._say(200, "Fine.")

    async def _type(self, rest: str) -> None:
        is_known = rest.strip().upper()[:1] in ("A", "I", "L")
        await self._say(200 if is_known else 504, "Bytes go as they are." if is_known else "Not that one.")

    async def _mode(self, rest: str) -> None:
        is_known = rest.strip().upper() in ("S", "F")
        await self._say(200 if is_known else 504, "Fine." if is_known else "Not that one.")

    async def _abort(self, _: str) -> None:
        self._drop_channel()
        await self._say(226, "Nothing is under way.")

    # Where

    def _resolve(self, path: str) -> tuple[str, ...] | None:
        """Return the folders and name of a path; ``None`` for one that is up to no good."""
        if len(path) > PATH_LIMIT or not path.isprintable() or "\\" in path:
            return None
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if ".." in parts:
            return None
        return parts if path.startswith("/") else self._folder + parts

    def _ticket(self, parts: tuple[str, ...]) -> Ticket | None:
        """Return the ticket in force: that of the login while it is open, else that of the path."""
        if self._login is not None:
            return self._shelf.ticket(self._login.token)
        return self._shelf.ticket(parts[0]) if parts else None

    async def _pwd(self, _: str) -> None:
        path = "/" + "/".join(self._folder)
        await self._say(257, f'"{path}"')

    async def _cwd(self, rest: str) -> None:
        parts = self._resolve(rest.strip())
        if parts is None or (parts and self._ticket(parts) is None):
            await self._say(550, "No such folder.")
            return
        self._folder = parts
        await self._say(250, "Here we are.")

    async def _cdup(self, _: str) -> None:
        self._folder = self._folder[:-1]
        await self._say(250, "Here we are.")

    async def _mkd(self, rest: str) -> None:
        parts = self._resolve(rest.strip())
        is_fine = parts is not None and self._ticket(parts) is not None
        name = re.sub(r'"', '""', rest.strip())
        await self._say(257 if is_fine else 550, f'"{name}"' if is_fine else "Not here.")

    # The data connection

    def _drop_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def _listen(self) -> Passive:
        self._drop_channel()
        passive = Passive(self.peer)
        self._channel = passive
        await passive.open(self._local)
        return passive

    async def _pasv(self, _: str) -> None:
        if ":" in self._local:
            await self._say(425, "Use EPSV.")
            return
        port = (await self._listen()).port
        numbers = ",".join([*self._local.split("."), str(port >> 8), str(port & 255)])
        await self._say(227, f"Entering Passive Mode ({numbers}).")

    async def _epsv(self, rest: str) -> None:
        if rest.strip().upper() == "ALL":
            await self._say(200, "Fine.")
            return
        await self._say(229, f"Entering Extended Passive Mode (|||{(await self._listen()).port}|)")

    async def _port(self, rest: str) -> None:
        await self._dial(port_argument(rest))

    async def _eprt(self, rest: str) -> None:
        await self._dial(eprt_argument(rest))

    async def _dial(self, target: tuple[str, int] | None) -> None:
        self._drop_channel()
        if target is None:
            await self._say(501, "That is no address.")
        elif not is_allowed(target, self.peer):
            await self._say(504, "Only to yourself.")
        else:
            self._channel = Active(*target, self._local)
            await self._say(200, "Fine.")

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        channel = self._channel
        if channel is None:
            await self._say(425, "Say PASV or PORT first.")
            return None
        await self._say(150, "Here it comes.")
        try:
            return await channel.connected(self._shelf.bounds.connect_s)
        except OSError:  # TimeoutError is one
            self._drop_channel()
            await self._say(425, "The data connection can't be made.")
            return None

    # Files

    async def _offered(self, rest: str) -> Ticket | None:
        parts = self._resolve(rest.strip())
        ticket = self._ticket(parts) if parts else None
        is_it = ticket is not None and ticket.course is Course.FETCH and parts is not None
        if ticket is None or not is_it or (parts and safe_name(parts[-1]) != ticket.name):
            await self._say(550, "No such file.")
            return None
        return ticket

    async def _size(self, rest: str) -> None:
        if (ticket := await self._offered(rest)) is not None:
            await self._say(213, str(ticket.size))

    async def _restart(self, rest: str) -> None:
        self._rest = int(rest) if re.fullmatch(r"\s*\d{1,15}\s*", rest) else 0
        await self._say(350, f"From {self._rest}.")

    async def _retr(self, rest: str) -> None:
        ticket = await self._offered(rest)
        if ticket is None or (streams := await self._connected()) is None:
            return
        file = self._shelf.outgoing(ticket.token, Carrier.FTP, self.peer)
        try:
            problem = await self._pour(file, streams[1]) if file is not None else "it is gone"
        finally:
            streams[1].close()
            self._drop_channel()
        await self._say(426 if problem else 226, problem or "Done.")

    async def _pour(self, file: Outgoing, writer: asyncio.StreamWriter) -> str:
        try:
            file.seek(self._rest)
            while data := file.read(CHUNK):
                writer.write(data)
                async with asyncio.timeout(self._shelf.bounds.idle_s):
                    await writer.drain()
            writer.write_eof()
            async with asyncio.timeout(self._shelf.bounds.idle_s):
                await writer.drain()
        except (OSError, asyncio.CancelledError) as error:
            file.failed("the charger hung up")
            if isinstance(error, asyncio.CancelledError):
                raise
            return "Broken off."
        file.done()
        return ""

    async def _stor(self, rest: str) -> None:
        parts = self._resolve(rest.strip())
        ticket = self._ticket(parts) if parts else None
        if not parts or ticket is None or ticket.course is not Course.DELIVER:
            await self._say(553, "Not under this name.")
            return
        try:
            file = self._shelf.incoming(ticket.token, parts[-1], Carrier.FTP, self.peer)
        except StoreError as error:
            await self._say(*_store_problem(error))
            return
        streams = None
        try:
            streams = await self._connected()
        finally:
            if streams is None:
                _forget(file, "no data connection came about")
        if streams is None:
            return
        try:
            code, text = await self._take(file, streams[0])
        finally:
            streams[1].close()
            self._drop_channel()
        await self._say(code, text)

    async def _take(self, file: Incoming, reader: asyncio.StreamReader) -> tuple[int, str]:
        try:
            while True:
                async with asyncio.timeout(self._shelf.bounds.idle_s):
                    data = await reader.read(CHUNK)
                if not data:
                    break
                file.write(data)
            file.done()
        except StoreError as error:
            _forget(file, error.message)
            return _store_problem(error)
        except TimeoutError:
            _forget(file, "nothing came any more")
            return 426, "Nothing came any more."
        except (OSError, asyncio.CancelledError) as error:
            _forget(file, "the charger hung up")
            if isinstance(error, asyncio.CancelledError):
                raise
            return 426, "Broken off."
        return 226, "Kept."

    async def _list(self, _: str) -> None:
        ticket = self._ticket(self._folder)
        line = f"-r--r--r-- 1 ftp ftp {ticket.size} Jan  1 00:00 {ticket.name}\r\n" if ticket and ticket.name else ""
        await self._show(line)

    async def _names(self, _: str) -> None:
        ticket = self._ticket(self._folder)
        await self._show(f"{ticket.name}\r\n" if ticket and ticket.name else "")

    async def _show(self, text: str) -> None:
        if (streams := await self._connected()) is None:
            return
        try:
            streams[1].write(text.encode())
            async with asyncio.timeout(self._shelf.bounds.idle_s):
                await streams[1].drain()
        finally:
            streams[1].close()
            self._drop_channel()
        await self._say(226, "Done.")


def _forget(file: Incoming, why: str) -> None:
    with suppress(OSError):
        file.failed(why)


def _store_problem(error: StoreError) -> tuple[int, str]:
    if isinstance(error, TooLarge):
        return 552, error.message
    return (452 if isinstance(error, DiskFull) else 450), error.message
