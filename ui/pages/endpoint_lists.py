"""Cards inside a charger: its local list and its cache."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from app.ocpp.services import locallist
from ui.i18n import worded
from ui.models.plain import moment_text
from ui.pages.endpoint_service import ServicePage, verdict
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint


class LocalListPage(ServicePage):
    """Compare versions, send the list, clear the cache."""

    title: ClassVar[str] = "Local card list"
    icon_name: ClassVar[str] = "tags"

    def build(self) -> None:
        """Fill the page."""
        self.body.addWidget(
            self.note(
                self.tr(
                    "A charger that loses its backend decides by its own list and by the cards it remembers. Clear "
                    "what the old operator left, then send the list of the Cards tab."
                )
            )
        )
        self._shown: tuple[str, int, bool] = ("", -1, False)
        self.state = plain_label(self, "", is_wrapped=True)
        self.body.addWidget(self.state)
        self.ask = self.order_button(self.tr("Ask for the version"), self._ask, icon_name="circle-help")
        self.send = self.order_button(self.tr("Send what changed"), self._send, icon_name="send", is_primary=True)
        self.send_all = self.order_button(self.tr("Send all"), self._send_all, icon_name="send")
        self.clear = self.order_button(self.tr("Clear the cache"), self._clear, icon_name="trash-2")
        self.body.addLayout(self.flow(self.send, self.send_all, self.ask, self.clear))
        self.body.addStretch(1)

    def show_state(self) -> None:
        """Say what is in the list here, and what was sent."""
        cards = len(self.bench.services.cards.book.cards)
        shown = (self.identity, cards, self.is_busy)
        if shown == self._shown:
            return
        self._shown = shown
        sent = self.bench.services.cards.shelf.sent_list(self.identity) if self.identity else None
        words = worded("Cards in the list here: {count}.", count=cards)
        if sent is not None:
            words += " " + worded(
                "This charger took version {version} (cards: {count}) on {at}.",
                version=sent.version,
                count=len(sent.entries),
                at=moment_text(sent.sent_at),
            )
        self.state.setText(words)

    def _ask(self) -> None:
        self.order(self._asked)

    async def _asked(self, endpoint: Endpoint) -> tuple[str, str]:
        version = await locallist.list_version(endpoint)
        allowed = await locallist.limits(endpoint)
        words = [locallist.version_words(version)]
        if allowed.entries:
            words.append(worded("It has room for {count} cards.", count=allowed.entries))
        if allowed.is_enabled is False:
            words.append(worded("It does not use it: the local list is switched off in its settings."))
        return " ".join(words), "attention" if version < 0 or allowed.is_enabled is False else "good"

    def _send(self) -> None:
        self.order(self._sent)

    async def _sent(self, endpoint: Endpoint, *, full: bool = False) -> tuple[str, str]:
        desk = self.bench.services.cards
        spell = partial(desk.spelled_for, endpoint.identity)
        done = await locallist.send_list(endpoint, desk.cards, desk.shelf, full=full, spell=spell)
        words = worded("Cards: {count}. Messages: {messages}.", count=done.entries, messages=done.messages)
        if not done.messages:
            words = worded("Nothing had changed.")
        if done.left_out:
            words += " " + worded("Numbers too long for this charger: {count}.", count=len(done.left_out))
        return f"{done.text} {words}", "good" if done.is_done and not done.left_out else "attention"

    def _send_all(self) -> None:
        self.order(self._sent_all)

    async def _sent_all(self, endpoint: Endpoint) -> tuple[str, str]:
        return await self._sent(endpoint, full=True)

    def _clear(self) -> None:
        self.order(self._cleared)

    async def _cleared(self, endpoint: Endpoint) -> tuple[str, str]:
        return verdict(*await locallist.clear_cache(endpoint))
