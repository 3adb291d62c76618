"""Certificates in a charger: what it holds, our root into it, one of its own, and the way to security profile 3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from app.model.frame import Certificate
from app.ocpp.services import certificates
from app.ocpp.services.certificates import Installed
from ui.dialogs import Button, ask
from ui.i18n import worded
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.models.services import CERTIFICATE_FIELDS, certificate_key
from ui.pages.endpoint_service import ServicePage
from ui.widgets.listview import ListView

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint


class CertificatesPage(ServicePage):
    """List, install, delete, sign."""

    title: ClassVar[str] = "Certificates"
    icon_name: ClassVar[str] = "shield-check"

    def build(self) -> None:
        """Fill the page."""
        self._held: dict[str, tuple[Installed, ...]] = {}
        self.look = self.order_button(self.tr("Read"), self._look, icon_name="refresh-cw", is_primary=True)
        self.look.setToolTip(self.tr("Ask the charger which certificates it holds"))
        self.install = self.order_button(self.tr("Install our root…"), self._install, icon_name="plus")
        self.delete = self.order_button(self.tr("Delete…"), self._delete, icon_name="trash-2")
        self.hand_over = self.order_button(
            self.tr("Let it log in by certificate…"), self._hand_over, icon_name="key-round"
        )
        self.hand_over.setToolTip(self.tr("Prepare OCPP security profile 3"))
        self.body.addLayout(self.row(self.look, self.install, self.delete, self.hand_over, 1))
        self.model: Listing[Installed] = Listing(CERTIFICATE_FIELDS, certificate_key, self)
        self.table = ListView(
            self.model,
            self.tr("Certificates in the charger"),
            self,
            nothing=self.tr("Not read yet, or none. Press Read to see which authorities this charger trusts."),
        )
        self.table.setMinimumHeight(80)
        self.body.addWidget(self.table, 1)

    def charger_changed(self) -> None:
        """Show what this charger told before."""
        self.model.show(self._held.get(self.identity, ()))

    def show_state(self) -> None:
        """Allow deleting what is chosen."""
        if self.table.current() is None:
            self.delete.setEnabled(False)

    # Orders

    async def _root(self) -> Certificate:
        issuer = await asyncio.to_thread(self.bench.services.certificates.issuer)
        return issuer.root

    async def _read(self, endpoint: Endpoint) -> tuple[Installed, ...]:
        found = await certificates.installed(endpoint, [await self._root()])
        self._held[endpoint.identity] = found
        if endpoint.identity == self.identity:
            self.model.show(found)
        return found

    def _look(self) -> None:
        self.order(self._looked)

    async def _looked(self, endpoint: Endpoint) -> tuple[str, str]:
        found = await self._read(endpoint)
        if not found:
            return self.tr("The charger names no certificate."), "attention"
        return self.tr("Certificates in the charger: {count}.").format(count=len(found)), "good"

    def _install(self) -> None:
        self.order(self._installed, asks=True)

    async def _installed(self, endpoint: Endpoint) -> tuple[str, str]:
        root = await self._root()
        text = self.tr(
            "The charger will then trust this computer's endpoint over TLS. It is checked first whether it has room, "
            "and whether it would lose the root it has now.\n\n{subject}\nSHA-256 {fingerprint}"
        ).format(subject=root.subject, fingerprint=root.fingerprint[:32] + "…")
        buttons = (
            Button(key="send", text=self.tr("Install"), role="primary"),
            Button(key="close", text=self.tr("Cancel")),
        )
        if await ask(self, self.tr("Install our root?"), text, buttons, icon_name="shield-check") != "send":
            return self.tr("Nothing was sent."), ""
        self.waiting(endpoint.identity)
        change = await certificates.install_root(endpoint, root.pem)
        await self._read(endpoint)
        return change.text, "good" if change.is_done else "fault"

    def _delete(self) -> None:
        self.order(self._deleted, asks=True)

    async def _deleted(self, endpoint: Endpoint) -> tuple[str, str]:
        item = self.table.current()
        if item is None:
            return self.tr("Choose a certificate first."), ""
        text = self.tr(
            "{kind}, serial {serial}. Without the root of its backend the charger can't dial it over TLS any more."
        ).format(kind=visible(item.kind, 40), serial=visible(item.id.serial, 40))
        buttons = (
            Button(key="send", text=self.tr("Delete"), role="danger"),
            Button(key="close", text=self.tr("Cancel")),
        )
        title = self.tr("Delete this certificate from the charger?")
        if await ask(self, title, text, buttons, icon_name="triangle-alert", tone="attention") != "send":
            return self.tr("Nothing was sent."), ""
        self.waiting(endpoint.identity)
        change = await certificates.delete(endpoint, item.id)
        await self._read(endpoint)
        return change.text, "good" if change.is_done else "attention"

    def _hand_over(self) -> None:
        self.order(self._handed_over, asks=True)

    async def _handed_over(self, endpoint: Endpoint) -> tuple[str, str]:
        buttons = (
            Button(key="send", text=self.tr("Give it root and certificate"), role="primary"),
            Button(key="raise", text=self.tr("… and raise its profile to 3"), role="danger"),
            Button(key="close", text=self.tr("Cancel")),
        )
        text = self.tr(
            "The charger gets our root, makes a key, and asks for a certificate, which we sign. This much can be "
            "undone. Raising the profile can't be undone over OCPP: from then on the charger speaks only TLS, with "
            "certificates."
        )
        chosen = await ask(
            self,
            self.tr("Let this charger log in by certificate (security profile 3)?"),
            text,
            buttons,
            icon_name="key-round",
        )
        if chosen not in ("send", "raise"):
            return self.tr("Nothing was sent."), ""
        self.waiting(endpoint.identity)
        stages = await certificates.hand_over(
            endpoint, self.bench.services.certificates, raises_profile=chosen == "raise"
        )
        words = [f"{worded(stage.name)}: {stage.text}" for stage in stages]
        return "\n".join(words), "good" if all(stage.is_done for stage in stages) else "fault"
