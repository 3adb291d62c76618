"""The endpoint's judge: one object that remembers what single observations can't show. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from app.diagnosis import commands, dialled, history, mobile, network, oldhost, settings, spoken, tls
from app.diagnosis.history import History
from app.diagnosis.thresholds import Thresholds, standard
from app.errors import BadCertificate
from app.model import observation as see
from app.model.finding import Finding
from app.model.frame import Frame, Handshake, Knock
from app.model.observation import Observation
from app.trust.describe import describe

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 2000
"""Identities, and addresses, whose history is kept."""


class Watch:
    """Turns observations into findings (``app.model.observation.Judge``).

    Keeps a bounded history of each identity, and of each address that failed TLS or knocked without a word.
    """

    def __init__(self, limits: Thresholds | None = None) -> None:
        self.limits = limits or standard()
        self._histories: OrderedDict[str, History] = OrderedDict()
        self._look_alikes: OrderedDict[str, str] = OrderedDict()
        self._refused: OrderedDict[str, see.TlsFailed] = OrderedDict()
        self._silent: OrderedDict[str, int] = OrderedDict()
        self._past: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __call__(self, observation: Observation) -> Iterable[Finding]:
        """Judge one observation."""
        return list(self._judged(observation))

    def _judged(self, seen: Observation) -> Iterator[Finding]:
        match seen:
            case Handshake() | Knock() | see.TlsFailed():
                yield from self._door(seen)
            case Frame() | see.BootSeen() | see.BootRepeated() | see.Spoken() | see.Unbooted() | see.Stateless():
                yield from self._words(seen)
            case see.UnsetClock() | see.Drift() | see.Backlog():
                yield from self._times(seen)
            case see.Ended() | see.Returned() | see.Replaced():
                yield from self._comings(seen)
            case see.Answered() | see.Unanswered() | see.SettingsSeen():
                yield from self._commands(seen)
            case see.SignalSeen():
                yield from network.at_signal(seen, self.limits)
            case see.MobileSeen():
                yield from mobile.at_mobile(seen, self.limits)
            case see.SelfTested():
                yield from network.at_self_test(seen)
            case see.AdapterGone():
                yield from network.at_adapter(seen)

    def _door(self, seen: Handshake | Knock | see.TlsFailed) -> Iterator[Finding]:
        match seen:
            case Handshake():
                yield from dialled.at_handshake(seen)
                yield from history.twin_address(self._history(seen.identity), seen)
                yield from self._look_alike(seen)
                yield from tls.at_session(seen, self.limits)
                yield from oldhost.at_handshake(seen)
                yield from self._taken_at_last(seen)
            case Knock():
                yield from dialled.at_knock(seen)
                yield from self._silent_knock(seen)
            case see.TlsFailed():
                yield from tls.at_tls_failure(seen)
                yield from oldhost.at_tls_failure(seen)
                _put(self._refused, _host(seen.remote), seen)

    def _words(
        self, seen: Frame | see.BootSeen | see.BootRepeated | see.Spoken | see.Unbooted | see.Stateless
    ) -> Iterator[Finding]:
        match seen:
            case Frame():
                yield from spoken.at_frame(seen)
            case see.BootSeen():
                yield from spoken.at_boot(seen.boot)
                past = self._history(seen.handshake.identity)
                history.forget_interval(past)
                yield from history.twin_serial(past, seen)
            case see.BootRepeated():
                yield from spoken.at_boot_repeated(seen)
            case see.Spoken():
                yield from spoken.at_spoken(seen)
            case see.Unbooted():
                yield from spoken.at_unbooted(seen)
            case see.Stateless():
                yield from spoken.at_stateless(seen)

    def _times(self, seen: see.UnsetClock | see.Drift | see.Backlog) -> Iterator[Finding]:
        match seen:
            case see.UnsetClock():
                yield from spoken.at_unset_clock(seen)
            case see.Drift():
                yield from spoken.at_drift(seen, self.limits)
            case see.Backlog():
                mark = (seen.action, seen.stamp)
                # A repetition was told before, even where the first time was no word about the past.
                _put(self._past, mark, max(self._past.get(mark, 0) + 1, 2 if seen.is_repeated else 1))
                yield from spoken.at_backlog(seen, self._past[mark], self.limits)

    def _comings(self, seen: see.Ended | see.Returned | see.Replaced) -> Iterator[Finding]:
        past = self._history(seen.identity)
        match seen:
            case see.Ended():
                yield from commands.compressed(seen)
                yield from commands.at_drop(seen, self.limits)
                yield from history.at_end(past, seen, self.limits)
            case see.Returned():
                yield from history.at_return(past, seen, self.limits)
            case see.Replaced():
                yield from history.at_replacement(past, seen)

    def _commands(self, seen: see.Answered | see.Unanswered | see.SettingsSeen) -> Iterator[Finding]:
        past = self._history(seen.identity)
        match seen:
            case see.Answered():
                yield from commands.at_answer(seen, past.profile, past.is_root_checked)
                yield from self._stored(seen)
                history.remember_writes(past, seen)
            case see.Unanswered():
                yield from commands.at_silence(seen)
            case see.SettingsSeen():
                known = settings.security_profile(seen.settings)
                past.profile = known if known is not None else past.profile
                past.is_root_checked = settings.is_root_checked(seen.settings) or past.is_root_checked
                yield from settings.at_settings(seen, self.limits)
                yield from history.kept(past, seen)

    # Memory -------------------------------------------------------------------------------------------------------

    def _history(self, identity: str) -> History:
        past = self._histories.get(identity) or History()
        _put(self._histories, identity, past)
        return past

    def _look_alike(self, shake: Handshake) -> Iterator[Finding]:
        mark = history.folded(shake.identity)
        other = self._look_alikes.get(mark)
        if other is not None and other != shake.identity:
            yield history.look_alike(shake.identity, other, shake)
        _put(self._look_alikes, mark, shake.identity)

    def _taken_at_last(self, shake: Handshake) -> Iterator[Finding]:
        failed = self._refused.pop(_host(shake.remote), None)
        finding = tls.proved(failed, shake) if failed is not None else None
        if finding is not None:
            yield finding

    def _silent_knock(self, knock: Knock) -> Iterator[Finding]:
        if knock.verdict not in ("empty", "silent"):
            return
        host = _host(knock.remote)
        count = self._silent.get(host, 0) + 1
        _put(self._silent, host, count)
        if count >= self.limits.knocks_empty:
            yield dialled.silent_knocks(knock, count)

    def _stored(self, seen: see.Answered) -> Iterator[Finding]:
        """See whether a certificate that was accepted as a root is one (failures 38)."""
        pem = seen.request.get("certificate")
        if seen.action != "InstallCertificate" or seen.answer.get("status") != "Accepted" or not isinstance(pem, str):
            return
        try:
            certificate = describe(pem)
        except BadCertificate:
            return
        if not certificate.is_ca:
            yield commands.wrongly_stored(seen, certificate.subject)


def _host(remote: str) -> str:
    return remote.rpartition(":")[0] or remote


def _put(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
