"""Where secrets live: the operating system's keyring, or only this program's memory."""

from __future__ import annotations

import contextlib
import logging
from typing import Protocol

from app.model.secret import Secret

log = logging.getLogger(__name__)

SERVICE = "rehome"
"""Name under which the keyring keeps our entries."""

ABSENT_LIMIT = 10_000

REDACT_FROM = 4
"""Shorter secrets are not searched for in texts: they would mask half of every frame."""


class Vault(Protocol):
    """Keeps secrets by name. ``is_persistent`` says whether they outlive this program."""

    @property
    def is_persistent(self) -> bool:
        """Say whether a secret is still there after a restart."""
        ...

    def get(self, name: str) -> Secret | None:
        """Return a secret, or ``None`` where there is none (any more)."""
        ...

    def set(self, name: str, secret: Secret) -> None:
        """Keep a secret."""
        ...

    def delete(self, name: str) -> None:
        """Forget a secret; nothing happens where there is none."""
        ...

    def redact(self, text: str) -> str:
        """Return the text with every secret seen by this program masked."""
        ...


class MemoryVault:
    """Keeps secrets until the program ends."""

    is_persistent = False

    def __init__(self) -> None:
        self._secrets: dict[str, Secret] = {}
        self._seen: frozenset[Secret] = frozenset()

    def get(self, name: str) -> Secret | None:
        """Return a secret kept by this program."""
        return self._secrets.get(name)

    def set(self, name: str, secret: Secret) -> None:
        """Keep a secret in memory."""
        self._secrets[name] = secret
        if len(secret.reveal()) >= REDACT_FROM:
            self._seen |= {secret}

    def delete(self, name: str) -> None:
        """Forget a secret."""
        self._secrets.pop(name, None)

    def redact(self, text: str) -> str:
        """Mask every secret that was ever kept here."""
        for secret in self._seen:
            text = secret.redact(text)
        return text


class KeyringVault:
    """Keeps secrets in the operating system's keyring; in memory where there is none or it stays locked.

    The keyring is first touched when a secret is read or kept. ``trouble`` says why memory has to do.
    """

    def __init__(self, service: str = SERVICE) -> None:
        self._service = service
        self._memory = MemoryVault()
        self._absent: set[str] = set()
        self._is_usable: bool | None = None
        self.trouble = ""

    @classmethod
    def open_or_memory(cls) -> KeyringVault:
        """Return a vault that falls back to memory by itself, at the first use."""
        return cls()

    @property
    def is_persistent(self) -> bool:
        """Say whether secrets outlive the program (asks the keyring once)."""
        return self._usable()

    def get(self, name: str) -> Secret | None:
        """Return a secret from memory or keyring."""
        known = self._memory.get(name)
        if known is not None or name in self._absent or not self._usable():
            return known
        import keyring
        from keyring.errors import KeyringError

        try:
            text = keyring.get_password(self._service, name)
        except (KeyringError, OSError) as error:
            self._give_up(error)
            return None
        if text is None:
            self._remember_absent(name)
            return None
        self._memory.set(name, Secret(text))
        return Secret(text)

    def set(self, name: str, secret: Secret) -> None:
        """Keep a secret in the keyring, or in memory where that fails."""
        self._absent.discard(name)
        self._memory.set(name, secret)
        if not self._usable():
            return
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(self._service, name, secret.reveal())
        except (KeyringError, OSError) as error:
            self._give_up(error)

    def delete(self, name: str) -> None:
        """Forget a secret everywhere."""
        self._memory.delete(name)
        if not self._usable():
            return
        import keyring
        from keyring.errors import KeyringError

        with contextlib.suppress(KeyringError, OSError):
            keyring.delete_password(self._service, name)

    def redact(self, text: str) -> str:
        """Mask every secret this program has seen."""
        return self._memory.redact(text)

    def _remember_absent(self, name: str) -> None:
        """Spare the keyring the same question: every dial-in asks for the password of its identity."""
        if len(self._absent) >= ABSENT_LIMIT:
            self._absent.clear()
        self._absent.add(name)

    def _usable(self) -> bool:
        if self._is_usable is None:
            self._is_usable = self._probe()
        return self._is_usable

    def _probe(self) -> bool:
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring
        from keyring.backends.null import Keyring as NullKeyring
        from keyring.errors import KeyringError

        try:
            backend = keyring.get_keyring()
            if isinstance(backend, (NoKeyring, NullKeyring)):
                self.trouble = "This computer has no keyring; passwords are kept only until the program ends."
                return False
            keyring.get_password(self._service, "probe")
        except (KeyringError, OSError, RuntimeError) as error:
            self._give_up(error)
            return False
        return True

    def _give_up(self, error: BaseException) -> None:
        self._is_usable = False
        self.trouble = f"The keyring can't be used ({error}); passwords are kept only until the program ends."
        log.info("keyring not usable: %s", type(error).__name__)
