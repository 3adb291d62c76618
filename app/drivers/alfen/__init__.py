"""Alfen Eve stations over their local web interface, the one the vendor's own installer program uses.

Sources: pbasista/alfenctl 7f2177f and 9a4c9cc (docs/how-it-works.md, src/alfenctl/transport.py, charger.py, ocpp.py,
secret.py, status.py, research/windows/windows-findings.md); leeyuentuen/alfen_wallbox bc96986 (doc/alfen_props.md,
custom_components/alfen_wallbox/alfen.py, sensor.py) and its issues 83, 132, 225, 239, 241, 246, 251.
"""

from __future__ import annotations

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WritesSettings,
)
from app.driver.web import web_driver
from app.drivers.alfen.identity import recognise
from app.drivers.alfen.session import AlfenEve

DRIVER = web_driver(
    AlfenEve,
    title="Alfen Eve (local web interface)",
    asks=("GET /api/info",),
    capabilities=frozenset(
        {
            ExportsLog,
            Identifies,
            Meters,
            ReadsOneSetting,
            ReadsSettings,
            Reboots,
            ReportsStatus,
            SetsBackend,
            WritesSettings,
        }
    ),
    recognise=recognise,
)
