"""The line of a simulated unit: given up at any moment of dialling, it leaves nothing in the way of the next one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.sim.dialtls import DialTls
from app.sim.line import Line, opened
from tests.sim.csms import csms
from tests.sim.pki import Authority


@pytest.mark.parametrize("moment", ["__init__", "connection_made"])
@pytest.mark.parametrize("is_tls", [True, False])
async def test_dialling_can_be_given_up_and_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_tls: bool, moment: str
) -> None:
    root, reached, dialling = Authority(), getattr(Line, moment), []

    def give_up(line: Line, *args: Any, **options: Any) -> None:
        reached(line, *args, **options)
        if dialling:
            dialling.pop().cancel()

    monkeypatch.setattr(Line, moment, give_up)
    async with csms("ocpp1.6", context=root.server(tmp_path) if is_tls else None) as central:

        async def dial() -> None:
            link = await opened(
                f"{central.url}/CP-1",
                headers=(),
                subprotocols=["ocpp1.6"],
                tls=DialTls(roots=(root.pem,)),
                faults=set(),
            )
            await link.close()

        dialling.append(asyncio.ensure_future(dial()))
        with pytest.raises(asyncio.CancelledError):
            await dialling[0]
        await dial()
