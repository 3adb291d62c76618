"""Secrets: in the keyring where there is one, in memory and said so where not."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import KeyringError, KeyringLocked

from app.model.secret import Secret
from app.storage.vault import KeyringVault, MemoryVault


class Ring(KeyringBackend):
    """A keyring in memory that can lock itself."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def _open(self) -> None:
        if self.is_locked:
            raise KeyringLocked("locked")

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._open()
        if (service, username) not in self.entries:
            raise KeyringError("no such entry")
        del self.entries[service, username]


@pytest.fixture
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    ring = Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def test_a_secret_outlives_the_program_in_the_keyring(ring: Ring) -> None:
    KeyringVault().set("backup/j1/key", Secret("s3cret-1"))
    again = KeyringVault()
    assert again.is_persistent
    assert again.get("backup/j1/key") == Secret("s3cret-1")
    assert ring.entries == {("rehome", "backup/j1/key"): "s3cret-1"}
    again.delete("backup/j1/key")
    again.delete("backup/j1/key")
    assert again.get("backup/j1/key") is None
    assert ring.entries == {}


def test_an_absent_secret_is_asked_for_once_until_it_is_set(ring: Ring) -> None:
    vault = KeyringVault()
    assert vault.get("identity/CP1") is None
    ring.entries["rehome", "identity/CP1"] = "set behind our back"
    assert vault.get("identity/CP1") is None
    vault.set("identity/CP1", Secret("s3cret-9"))
    assert vault.get("identity/CP1") == Secret("s3cret-9")


def test_a_locked_keyring_falls_back_to_memory_and_says_so(ring: Ring) -> None:
    ring.is_locked = True
    vault = KeyringVault()
    vault.set("a", Secret("s3cret-2"))
    assert vault.get("a") == Secret("s3cret-2")
    assert not vault.is_persistent
    assert "until the program ends" in vault.trouble
    assert ring.entries == {}


def test_a_keyring_that_locks_later_loses_nothing_of_this_program(ring: Ring) -> None:
    vault = KeyringVault()
    assert vault.is_persistent
    ring.is_locked = True
    vault.set("a", Secret("s3cret-3"))
    assert vault.get("a") == Secret("s3cret-3")
    assert vault.get("b") is None
    assert not vault.is_persistent


@pytest.mark.parametrize("backend", [NoKeyring, NullKeyring])
def test_a_computer_without_a_keyring_is_told(backend: type[KeyringBackend]) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(backend())
    try:
        vault = KeyringVault()
        vault.set("a", Secret("s3cret-4"))
        assert vault.get("a") == Secret("s3cret-4")
        assert not vault.is_persistent
        assert "no keyring" in vault.trouble
    finally:
        keyring.set_keyring(before)


def test_every_secret_seen_is_masked_in_every_spelling() -> None:
    vault = MemoryVault()
    vault.set("a", Secret("p/ss wörd"))
    vault.set("short", Secret("abc"))
    text = " ".join(["abc", *Secret("p/ss wörd").spellings()])
    assert vault.redact(text).split() == ["abc", *["•••"] * len(Secret("p/ss wörd").spellings())]
    assert "p/ss" not in repr(vault.get("a"))
