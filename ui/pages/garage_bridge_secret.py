"""Fields for what stays in the vault: typed anew, kept as it is, or taken away. What is kept is never shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QToolButton, QWidget

from app.model.secret import Secret
from ui import icons
from ui.theme import SPACE_4, SPACE_8, set_role

if TYPE_CHECKING:
    from app.service.choosing import Choice

PEM_LINES = 4


class Vault(Protocol):
    """What is needed of the vault."""

    def get(self, name: str) -> Secret | None:
        """Return a secret, or ``None``."""
        ...

    def set(self, name: str, secret: Secret) -> None:
        """Keep a secret."""
        ...

    def delete(self, name: str) -> None:
        """Forget a secret."""
        ...


class SecretField(QWidget):
    """A password. ``changed`` whenever what shall be in the vault may have changed."""

    changed = Signal()

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._is_kept = False
        self._is_forgotten = False
        self.line = QLineEdit(self)
        self.line.setEchoMode(QLineEdit.EchoMode.Password)
        self.line.setAccessibleName(name)
        set_role(self.line, "mono")
        self.reveal = QCheckBox(self.tr("Show"), self)
        self.reveal.setAccessibleName(self.tr("Show: {name}").format(name=name))
        self.forget = QToolButton(self)
        icons.dress(self.forget, "trash-2", "text2")
        words = self.tr("Take the kept one out of the vault: {name}").format(name=name)
        self.forget.setAccessibleName(words)
        self.forget.setToolTip(words)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_8)
        row.addWidget(self.line, 1)
        row.addWidget(self.reveal)
        row.addWidget(self.forget)
        self.setFocusProxy(self.line)
        self.line.textChanged.connect(self._typed)
        self.reveal.toggled.connect(self._reveal)
        self.forget.clicked.connect(self._forget)

    @property
    def typed(self) -> str:
        """Return what was typed, empty for nothing."""
        return self.line.text()

    @property
    def is_forgotten(self) -> bool:
        """Say whether the kept one shall go."""
        return self._is_forgotten and not self.typed

    @property
    def is_there(self) -> bool:
        """Say whether there is one once this is saved."""
        return bool(self.typed) or (self._is_kept and not self._is_forgotten)

    def show_kept(self, *, is_kept: bool) -> None:
        """Start anew: nothing typed, one in the vault or none."""
        self._is_kept, self._is_forgotten = is_kept, False
        self.line.clear()
        self.reveal.setChecked(False)
        self._show()

    def _show(self) -> None:
        is_kept = self._is_kept and not self._is_forgotten
        self.line.setPlaceholderText(self.tr("kept in the vault; type to change it") if is_kept else "")
        self.forget.setVisible(is_kept)

    def _typed(self) -> None:
        self.changed.emit()

    def _reveal(self, wanted: bool) -> None:
        self.line.setEchoMode(QLineEdit.EchoMode.Normal if wanted else QLineEdit.EchoMode.Password)

    def _forget(self) -> None:
        self._is_forgotten = True
        self._show()
        self.line.setFocus()
        self.changed.emit()


class PemField(QPlainTextEdit):
    """A certificate or key to be pasted as PEM; a key that is kept is not shown again."""

    def __init__(self, name: str, hint: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._hint = hint
        self._is_kept = False
        self.setAccessibleName(name)
        self.setPlaceholderText(hint)
        self.setTabChangesFocus(True)
        self.setFixedHeight(self.fontMetrics().lineSpacing() * PEM_LINES + 2 * SPACE_8 + SPACE_4)
        set_role(self, "mono")

    @property
    def text(self) -> str:
        """Return what was pasted, whole lines."""
        text = self.toPlainText().strip()
        return text + "\n" if text else ""

    @property
    def is_there(self) -> bool:
        """Say whether there is one once this is saved."""
        return bool(self.text) or self._is_kept

    def show_kept(self, *, is_kept: bool) -> None:
        """Start anew with nothing pasted."""
        self._is_kept = is_kept
        self.clear()
        self.setPlaceholderText(self.tr("kept in the vault; paste another one to change it") if is_kept else self._hint)


class Keeping:
    """Puts the secrets of bridged units into the vault; ``others`` are the units that may share one."""

    def __init__(self, vault: Vault, others: Iterable[Choice]) -> None:
        self._vault = vault
        self._used = {name for other in others for name in names_of(other)}

    def put(self, name: str, old_name: str, typed: str, *, is_forgotten: bool = False) -> None:
        """Bring one to what was typed; a secret is copied for a unit that gets another name.

        ``forget`` the old choice once the new one is kept.
        """
        if typed:
            self._vault.set(name, Secret(typed))
        elif is_forgotten:
            self._forget(old_name)
        elif name != old_name and (kept := self._vault.get(old_name)) is not None:
            self._vault.set(name, kept)

    def forget(self, choice: Choice) -> None:
        """Take a unit's secrets out of the vault, unless another one uses them."""
        for name in names_of(choice):
            self._forget(name)

    def _forget(self, name: str) -> None:
        if name not in self._used:
            self._vault.delete(name)


def names_of(choice: Choice) -> tuple[str, ...]:
    """Return the names under which the vault has a choice's secrets."""
    return choice.password_name, choice.unit_password_name, choice.key_name
