"""A certificate authority for the bridge's tests."""

from __future__ import annotations

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
    return Wardrobe(authority, lambda: ("127.0.0.1", "localhost"))
