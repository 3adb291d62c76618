"""Whatever a charger's numbers are, what is kept of them can be written as JSON."""

from __future__ import annotations

import orjson
import pytest

from app.model.coding import encode


@pytest.mark.parametrize("number", [2**63, -(2**63), 2**64 - 1])
def test_numbers_of_64_bits_stay_exact(number: int) -> None:
    assert orjson.loads(orjson.dumps(encode({"n": [number]})))["n"] == [number]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400])
def test_longer_numbers_can_be_written(number: int) -> None:
    assert float(orjson.loads(orjson.dumps(encode({"n": number})))["n"]) == pytest.approx(float(str(number)))
