"""Tell discovery what dialled in: connection, Boot, hang-up."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from app.model.frame import Boot
from app.model.unit import Claim, ClaimKind, Identity, Sighting, SourceKind, claim

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}\Z")


def on_dial(endpoint: Endpoint) -> Sighting:
    """Report a new connection. What an earlier Boot told is still true of a unit that reconnects without one."""
    return _sighting(endpoint, endpoint.opened_at, endpoint.ledger.boot)


def on_boot(endpoint: Endpoint) -> Sighting:
    """Report a BootNotification."""
    return _sighting(endpoint, endpoint.last_heard_at, endpoint.boot)


def on_hang_up(endpoint: Endpoint, at: datetime) -> Sighting:
    """Report that the connection is over."""
    return Sighting(source=SourceKind.DIAL_IN, address=endpoint.address, at=at, is_gone=True)


def identity_of(name: str, boot: Boot | None) -> Identity:
    """Tell who a unit is by its OCPP identity and its Boot.

    A serial of twelve hex digits is the unit's MAC as well: ESP32 units report that (OpenEVSE ``wifi_serial``,
    OpenEVSE_esp32_firmware src/ocpp.cpp).
    """
    claims: list[Claim | None] = [claim(ClaimKind.IDENTITY, name)]
    fields = boot.fields if boot else {}
    serials = [fields.get(key, "") for key in ("chargePointSerialNumber", "chargeBoxSerialNumber", "serialNumber")]
    claims += [claim(ClaimKind.SERIAL, serial) for serial in serials]
    mac = next((serial for serial in serials if _MAC.match(serial)), "")
    claims.append(claim(ClaimKind.MAC, mac))
    return Identity(
        vendor=boot.vendor if boot else "",
        model=boot.model if boot else "",
        serial=boot.serial if boot else "",
        firmware=boot.firmware if boot else "",
        mac=mac,
        claims=tuple(dict.fromkeys(item for item in claims if item is not None)),
        extra={key: value for key, value in fields.items() if value},
    )


def _sighting(endpoint: Endpoint, at: datetime, boot: Boot | None) -> Sighting:
    shake = endpoint.handshake
    hints = {
        # Families are known by the words of 1.6.
        **({"chargePointVendor": boot.vendor, "chargePointModel": boot.model} if boot else {}),
        **(dict(boot.fields) if boot else {}),
        "identity": endpoint.identity,
        "path": shake.path,
        "remote": shake.remote,
        "subprotocol": shake.chosen_subprotocol,
        "version": endpoint.version,
    }
    return Sighting(
        source=SourceKind.DIAL_IN,
        address=endpoint.address,
        at=at,
        hints=hints,
        identity=identity_of(endpoint.identity, boot),
        adapter=shake.local,
    )
