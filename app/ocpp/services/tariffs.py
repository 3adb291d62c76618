"""Prices a charger shows and works with by itself (OCPP 2.1 use cases I07 to I12): one flat price per kWh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import NotSupported
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A tariff a charger holds: default or of a driver, and on which EVSEs."""

    tariff_id: str
    kind: str
    evses: tuple[int, ...]


def _only21(endpoint: Endpoint) -> None:
    if endpoint.version != "2.1":
        raise NotSupported("Tariffs belong to OCPP 2.1.", "In 2.0.1 and 1.6 the price is shown by the backend alone.")


async def set_default(
    endpoint: Endpoint, tariff_id: str, currency: str, per_kwh: float, *, evse: int = 0
) -> tuple[str, str]:
    """Set one price per kWh for everybody (evse 0 = everywhere). Raises NotSupported, Refused, LinkError."""
    _only21(endpoint)
    tariff = {
        "tariffId": tariff_id[:60],
        "currency": currency[:3].upper(),
        "energy": {"prices": [{"priceKwh": round(per_kwh, 4)}]},
    }
    answer = await endpoint.call("SetDefaultTariff", {"evseId": evse, "tariff": tariff})
    status = v16.text(answer.get("status"), 30)
    words = {
        "Accepted": "The charger took the price.",
        "Rejected": "The charger refuses the price.",
        "TooManyElements": "The charger can't keep so many prices.",
        "ConditionNotSupported": "The charger does not know this condition.",
        "DuplicateTariffId": "A price of this name is in use already.",
    }
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")


async def assigned(endpoint: Endpoint, *, evse: int = 0) -> tuple[Assigned, ...]:
    """List the tariffs a charger holds. Raises NotSupported, Refused, LinkError."""
    _only21(endpoint)
    answer = await endpoint.call("GetTariffs", {"evseId": evse})
    items = answer.get("tariffAssignments")
    return tuple(_assigned(item) for item in (items if isinstance(items, list) else ())[:100] if isinstance(item, dict))


def _assigned(item: Mapping[str, Any]) -> Assigned:
    evses = item.get("evseIds")
    return Assigned(
        tariff_id=v16.text(item.get("tariffId"), 60),
        kind=v16.text(item.get("tariffKind"), 30),
        evses=tuple(v16.number(number) for number in (evses if isinstance(evses, list) else ())[:64]),
    )


async def clear(endpoint: Endpoint, tariff_id: str = "") -> tuple[str, str]:
    """Clear one tariff, or all. Raises NotSupported, Refused, LinkError."""
    _only21(endpoint)
    answer = await endpoint.call("ClearTariffs", {"tariffIds": [tariff_id]} if tariff_id else {})
    results = answer.get("clearTariffsResult")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    status = v16.text(first.get("status"), 30)
    words = {"Accepted": "The price is gone.", "NoTariff": "The charger had no such price."}
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")
