"""A simulated OpenEVSE controller on a serial line: RAPI as the firmware speaks it.

Source: OpenEVSE/open_evse firmware/open_evse/rapi_proc.cpp (8.2.3, RAPI 5.2.1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from app.sim.car import Outlet

BUFFER = 32
"""``ESRAPI_BUFLEN``: longer input is dropped without an answer."""


def xor_sum(text: str) -> str:
    """Return the ``^XX`` checksum of everything before it."""
    return f"{reduce(lambda total, char: total ^ ord(char), text, 0):02X}"


def additive_sum(text: str) -> str:
    """Return the legacy ``*XX`` checksum."""
    return f"{sum(map(ord, text)) & 0xFF:02X}"


class Controller:
    """The controller's command set over one outlet. ``commands`` lists everything it was asked."""

    def __init__(
        self, outlet: Outlet, *, firmware: str = "8.2.3", rapi: str = "5.2.1", mcu_id: str = "OEVSE111A7D4B2"
    ) -> None:
        self.outlet = outlet
        self.firmware = firmware
        self.rapi = rapi
        self.mcu_id = mcu_id
        self.fault_state = 0
        self.max_current_a = 32
        self.settings_flags = 0x0021
        self.commands: list[str] = []

    @property
    def state(self) -> int:
        """Return the EVSE state number."""
        if self.fault_state:
            return self.fault_state
        return 3 if self.outlet.is_charging else 2 if self.outlet.is_plugged else 1

    @property
    def vflags(self) -> int:
        """Return the volatile flags."""
        if self.outlet.is_charging:
            return 0x0140
        return 0x0100 if self.outlet.is_plugged else 0x0200

    def reply(self, line: str) -> str:
        """Answer one line without its CR: ``$…[ :SS][^XX|*XX]``. An empty text = no answer."""
        if len(line) >= BUFFER:
            return ""
        body, kind, checksum = split_checksum(line)
        wanted = {"^": xor_sum, "*": additive_sum}.get(kind)
        if wanted is not None and wanted(body) != checksum.upper():
            return "$NK^21"
        words = body[1:].split()
        sequence = words.pop()[1:] if words and words[-1].startswith(":") else ""
        if sequence in ("00",):
            return "$NK^21"
        self.commands.append(" ".join(words))
        return self._framed(self._answer(words), sequence)

    def _framed(self, answer: str, sequence: str) -> str:
        text = f"{answer} :{sequence}" if sequence else answer
        return f"{text}^{xor_sum(text)}"

    def _answer(self, words: list[str]) -> str:
        answers: dict[str, Callable[[], str]] = {
            "GV": lambda: f"{self.firmware} {self.rapi}",
            "GS": lambda: f"{self.state:02x} {self._elapsed_s()} {self.state:02x} {self.vflags:04x}",
            "GG": lambda: f"{round(self.outlet.current_a * 1000)} {round(self.outlet.voltage_v * 1000)}",
            "GP": lambda: f"{round(self.outlet.temperature_c * 10)} -2560 -2560",
            "GC": lambda: f"6 48 {round(self.outlet.limit_a)} {self.max_current_a}",
            "GE": lambda: f"{self.max_current_a} {self.settings_flags:04x}",
            "GF": lambda: "0 0 0",
            "GU": lambda: f"{round(self.outlet.session_wh * 3600)} {round(self.outlet.energy_wh)}",
            "GI": lambda: f" {self.mcu_id}",
            "G0": lambda: str(int(self.outlet.is_plugged)),
            "GA": lambda: "220 0",
            "GT": lambda: "26 11 22 12 0 0",
        }
        answer = answers.get(words[0]) if words else None
        return f"$OK {answer()}" if answer else "$NK"

    def _elapsed_s(self) -> int:
        return round(self.outlet.session_wh * 3600 / self.outlet.power_w) if self.outlet.power_w else 0


def split_checksum(line: str) -> tuple[str, str, str]:
    """Take a line apart into body, kind of checksum (``^``, ``*`` or empty) and its digits."""
    for kind in "^*":
        body, mark, digits = line.partition(kind)
        if mark:
            return body, kind, digits
    return line, "", ""
