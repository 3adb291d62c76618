"""Change the settings, and what follows from them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import AppError
from app.settings import Settings

if TYPE_CHECKING:
    from app.workbench import Workbench


async def change(bench: Workbench, after: Settings) -> None:
    """Save settings and listen where they say; where that can't be, the old ones stay.

    Raises:
        AppError: why it can't be; PortInUse names a free port.
    """
    before = bench.settings
    bench.change_settings(after)
    state = bench.server.state
    if not state.is_listening or (state.host, state.port) == (bench.adapter_address, after.endpoint_port):
        return
    if (after.adapter, after.endpoint_port) == (before.adapter, before.endpoint_port):
        return
    try:
        await bench.server.move(bench.adapter_address, after.endpoint_port)
    except AppError:
        bench.change_settings(before)
        raise
