"""Run the contract on a real charger: ``pytest tests/drivers --host 192.168.1.43 --profile openevse-wifi``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--host", help="address or serial port of a real charger: the contract runs on it, reading only")
    parser.addoption("--profile", help="profile of the charger at --host")
