"""What is sold to the backend is what the boxes counted, whatever gets lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.garage import Garage, shown


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_energy_and_sessions_are_told_exactly_once(tmp_path: Path, seed: int) -> None:
    """A quarter of 1,000 sessions at 12 boxes; the 10,000 are in ``tests/bench/bench_bridge_sessions.py``."""
    garage = Garage(tmp_path / "state.sqlite", boxes=12, seed=seed)
    await garage.run(250)
    figures = garage.figures()
    mismatches = garage.mismatches()
    await garage.store.close()
    assert not mismatches, "\n".join([*mismatches[:20], shown(figures, garage.counts)])
    assert figures["sold"] > 0
    assert garage.counts["killed"] > 0
    assert figures["again"] > 0
