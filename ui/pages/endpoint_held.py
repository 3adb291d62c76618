"""A list that the charger itself holds: read from it, changed in it, and read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from PySide6.QtWidgets import QPushButton

from ui.models.listing import Field, Listing
from ui.pages.endpoint_service import ServicePage
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

T = TypeVar("T")


class HeldPage(ServicePage, Generic[T]):
    """Remembers of every charger what it told last. Subclasses ``fetch`` it, and call ``hold`` in ``build``."""

    def hold(
        self, fields: Sequence[Field[T]], key: Callable[[T], object], *, title: str, nothing: str, counted: str
    ) -> None:
        """Put the list below what stands in ``body``. ``counted`` is the outcome of a reading, with its ``{count}``."""
        self._held: dict[str, tuple[T, ...]] = {}
        self._counted = counted
        self.model: Listing[T] = Listing(fields, key, self)
        self.table = ListView(self.model, title, self, nothing=nothing)
        self.body.addWidget(self.table, 1)

    def read_button(self, tip: str) -> QPushButton:
        """Make the button that asks the charger what it holds."""
        button = self.order_button(self.tr("Read"), self._list, icon_name="refresh-cw")
        button.setToolTip(tip)
        button.setAccessibleDescription(tip)
        return button

    async def fetch(self, endpoint: Endpoint) -> tuple[T, ...]:
        """Ask the charger."""
        raise NotImplementedError

    async def read(self, endpoint: Endpoint) -> int:
        """Ask the charger, and show what it tells where it is still the one shown; returns how many."""
        found = await self.fetch(endpoint)
        self._held[endpoint.identity] = found
        if endpoint.identity == self.identity:
            self.model.show(found)
        return len(found)

    def charger_changed(self) -> None:
        """Show what this charger told before."""
        self.model.show(self._held.get(self.identity, ()))

    def _list(self) -> None:
        self.order(self._listed)

    async def _listed(self, endpoint: Endpoint) -> tuple[str, str]:
        return self._counted.format(count=await self.read(endpoint)), "good"
