"""What a simulated 2.x station shows and knows of customers (part 2, functional blocks I, N09 and O)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.sim.station2_evse import IdToken, Json
from app.sim.station2_orders import Result, rejected

if TYPE_CHECKING:
    from app.sim.station2 import Station2

PIECE = 512
"""Characters in one NotifyCustomerInformation."""


class Display:
    """The messages on its screen, the cost it shows, the customers it remembers."""

    def __init__(self, station: Station2) -> None:
        self._station = station
        self.messages: dict[int, Json] = {}
        self.costs: dict[str, float] = {}

    def set_message(self, payload: Json) -> Json:
        """O01."""
        message, model = payload["message"], self._station.model
        if message["message"]["format"] not in model.members("DisplayMessageCtrlr", "SupportedFormats"):
            return {"status": "NotSupportedMessageFormat"}
        if message["priority"] not in model.members("DisplayMessageCtrlr", "SupportedPriorities"):
            return {"status": "NotSupportedPriority"}
        if "transactionId" in message and self._station.transactions.find(str(message["transactionId"])) is None:
            return {"status": "UnknownTransaction"}
        limit = model.variable("DisplayMessageCtrlr", "DisplayMessages").highest or 0
        if message["id"] not in self.messages and len(self.messages) >= limit:
            return rejected("TooManyElements")
        self.messages[int(message["id"])] = message
        self._counted()
        return {"status": "Accepted"}

    def get_messages(self, payload: Json) -> Result:
        """O03 and O04."""
        found = [message for message in self.messages.values() if _is_wanted(message, payload)]
        if not found:
            return {"status": "Unknown"}
        told = {"requestId": int(payload["requestId"]), "messageInfo": found, "tbc": False}
        return {"status": "Accepted"}, lambda: self._station.say("NotifyDisplayMessages", told)

    def clear_message(self, payload: Json) -> Json:
        """O05."""
        gone = self.messages.pop(int(payload["id"]), None)
        self._counted()
        return {"status": "Unknown" if gone is None else "Accepted"}

    def cost_updated(self, payload: Json) -> Json:
        """I02: the running cost of a transaction."""
        self.costs[str(payload["transactionId"])] = float(payload["totalCost"])
        return {}

    def customer_information(self, payload: Json) -> Result:
        """N09 and N10: report and forget what is kept of a customer."""
        asked = [name for name in ("idToken", "customerIdentifier", "customerCertificate") if name in payload]
        if len(asked) != 1:
            return rejected("InvalidValue")
        if not payload["report"] and not payload["clear"]:
            return rejected("UnsupportedParam")
        text = self._known(payload)
        if payload["clear"] and "idToken" in payload:
            self._station.authorisation.forget(IdToken.of(payload["idToken"]))
        return {"status": "Accepted"}, lambda: self._tell(int(payload["requestId"]), text if payload["report"] else "")

    def _known(self, payload: Json) -> str:
        if "idToken" not in payload:
            return ""
        info = self._station.authorisation.known(IdToken.of(payload["idToken"]))
        return json.dumps(info) if info else ""

    def _tell(self, request_id: int, text: str) -> None:
        pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)] or [""]
        for number, piece in enumerate(pieces):
            told: Json = {"requestId": request_id, "data": piece, "seqNo": number, "tbc": number + 1 < len(pieces)}
            self._station.say("NotifyCustomerInformation", told | {"generatedAt": self._station.clock.text()})

    def _counted(self) -> None:
        self._station.model.put("DisplayMessageCtrlr", "DisplayMessages", str(len(self.messages)))


def _is_wanted(message: Json, payload: Json) -> bool:
    return (
        (not payload.get("id") or message["id"] in payload["id"])
        and payload.get("priority") in (None, message["priority"])
        and payload.get("state") in (None, message.get("state"))
    )
