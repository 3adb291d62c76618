"""``rehome experiment`` as a user starts it, with chargers and backends that are not our code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.model.experiment import EXPERIMENTS
from tests.e2e.test_call import dialling
from tests.e2e.test_headless import rehome
from tests.experiment.test_backends import backend

pytestmark = pytest.mark.timeout(120)


async def test_the_list_names_every_experiment(tmp_path: Path) -> None:
    code, found, _ = await rehome("experiment", "--list", "--json", "--home", str(tmp_path))
    assert code == 0
    assert [item["experiment_id"] for item in found] == list(EXPERIMENTS)


async def test_a_call_that_lacks_something_is_answered_in_words(tmp_path: Path) -> None:
    for words, wanted in (
        (("experiment", "astrology", "CP-1"), "ping-rhythm"),
        (("experiment", "hold"), "--remote"),
        (("experiment", "nonsense-identity", "CP-1"), "--url"),
    ):
        code, _, told = await rehome(*words, "--home", str(tmp_path))
        assert (code, wanted in told) == (2, True)


async def test_a_charger_that_answers_everything(tmp_path: Path, free_port: int) -> None:
    def read(payload: dict[str, Any]) -> dict[str, Any]:
        return {"configurationKey": [{"key": key, "readonly": True, "value": "1"} for key in payload.get("key", [])]}

    place = ("--host", "127.0.0.1", "--port", str(free_port), "--home", str(tmp_path), "--json")
    async with dialling(free_port, "ocpp1.6", {"GetConfiguration": read}):
        code, result, told = await rehome("experiment", "big-answer", "CP-1", *place)
    assert (code, result["sign"], result["outcome"]["code"]) == (0, "fine", "")
    assert "Beware: " in told
    assert "Everything at once: It answered everything at once." in told


async def test_a_backend_with_another_path(tmp_path: Path) -> None:
    async with backend(lambda _: "nothing here") as url:
        words = ("experiment", "nonsense-identity", "CP-1", "--url", url, "--json", "--home", str(tmp_path))
        code, result, _ = await rehome(*words)
    assert (code, result["outcome"]["code"]) == (0, "URL-COMPOSE")
    assert result["finding"]["details"]["url"] == url
