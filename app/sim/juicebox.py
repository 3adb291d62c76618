"""A simulated Wi-Fi JuiceBox: real UDP, its own start, its own habits. No task runs but while it starts.

Sources: chargers-commercial 1.1 to 1.6; home-assistant/core issue 86588 (start, console), JuiceRescue/juicepassproxy
issues 88 (0 A sites), 101 (“DirSvc acq err”, asked again and again), 116 (directory), 131 (Voltie), 149 (EO Mini Pro);
potatono/juiceboxservice README (a stream opened from the console takes no commands).
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from app.scope import Scope
from app.sim import juicebox_datagram as datagram
from app.sim.juicebox_datagram import Form, Order, Told
from app.sim.juicebox_names import DEFAULT, DIRECTORY, Profile, directed, resolved, trust
from app.sim.juicebox_power import Power

VOLTIE = ("dummy.voltie.us", 8055)
ENEL = ("juicenet-udp-prod3-usa.enelx.com", 8047)

CHARGING_S = 9
IDLE_S = 30
"""The periods of its reports, in its own seconds."""

ASK_AGAIN_S = 60.0
"""How soon a name or the directory is asked again: our own assumption, no source tells."""

ANSWER_S = 2.0
"""How long it waits for DNS and directory, in real seconds."""

KEPT = 200
"""Commands and names remembered for the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """A generation: its words for ``ver``, and the form of its reports."""

    version: str
    form: Form
    obeys: bool = True


MAKES: Mapping[str, Make] = {
    "jb1": Make(version="EMWERK-JB_1_1-1.4.0.28, 2021-04-27T20:39:50Z, ZentriOS-WZ-3.6.4.0", form=Form.V07),
    "jb1-oldest": Make(version="", form=Form.OLDEST),
    "jb2": Make(version="EMWERK-JB201-1.0.46, Gecko_OS-STANDARD-4.2.7-11064, WGM160P", form=Form.V09U),
    "eo": Make(version="EMWERK-JEO2-1.0.0.36, 2020-10-01T05:52:42Z, ZentriOS-WZ-3.6.4.0", form=Form.V07, obeys=False),
}
"""``jb1-oldest`` stands for the boards before AMW106, of which no version line was published."""


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What becomes of datagrams on the way: shares of 1, drawn by ``seed``. A swapped one arrives after the next."""

    lost: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    seed: int = 1
    _draw: random.Random = field(init=False, repr=False)
    _held: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def arriving(self, data: bytes) -> list[bytes]:
        """Return what arrives now that this one was sent."""
        held, self._held = self._held, None
        late = [] if held is None else [held]
        if self._draw.random() < self.lost:
            return late
        if not late and self._draw.random() < self.swapped:
            self._held = data
            return []
        return [*([data, data] if self._draw.random() < self.doubled else [data]), *late]


@dataclass(slots=True)
class Stream:
    """An open UDP stream of the box, as its console lists it."""

    host: str
    port: int
    transport: asyncio.DatagramTransport
    reads: bool

    @property
    def local_port(self) -> int:
        """Return the port it sends from."""
        return int(self.transport.get_extra_info("sockname")[1])


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, box: JuiceBox) -> None:
        self._box = box

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._box.heard(self, data)

    def error_received(self, _error: Exception) -> None:
        """Nobody listens there: the box goes on sending."""


_numbers = itertools.count(1)


def next_serial(make: str) -> str:
    """Return a serial number nobody else in this process has: 28 digits, as the captured ones."""
    return f"{'0910042001' if make == 'jb2' else '0817081001'}{next(_numbers):018d}"


class JuiceBox:
    """One box. Use it as an async context manager; it starts on entering.

    ``dns`` is the server it asks. ``ports`` maps the ports it means to those of a test. ``target`` (an address and a
    port) sends there at once, with neither DNS nor directory. ``dials`` is where it was led before anybody came, until
    the next start, ``is_sealed`` whether it was told to encrypt. ``online_field`` says which of the two disputed fields
    of a command this unit takes for the online limit. ``ca_file`` is the root it checks its directory with; ``None``
    checks nothing.

    States::

        off ──power──► starting ──► running ──power_cycle──► starting
    """

    def __init__(
        self,
        make: str = "jb1",
        *,
        serial: str = "",
        form: Form | None = None,
        target: tuple[str, int] | None = None,
        dns: tuple[str, int] | None = None,
        ports: Mapping[int, int] | None = None,
        dials: tuple[str, int] | None = None,
        is_sealed: bool = False,
        online_field: str = "A",
        rating_a: int = 40,
        offline_a: int = 40,
        ca_file: str | None = None,
        mishaps: Mishaps | None = None,
        host: str = "127.0.0.1",
        time_scale: float = 1.0,
    ) -> None:
        self.make = MAKES[make]
        self.serial = serial or next_serial(make)
        self.form = form or self.make.form
        self.host = host
        self.power = Power(rating_a=rating_a, offline_a=offline_a)
        self.commands: deque[Order] = deque(maxlen=KEPT)
        self.refused = 0
        """Datagrams that were no command with a right checksum."""
        self.reports = 0
        self.names: deque[str] = deque(maxlen=KEPT)
        """Names it asked for, the newest last."""
        self.booted = asyncio.Event()
        self.is_sealed = is_sealed
        self.streams: dict[int, Stream] = {}
        self.mishaps = mishaps or Mishaps()
        self.dns = dns
        self.online_field = online_field
        self._target = target
        self._dials = dials
        self._ports = ports or {}
        self._ca_file = ca_file
        self._scale = max(time_scale, 0.0001)
        self._scope = Scope("sim/juicebox")
        self._timer: asyncio.TimerHandle | None = None
        self._counter = 0
        self._began_s = 0.0
        self._is_on = False

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        await self._scope.close()

    # -- what a person does to it

    def plug_in(self) -> None:
        """Put a car on it."""
        self._change(is_plugged=True)

    def unplug(self) -> None:
        """Take the car away."""
        self._change(is_plugged=False)

    def want(self, current: bool) -> None:
        """Let the car want current, or be full."""
        self._change(wants_current=current)

    def break_down(self, is_faulty: bool = True) -> None:
        """Let it find a fault, or mend it."""
        self._change(is_faulty=is_faulty)

    async def lead(self, target: tuple[str, int] | None) -> None:
        """Switch it off and on where its names lead to an address and port; ``None``: nowhere any more."""
        self._target = target
        await self.power_cycle()

    async def power_cycle(self) -> None:
        """Switch its breaker off and on: whatever the directory told is forgotten."""
        self._stop()
        await self._scope.close()
        self._scope = Scope("sim/juicebox")
        self._dials, self.is_sealed = None, False
        self.power.pass_time(self.now_s)
        self.power.lose_power()
        await self._start()

    # -- what it does

    @property
    def now_s(self) -> float:
        """Return its own seconds since an arbitrary moment."""
        return asyncio.get_running_loop().time() / self._scale

    @property
    def dialling(self) -> str:
        """Return where its reports go now, ``host:port``; empty while it has no stream."""
        stream = next(iter(self.streams.values()), None)
        return f"{stream.host}:{stream.port}" if stream else ""

    def told(self) -> Told:
        """Return what a report says now."""
        power = self.power
        power.pass_time(self.now_s)
        limit = power.offline_a if power.online_a is None else power.online_a
        return Told(
            mode=power.mode,
            counter=self._counter,
            loop=int(self.now_s - self._began_s),
            voltage_v=power.voltage_v,
            lifetime_wh=int(power.lifetime),
            session_wh=int(power.session),
            current_a=power.current_a,
            temperature_c=34 if power.is_charging else 21,
            online_a=limit,
            offline_a=power.offline_a,
            rating_a=power.rating_a,
            period_s=CHARGING_S if power.is_charging else IDLE_S,
            interval=int(self.now_s // 900) % 96,
        )

    def say(self, level: str, text: str) -> None:
        """Send a debug line."""
        self._send(datagram.debug(self.serial, level, text))

    def report(self) -> None:
        """Send a report now, and the next one a period later."""
        self._counter = self._counter % 999 + 1
        told = self.told()
        sealed = datagram.sealed(self.serial, self.form) if self.is_sealed else None
        self._send(sealed or datagram.report(self.serial, self.form, told))
        self.reports += 1
        self._later(told.period_s)

    def heard(self, ear: object, data: bytes) -> None:
        """Take what came over a stream."""
        stream = next((item for item in self.streams.values() if item.transport.get_protocol() is ear), None)
        if stream is None or not stream.reads or not self.make.obeys or self.is_sealed:
            return
        order = datagram.order(data)
        if order is None:
            self.refused += 1
            return
        self.commands.append(order)
        self._obey(order)

    def _obey(self, order: Order) -> None:
        before = self.power.mode
        self.power.pass_time(self.now_s)
        online, offline = (order.a, order.m) if self.online_field == "A" else (order.m, order.a)
        self.power.obey(online, offline)
        if self.power.mode != before:
            self.report()

    def _change(self, **facts: bool) -> None:
        self.power.pass_time(self.now_s)
        for name, value in facts.items():
            setattr(self.power, name, value)
        self.power.settle()
        if self._is_on and self.booted.is_set():
            self.report()

    def _later(self, own_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(own_s * self._scale, self.report)

    def _send(self, data: bytes) -> None:
        stream = next(iter(self.streams.values()), None)
        if stream is None:
            return
        for item in self.mishaps.arriving(data):
            stream.transport.sendto(item)

    # -- how it starts

    async def _start(self) -> None:
        self._is_on = True
        self._counter, self._began_s, self.power.now_s = 0, self.now_s, self.now_s
        if self._target is not None:
            await self.open(*self._target)
            self._greet()
            self.booted.set()
            self._later(random.Random(self.serial).uniform(0, IDLE_S))
        else:
            self._scope.isolated("start", self._find())

    def _stop(self) -> None:
        self._is_on = False
        self.booted.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for number in list(self.streams):
            self.close(number)

    async def _find(self) -> None:
        """Go through the start until the directory answered; without it, stay with the built-in name."""
        goes = self._led if self._dials else self._directed
        while True:
            if await goes():
                self._run()
                return
            await asyncio.sleep(ASK_AGAIN_S * self._scale)

    async def _led(self) -> bool:
        return self._dials is not None and await self._reach(*self._dials)

    def _greet(self) -> None:
        """Tell that it starts, and what it runs, where this generation does."""
        if self.make.version:
            self.say("NFO", f"BOT:{self.make.version}")

    def _run(self) -> None:
        self.booted.set()
        self.report()

    async def _directed(self) -> bool:
        """Open the built-in name, ask the directory, and go where it says; ``False`` where it says nothing."""
        has_default = bool(self.streams) or await self._reach(*DEFAULT)
        if has_default and not self.booted.is_set():
            self._greet()
        found = await self._profile()
        if found is not None and await self._reach(found.host, found.port):
            self.is_sealed = found.encrypts
            return True
        self.say("ERR", "DirSvc acq err")
        if has_default and not self.booted.is_set():
            self._run()
        return False

    async def _profile(self) -> Profile | None:
        address = await self.look_up(DIRECTORY)
        if not address:
            return None
        return await directed(address, self._real(443), self.serial, trust(self._ca_file), timeout_s=ANSWER_S)

    async def _reach(self, name: str, port: int) -> bool:
        """Look a name up and open a stream there instead of the present one."""
        address = await self.look_up(name)
        if not address:
            return False
        try:
            opened = await self._stream(address, port, name=name)
        except OSError:
            return False
        for number in list(self.streams):
            self.close(number)
        self.streams[1] = opened
        return True

    async def look_up(self, name: str) -> str:
        """Return the address of a name as its own DNS server tells it; empty where there is none."""
        self.names.append(name)
        return await resolved(name, self.dns, timeout_s=ANSWER_S)

    async def open(self, address: str, port: int, *, name: str = "", reads: bool = True) -> int:
        """Open a stream; return its handle. Raises OSError."""
        stream = await self._stream(address, port, name=name, reads=reads)
        number = next(number for number in itertools.count(1) if number not in self.streams)
        self.streams[number] = stream
        return number

    async def _stream(self, address: str, port: int, *, name: str = "", reads: bool = True) -> Stream:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Ear(self), local_addr=(self.host, 0), remote_addr=(address, self._real(port))
        )
        return Stream(name or address, port, transport, reads)

    def close(self, number: int) -> bool:
        """Close a stream; ``False`` where there is none of that handle."""
        stream = self.streams.pop(number, None)
        if stream is not None:
            stream.transport.abort()
        return stream is not None

    def _real(self, port: int) -> int:
        return self._ports.get(port, port)
