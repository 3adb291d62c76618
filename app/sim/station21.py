"""What OCPP 2.1 adds to a simulated station: tariffs, priority charging, and polite refusals of what it has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.sim.station2_evse import Json
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2

REQUIRED = {
    "BootNotification": ("currentTime", "interval", "status"),
    "Heartbeat": ("currentTime",),
    "Authorize": ("idTokenInfo",),
    "SignCertificate": ("status",),
}
"""What an answer can't do without; where it lacks, the station says CALLRESULTERROR (part 4, §4.2.4)."""


class Additions21:
    """Tariffs (part 2, functional block I) and the rest of 2.1."""

    def __init__(self, station: Station2) -> None:
        self._station = station
        self.tariffs: dict[int, Json] = {}

    def answers(self) -> dict[str, Callable[[Json], Result]]:
        """Return what it answers."""
        refused = {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}}
        return {
            "SetDefaultTariff": self.set_default,
            "GetTariffs": self.get,
            "ClearTariffs": self.clear,
            "ChangeTransactionTariff": self.change,
            "UsePriorityCharging": self.use_priority,
            "NotifyAllowedEnergyTransfer": lambda _payload: {"status": "Accepted"},
            "UpdateDynamicSchedule": lambda _payload: dict(refused),
            "AFRRSignal": lambda _payload: dict(refused),
            "RequestBatterySwap": lambda _payload: dict(refused),
            "GetDERControl": lambda _payload: {"status": "NotSupported"},
            "SetDERControl": lambda _payload: {"status": "NotSupported"},
            "ClearDERControl": lambda _payload: {"status": "NotSupported"},
        }

    def set_default(self, payload: Json) -> Json:
        """I07: of one EVSE or, with 0, of all."""
        number, tariff = int(payload["evseId"]), payload["tariff"]
        if not 0 <= number <= len(self._station.evses):
            return rejected("UnknownEvse")
        if tariff["currency"] != self._station.model.text("TariffCostCtrlr", "Currency"):
            return rejected("InvalidValue")
        for evse in self._station.evses if number == 0 else [self._station.evse(number)]:
            self.tariffs[evse.number] = tariff
        return {"status": "Accepted"}

    def get(self, payload: Json) -> Json:
        """I09."""
        number = int(payload["evseId"])
        found = {at: tariff for at, tariff in self.tariffs.items() if number in (0, at)}
        if not found:
            return {"status": "NoTariff"}
        ids = {str(tariff["tariffId"]) for tariff in found.values()}
        made = [
            {
                "tariffId": one,
                "tariffKind": "DefaultTariff",
                "evseIds": [at for at, tariff in found.items() if tariff["tariffId"] == one],
            }
            for one in sorted(ids)
        ]
        return {"status": "Accepted", "tariffAssignments": made}

    def clear(self, payload: Json) -> Json:
        """I10: those named, or all."""
        wanted, place = payload.get("tariffIds"), payload.get("evseId")
        gone = {
            at: str(tariff["tariffId"])
            for at, tariff in self.tariffs.items()
            if (not wanted or tariff["tariffId"] in wanted) and place in (None, 0, at)
        }
        for at in gone:
            del self.tariffs[at]
        names = wanted or sorted(set(gone.values())) or [None]
        results = []
        for name in names:
            status = {"status": "Accepted" if name in gone.values() else "NoTariff"}
            results.append(status | ({"tariffId": name} if name else {}))
        return {"clearTariffsResult": results}

    def change(self, payload: Json) -> Json:
        """I11: of a running transaction, never its currency."""
        if self._station.transactions.find(str(payload["transactionId"])) is None:
            return {"status": "TxNotFound"}
        same = payload["tariff"]["currency"] == self._station.model.text("TariffCostCtrlr", "Currency")
        return {"status": "Accepted" if same else "NoCurrencyChange"}

    def use_priority(self, payload: Json) -> Result:
        """K21: it has no priority profile."""
        if self._station.transactions.find(str(payload["transactionId"])) is None:
            return rejected("UnknownTxId")
        return {"status": "NoProfile"}


def lacking(action: str, payload: Json) -> str:
    """Return the field that an answer lacks, empty where none does."""
    return next((name for name in REQUIRED.get(action, ()) if name not in payload), "")
