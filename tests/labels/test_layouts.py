"""What an American reader types on other keyboards, as the systems' own layouts (XKB) have it."""

from __future__ import annotations

import pytest

from app.labels.layouts import retyped


@pytest.mark.parametrize(
    ("layout", "arrived", "label"),
    [
        ("German", "WBß4711ß0042", "WB-4711-0042"),
        ("German", "SNÖ YÖZß1", "SN: ZOY-1".replace("O", ":")),
        ("German", "httpsÖ--example.com-d_snß1", "https://example.com/d?sn-1"),
        ("French", "ZB)'è&&)àà'é", "WB-4711-0042"),
    ],
)
def test_what_arrived_is_turned_back(layout: str, arrived: str, label: str) -> None:
    assert dict(retyped(arrived))[layout] == label


def test_what_is_the_same_everywhere_was_meant_as_it_arrived() -> None:
    assert retyped("BCDEFGH") == ()
    assert dict(retyped("1&")) == {"German": "1^", "French": "!1"}
