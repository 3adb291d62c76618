"""Open what the window works on: the real site, or the demo garage."""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.settings import Settings
    from app.workbench import Workbench


@asynccontextmanager
async def opened(settings: Settings, home: Path, *, is_demo: bool) -> AsyncIterator[Workbench]:
    """Open the Workbench; in the demo amid simulated chargers. Raises AppError where the data can't be used."""
    # Half a second of imports beside the living window.
    await asyncio.to_thread(importlib.import_module, "app.sim.garage" if is_demo else "app.workbench")
    if is_demo:
        from app.sim.garage import demo

        async with demo(settings, home=home) as bench:
            yield bench
    else:
        from app.workbench import Workbench

        async with Workbench(settings, home=home) as bench:
            yield bench


def temporary_home() -> tempfile.TemporaryDirectory[str]:
    """Make the demo's own data folder, gone with the demo."""
    return tempfile.TemporaryDirectory(prefix="rehome-demo-", ignore_cleanup_errors=True)
