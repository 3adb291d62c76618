"""What the endpoint asks about names: whether one is a former backend's, and whether we answer it ourselves."""

from __future__ import annotations

from typing import Protocol

from app.model.frame import OldHost


class OldNames(Protocol):
    """Who knows the names of former backends."""

    def recognise(self, client: str, server_name: str, host: str) -> OldHost | None:
        """Say whose name brought a unit here, by its address, its TLS name and its Host header; ``None``: nobody's."""
        ...

    def answers(self, name: str) -> bool:
        """Say whether our own name server answers this name with our address."""
        ...


class NoNames:
    """Nobody knows."""

    def recognise(self, client: str, server_name: str, host: str) -> OldHost | None:  # noqa: ARG002
        """Recognise nothing."""
        return None

    def answers(self, name: str) -> bool:  # noqa: ARG002
        """Answer nothing."""
        return False
