"""A wardrobe for all experiments with TLS: making keys takes a while."""

from __future__ import annotations

import pytest

from app.storage.vault import MemoryVault
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe


@pytest.fixture(scope="session")
def wardrobe(tmp_path_factory: pytest.TempPathFactory) -> Wardrobe:
    authority = Authority.open(MemoryVault(), tmp_path_factory.mktemp("trust"))
    authority.prepare()
    return Wardrobe(authority, lambda: ("127.0.0.1", "rehome.local"))
