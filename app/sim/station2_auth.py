"""Who may charge at a simulated 2.x station: cards, local list, cache (part 2, functional blocks C and D)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.ocpp.stamps import read
from app.sim.station2_evse import Evse, IdToken, Json

if TYPE_CHECKING:
    from app.sim.station2 import Station2

Key = tuple[str, str]


def _key(token: IdToken) -> Key:
    return token.value.lower(), token.kind


class Authorisation:
    """Decides on cards with what it knows, and asks the central system for the rest."""

    def __init__(self, station: Station2) -> None:
        self._station = station
        self.list_version = 0
        self.entries: dict[Key, Json] = {}
        self.cache: dict[Key, tuple[Json, datetime]] = {}

    # A card

    def present(self, token: IdToken, evse: Evse | None = None) -> None:
        """Hold a card before the reader: it stops its own transaction, else asks to charge."""
        running = next((one for one in self._station.evses if token.same(one.token)), None)
        if running is not None and evse in (None, running):
            self._station.transactions.stopped(running, "StopAuthorized", "Local")
            return
        self.ask(token, lambda info: self._decided(token, info, evse))

    def ask(self, token: IdToken, decided: Callable[[Json], None]) -> None:
        """Find out what a token may; ``decided(info)`` gets the IdTokenInfoType."""
        known = self.known(token)
        model = self._station.model
        is_pre = (
            known is not None and known.get("status") == "Accepted" and model.is_on("AuthCtrlr", "LocalPreAuthorize")
        )
        if not self._station.is_connected:
            decided(self._offline(known))
        elif (is_pre and known is not None) or not model.is_on("AuthCtrlr", "Enabled"):
            decided(known or {"status": "Accepted"})
        else:
            self._station.say("Authorize", {"idToken": token.json}, lambda answer: decided(self._told(token, answer)))

    def known(self, token: IdToken) -> Json | None:
        """Return what the local list or the cache say of a token that has not expired."""
        model = self._station.model
        if model.is_on("LocalAuthListCtrlr", "Enabled") and _key(token) in self.entries:
            return self._fresh(self.entries[_key(token)])
        if model.is_on("AuthCacheCtrlr", "Enabled") and _key(token) in self.cache:
            info, until = self.cache[_key(token)]
            return self._fresh(info) if until > self._station.clock.now() else None
        return None

    def learn(self, token: IdToken, info: Json) -> None:
        """Keep what the central system said in the cache (C10)."""
        if self._station.model.is_on("AuthCacheCtrlr", "Enabled"):
            life_s = self._station.model.number("AuthCacheCtrlr", "LifeTime", default=86400.0)
            self.cache[_key(token)] = info, self._station.clock.now() + timedelta(seconds=min(life_s, 1e8))

    def forget(self, token: IdToken) -> None:
        """Remove a token from the cache."""
        self.cache.pop(_key(token), None)

    def _offline(self, known: Json | None) -> Json:
        model = self._station.model
        if known is not None and model.is_on("AuthCtrlr", "LocalAuthorizeOffline"):
            return known
        unknown_ok = known is None and model.is_on("AuthCtrlr", "OfflineTxForUnknownIdEnabled")
        return {"status": "Accepted" if unknown_ok else "Invalid"}

    def _told(self, token: IdToken, answer: Json) -> Json:
        info = answer.get("idTokenInfo")
        if not isinstance(info, dict):
            return {"status": "Invalid"}
        self.learn(token, info)
        return info

    def _fresh(self, info: Json) -> Json | None:
        until = info.get("cacheExpiryDateTime")
        try:
            return None if until and read(str(until)) < self._station.clock.now() else info
        except ValueError:
            return None

    def _decided(self, token: IdToken, info: Json, wanted: Evse | None) -> None:
        if info.get("status") != "Accepted":
            return
        group = str((info.get("groupIdToken") or {}).get("idToken", ""))
        evses = self._station.evses
        mate = next((one for one in evses if group and one.tx is not None and one.tx.group == group), None)
        if mate is not None:
            self._station.transactions.stopped(mate, "StopAuthorized", "Local")
            return
        free = [one for one in evses if one.token is None and one.is_available and wanted in (None, one)]
        free = [one for one in free if one.reservation is None or token.same(one.reserved_for)]
        target = next((one for one in free if one.outlet.is_plugged), free[0] if free else None)
        if target is not None:
            target.group = group
            self._station.transactions.authorized(target, token)

    # What the central system orders

    def clear_cache(self, _payload: Json) -> Json:
        """C11."""
        if not self._station.model.is_on("AuthCacheCtrlr", "Enabled"):
            return {"status": "Rejected", "statusInfo": {"reasonCode": "NotEnabled"}}
        self.cache.clear()
        return {"status": "Accepted"}

    def list_version_told(self, _payload: Json) -> Json:
        """D02."""
        return {"versionNumber": self.list_version}

    def list_sent(self, payload: Json) -> Json:
        """D01: full or differential; an entry without info is removed."""
        model = self._station.model
        entries = payload.get("localAuthorizationList") or []
        version = int(payload["versionNumber"])
        if not model.is_on("LocalAuthListCtrlr", "Enabled"):
            return {"status": "Failed", "statusInfo": {"reasonCode": "NotEnabled"}}
        if len(entries) > model.number("LocalAuthListCtrlr", "ItemsPerMessage"):
            return {"status": "Failed", "statusInfo": {"reasonCode": "TooManyElements"}}
        if payload["updateType"] == "Differential" and version <= self.list_version:
            return {"status": "VersionMismatch"}
        if payload["updateType"] == "Full":
            self.entries.clear()
        for entry in entries:
            key = _key(IdToken.of(entry["idToken"]))
            self.entries.pop(key, None)
            if "idTokenInfo" in entry:
                self.entries[key] = dict(entry["idTokenInfo"])
        self.list_version = version
        model.put("LocalAuthListCtrlr", "Entries", str(len(self.entries)))
        return {"status": "Accepted"}
