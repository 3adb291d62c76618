"""One certificate authority for all tests of the wire: making its keys takes a tenth of a second."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    return Wardrobe(authority, lambda: ("127.0.0.1", "localhost", "rehome.local"))


@pytest.fixture
def root_file(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(authority.export("pem"))
    return path
