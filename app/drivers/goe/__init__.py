"""go-e chargers (local HTTP API v2) and Fronius Wattpilot, which go-e makes (the same keys over a WebSocket).

Two drivers in one package: what a key means stands in ``keys``, ``condition``, ``repointing`` and ``session``; how keys
are read and written, in ``http`` and ``wattpilot``.

Sources: goecharger/go-eCharger-API-v2 b4d7f85 (ocpp-en.md, http-en.md, API_KEYS_FIRMWARE/, issues 83, 108, 201, 274,
287, 299), goecharger/go-eCharger-API-v1 issue 64, joscha82/wattpilot (API.md, src/wattpilot/__init__.py).
"""

from __future__ import annotations

from app.driver.registry import Driver
from app.drivers.goe import http, wattpilot

DRIVERS: tuple[Driver, ...] = (http.DRIVER, wattpilot.DRIVER)
