"""What of this computer a case may use beyond the connection: its file service and its certificate authority."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.acceptance.recorder import Recorder
from app.model.transfer import FileMove
from app.scope import Scope

if TYPE_CHECKING:
    from app.ocpp.services.transfer import FileDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Both may be absent; cases that need them are then not asked."""

    files: FileDesk | None = None
    root_pem: Callable[[], str] = lambda: ""


NO_TOOLS = Tools()


@asynccontextmanager
async def watched(files: FileDesk, token: str, recorder: Recorder) -> AsyncIterator[None]:
    """Mark what happens to the files of one ticket inside the block."""
    async with Scope("files") as scope:
        with files.moves.subscribe() as moves:
            scope.required("moves", _marked(moves.__aiter__(), token, recorder))
            yield


async def _marked(moves: AsyncIterator[FileMove], token: str, recorder: Recorder) -> None:
    async for move in moves:
        if move.token == token and move.stage.value in ("done", "failed"):
            recorder.mark(
                "file",
                f"{move.name}: {move.stage.value}, {move.bytes} bytes over {move.carrier.value}",
                stage=move.stage.value,
                name=move.name,
                bytes=move.bytes,
                course=move.course.value,
            )
