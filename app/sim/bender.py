"""A simulated Bender charge controller's web server: its own list of OCPP keys, and pages behind a login.

The columns, the header line and most rows as on the /doc/doc_1 page of a controller with 5.33.5; the rows that hold
addresses are made up after the labels of bender.de docs 5.33 (how the keys are called there is not known to us).
"""

from __future__ import annotations

import html
from typing import Any

from aiohttp import web

from app.sim.fault import Fault
from app.sim.webunit import Answer, WebUnit

COLUMNS = (
    "Key Name",
    "Master/Slave Scope",
    "OCPP standard",
    "Description",
    "Reboot Required",
    "Accessibility",
    "Type",
    "Range, Default or example",
)

ROWS: tuple[tuple[str, ...], ...] = (
    ("RCMBDelta", "Both", "No", "Minimum residual current change.", "No", "R/W", "uint", "[0..999] Def: 0"),
    ("RCMB_STATE", "Individual", "No", "RDC-M (RCMB) protection state", "No", "R", "String", 'Def: "RMS: OK, DC: OK"'),
    ("WeldCheck", "Individual", "No", "Welded contactor detection.", "Yes", "R", "Enum", "(0) Disable Def: Disable"),
    ("ChargePointVendor", "Both", "No", "Mandatory, identifies the vendor.", "Yes", "R", "String", 'Def: "Bender"'),
    ("ChargePointModel", "Not relevant", "No", "Identifies the model.", "Yes", "R", "String", 'Def: "CC612_2S0R"'),
    ("SSHAccessUsb", "Individual", "No", "Disables SSH access via USB.", "Yes", "R", "Enum", "(0) Off (1) On Def: On"),
    (
        "SimJsonServer",
        "Both",
        "No",
        "The WebSockets JSON OCPP URL of the Backend",
        "Yes",
        "R/W",
        "String",
        'Def: "ws://backend:8080/OCPPJProxy/v16/"',
    ),
    (
        "SimUpdatePath",
        "Both",
        "No",
        "URL of the firmware update server",
        "No",
        "R/W",
        "String",
        'Def: "http://u.example"',
    ),
    ("SimBackendPassword", "Both", "No", "Password for the backend", "Yes", "R/W", "String", 'Def: "s3cret-pass"'),
    ("HeartbeatInterval", "Both", "Yes", "Heartbeat <interval> & more", "No", "R/W", "uint", "[0..65535] Def: 300"),
)


class BenderUnit(WebUnit):
    """One controller; ``role`` is Master or Slave. ``has_list`` is false for firmware without the page."""

    def __init__(
        self, *, firmware: str = "5.33.5-21148", role: str = "Master", has_list: bool = True, **options: Any
    ) -> None:
        super().__init__("bender", **options)
        self.firmware = firmware
        self.role = role
        self.has_list = has_list
        self.rows = list(ROWS)
        self.asked: list[str] = []
        self.page: str | None = None
        """What it shows in place of its list."""

    async def answer(self, request: web.Request) -> Answer:
        """Show the list; the operator's pages want a login."""
        self.asked.append(f"{request.method} {request.path}")
        if request.path.startswith("/operator"):
            return web.Response(status=401, text="Login")
        if request.method != "GET" or request.path != "/doc/doc_1" or not self.has_list:
            return web.Response(status=404, text="Not found")
        text = self.page if self.page is not None else self.listed()
        if Fault.TRUNCATES in self.faults:
            text = text[: len(text) * 2 // 3]
        return web.Response(text=text, content_type="text/html")

    def listed(self) -> str:
        """Return the page."""
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in self.rows
        )
        return (
            "<!DOCTYPE html><html><head><title>Charging station interface</title></head><body>"
            f"<h1>Charging station interface {self.firmware} ({self.role} controller)</h1><p>2025-04-26 01:44</p>"
            "<h2>OCPP configuration keys (OCPP 1.5 and 1.6)</h2>"
            f"<table><tr>{head}</tr>\n{body}</table></body></html>"
        )
