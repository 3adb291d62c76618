"""Find serial ports by asking the operating system; nothing is sent to any port here."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.discovery.services import clean
from app.discovery.source import Report, Tell
from app.model.address import SerialAddress
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting, SourceKind

PORT_LIMIT = 256
"""Ports looked at; a computer with more is asked to name the port."""


def system_ports() -> Iterable[Any]:
    """Ask the operating system for its serial ports."""
    from serial.tools.list_ports import comports

    found: Iterable[Any] = comports()
    return found


class SerialSource:
    """Reports ports as they are plugged and unplugged.

    ``extra_ports`` are ports the user chose or the demo made (pseudo terminals are in no list); they are present as
    long as their file exists. A system that does not answer within ``patience_s`` (a hung USB driver) is said to be so.
    """

    name = "serial"

    def __init__(
        self,
        list_ports: Callable[[], Iterable[Any]] | None = None,
        *,
        extra_ports: Sequence[str] = (),
        poll_s: float = 1.0,
        patience_s: float = 10.0,
    ) -> None:
        self._list_ports = list_ports or system_ports
        self._extra_ports = tuple(extra_ports)
        self._poll_s = poll_s
        self._patience_s = patience_s
        self._question: asyncio.Future[tuple[dict[str, Sighting], SourceState]] | None = None
        self._present: dict[str, Sighting] = {}
        self._state: SourceState | None = None

    async def run(self, report: Report, state: Tell) -> None:
        """Look every ``poll_s`` seconds until cancelled."""
        self._tell(state, SourceState(source=self.name, health=SourceHealth.STARTING, text="Starting."))
        while True:
            await self._look(report, state)
            await asyncio.sleep(self._poll_s)

    async def _look(self, report: Report, state: Tell) -> None:
        if self._question is None:
            # A thread, because Windows may take 100 ms for this; one at a time, because it may never come back.
            self._question = asyncio.get_running_loop().run_in_executor(None, self._ask_system)
        answered, _ = await asyncio.wait([self._question], timeout=self._patience_s)
        if not answered:
            self._tell(state, _failed(self.name, "it does not answer"))
            return
        question, self._question = self._question, None
        try:
            present, condition = question.result()
        except (OSError, ImportError) as error:
            self._tell(state, _failed(self.name, clean(str(error), 120)))
            return
        self._compare(present, report)
        self._tell(state, condition)

    def _ask_system(self) -> tuple[dict[str, Sighting], SourceState]:
        listed = itertools.islice(self._list_ports(), PORT_LIMIT)
        present = {str(item.address): item for item in map(_sighting, listed)}
        for port in self._extra_ports:
            if not port.startswith("/") or Path(port).exists():
                present[port] = _chosen(port, present.get(port))
        return present, _condition(self.name, present)

    def _compare(self, present: dict[str, Sighting], report: Report) -> None:
        for port, sighting in self._present.items():
            # A different adapter under an old name is a new port.
            if port not in present or present[port].hints != sighting.hints:
                report(replace(sighting, is_gone=True, at=datetime.now(UTC)))
        for port, sighting in present.items():
            if port not in self._present or self._present[port].hints != sighting.hints:
                report(sighting)
        self._present = present

    def _tell(self, state: Tell, value: SourceState) -> None:
        if value != self._state:
            self._state = value
            state(value)


def _sighting(port: Any) -> Sighting:
    """Make a sighting of a pyserial ``ListPortInfo``; its texts come from the USB device."""

    def usb_id(value: object) -> str:
        return f"{value:04X}" if isinstance(value, int) else ""

    hints = {
        "vid": usb_id(port.vid),
        "pid": usb_id(port.pid),
        "usb_serial": clean(str(port.serial_number or "")),
        "product": clean(str(port.product or port.description or "")),
        "maker": clean(str(port.manufacturer or "")),
    }
    address = SerialAddress(port=str(port.device))
    return Sighting(source=SourceKind.SERIAL, address=address, at=datetime.now(UTC), hints=hints)


def _chosen(port: str, listed: Sighting | None) -> Sighting:
    if listed is not None:
        return replace(listed, hints={**listed.hints, "chosen": "yes"})
    address = SerialAddress(port=port)
    return Sighting(source=SourceKind.SERIAL, address=address, at=datetime.now(UTC), hints={"chosen": "yes"})


def _condition(name: str, present: dict[str, Sighting]) -> SourceState:
    closed = [port for port in present if port.startswith("/") and not os.access(port, os.R_OK | os.W_OK)]
    count = f"{len(present)} serial port{'' if len(present) == 1 else 's'}"
    if closed:
        group = "dialout" if sys.platform.startswith("linux") else "owner's"
        return SourceState(
            source=name,
            health=SourceHealth.LIMITED,
            text=f"{count}; no permission to open {', '.join(closed[:4])}.",
            advice=f"Add yourself to the {group} group (sudo usermod -a -G dialout $USER), then log out and in again."
            if group == "dialout"
            else "Ask the owner of this computer for permission to use the port.",
        )
    return SourceState(source=name, health=SourceHealth.WORKING, text=f"{count}.")


def _failed(name: str, why: str) -> SourceState:
    return SourceState(
        source=name,
        health=SourceHealth.FAILED,
        text=f"The system does not list its serial ports ({why}).",
        advice="Unplug and plug the cable again, or type the port (for example COM5). The search goes on by itself.",
    )
