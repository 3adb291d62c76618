"""A certificate authority for all acceptance tests, and simulated units that do not wait long for an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.acceptance.tools import Tools
from app.sim import calls
from app.standin.fileservice import FileService
from app.storage.vault import MemoryVault
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority.open(MemoryVault(), tmp_path_factory.mktemp("trust"))
    made.prepare()
    return made


@pytest.fixture
def wardrobe(authority: Authority) -> Wardrobe:
    return Wardrobe(authority, lambda: ("127.0.0.1", "localhost"))


@pytest.fixture
def hands(authority: Authority, tmp_path: Path) -> Tools:
    """Nothing listens before a case needs it, or after."""
    return Tools(files=FileService(tmp_path / "files"), root_pem=lambda: authority.root.pem)


@pytest.fixture(autouse=True)
def _impatient_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.6)
