"""How a unit stands with us: what counts as booting again after a command that came too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.model.frame import Handshake
from app.model.observation import BootRepeated
from app.ocpp.registration import Registration

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HANDSHAKE = Handshake(
    raw=b"", request_line="", path="/CP-1", headers=(), identity="CP-1", subprotocols=(), chosen_subprotocol=""
)
BOOT = {"chargePointVendor": "Foreign", "chargePointModel": "M"}


def boots(registration: Registration, number: int, *, asked: bool = False, answer: str = "Accepted") -> bool:
    """Boot once more; say whether that counts as following an early command."""
    at = NOW + timedelta(seconds=number)
    if asked:
        registration.called("TriggerMessage", {"requestedMessage": "BootNotification"})
    found = registration.heard(HANDSHAKE, "1.6", BOOT, at)
    registration.answered({"status": answer, "interval": 10}, at)
    return any(isinstance(item, BootRepeated) and item.is_early_call for item in found)


def test_boots_that_follow_a_command_before_the_first_one_are_told() -> None:
    registration = Registration()
    registration.called("GetConfiguration", {})
    boots(registration, 0)
    assert boots(registration, 1)
    assert not boots(registration, 2, asked=True)
    assert boots(registration, 3)


@pytest.mark.parametrize("held", ["Pending", "Rejected"])
def test_a_command_while_the_unit_waits_is_in_order(held: str) -> None:
    registration = Registration()
    boots(registration, 0, answer=held)
    registration.called("GetVariables", {})
    assert not boots(registration, 1, asked=True)
    assert not boots(registration, 2)
    assert not boots(registration, 3)
