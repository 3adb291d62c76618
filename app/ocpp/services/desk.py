"""Everything a charger may need from its backend, plugged into the server in one place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from app.model.card import CardStatus
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import IdToken
from app.ocpp.server import OcppServer
from app.ocpp.services.carddesk import CardDesk, CardShelf
from app.ocpp.services.certificates import CertificateDesk, Issuer
from app.ocpp.services.collected import Collector
from app.ocpp.services.reservations import Reservation
from app.ocpp.services.schedule import Profile
from app.ocpp.services.transfer import FileDesk, Site

T = TypeVar("T")

MAX_UNITS = 500
MAX_KEPT = 100


class ServiceDesk:
    """Cards, files, certificates, and what was asked of each charger and can't be read back from it.

    It answers Authorize and its kin (``server.authorise``) and SignCertificate, and listens to what chargers tell.
    """

    def __init__(
        self,
        *,
        server: OcppServer,
        shelf: CardShelf,
        files: FileDesk,
        issuer: Callable[[], Issuer],
        address: Callable[[], str],
    ) -> None:
        self.cards = CardDesk(shelf)
        self.collected = Collector()
        self.certificates = CertificateDesk(server, issuer)
        self._server = server
        self._files = files
        self._address = address
        self._profiles: OrderedDict[str, tuple[Profile, ...]] = OrderedDict()
        self._reservations: OrderedDict[str, tuple[Reservation, ...]] = OrderedDict()
        server.authorise = self.authorise
        self.certificates.attach()
        self.collected.attach(server)

    def authorise(self, identity: str, token: IdToken) -> str:
        """Say what becomes of a card held to a charger (``server.authorise``)."""
        status = self.cards.decide(identity, token.value, self._server.now(), kind=token.kind).status
        endpoint = self._server.endpoint(identity)
        version = endpoint.version if endpoint is not None else "1.6"
        return status.wire(version) if status is CardStatus.UNKNOWN else status.value

    def site(self, endpoint: Endpoint) -> Site:
        """Return where transfers with a charger take place: on the address it dialled."""
        host = _host(endpoint.handshake.local) or self._address()
        return Site(files=self._files, host=host, arrivals=self._server.arrivals)

    # What was asked of a charger

    def profiles(self, identity: str) -> tuple[Profile, ...]:
        """Return the charging limits we set on a charger, oldest first."""
        return self._profiles.get(identity, ())

    def keep_profile(self, identity: str, profile: Profile) -> None:
        """Remember a limit the charger took; one of the same number, or of the same place and level, is replaced."""
        place = (profile.connector, profile.purpose, profile.stack_level)
        others = [
            item
            for item in self.profiles(identity)
            if item.profile_id != profile.profile_id and (item.connector, item.purpose, item.stack_level) != place
        ]
        _keep(self._profiles, identity, (*others, profile))

    def set_profiles(self, identity: str, profiles: tuple[Profile, ...]) -> None:
        """Remember what the charger itself lists, or that all were cleared."""
        _keep(self._profiles, identity, profiles)

    def reservations(self, identity: str) -> tuple[Reservation, ...]:
        """Return the reservations asked for, as they stand by now."""
        ends = self.collected.reservation_ends
        return tuple(
            replace(item, status=ends.get((identity, item.reservation_id), item.status))
            for item in self._reservations.get(identity, ())
        )

    def keep_reservation(self, identity: str, reservation: Reservation) -> None:
        """Remember a reservation, or what became of it."""
        known = self._reservations.get(identity, ())
        others = tuple(item for item in known if item.reservation_id != reservation.reservation_id)
        _keep(self._reservations, identity, (*others, reservation))


def _keep(books: OrderedDict[str, tuple[T, ...]], identity: str, items: tuple[T, ...]) -> None:
    books.pop(identity, None)
    books[identity] = items[-MAX_KEPT:]
    if len(books) > MAX_UNITS:
        books.popitem(last=False)


def _host(local: str) -> str:
    """Return the address of ``address:port``; IPv6 stands in brackets or has more than one colon."""
    if local.startswith("["):
        return local[1:].partition("]")[0]
    return local.rpartition(":")[0] if local.count(":") == 1 else local
