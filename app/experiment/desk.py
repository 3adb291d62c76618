"""Where experiments are started, followed and ended: one at a time for each unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.errors import Busy, NotReachable
from app.experiment.backends import Visit
from app.experiment.run import Run
from app.experiment.values import AS_IT_IS, Result, Subject, Tempo
from app.feed import Feed
from app.model.experiment import EXPERIMENTS, Experiment, Ground
from app.ocpp.channel import host_of
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer

REMEMBERED = 200
"""Results that are kept, the newest of each subject and experiment."""


class Experimenter:
    """Runs experiments. ``hindrance`` says why an identity can't be experimented with now; empty = it can."""

    def __init__(
        self,
        *,
        server: OcppServer,
        scope: Scope,
        visit: Visit,
        hindrance: Callable[[str], str] = lambda _: "",
        tempo: Tempo = AS_IT_IS,
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.started: Feed[Run] = Feed()
        self.tempo = tempo
        self._server = server
        self._scope = scope
        self._visit = visit
        self._hindrance = hindrance
        self._report = report
        self._runs: dict[tuple[str, str], Run] = {}

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Return every experiment there is."""
        return tuple(EXPERIMENTS.values())

    def running(self, identity: str = "", host: str = "") -> Run | None:
        """Return what is going on with a unit; its address tells where one of both has no name."""
        for run in self._runs.values():
            subject = run.result.subject
            is_named = bool(identity and subject.identity)
            is_it = subject.identity == identity if is_named else bool(host) and subject.host == host
            if is_it and not run.is_over:
                return run
        return None

    def _in_the_way(self, experiment: Experiment, subject: Subject) -> Run | None:
        """Return what must end first: an experiment with the same unit, or with the face that its address is shown."""
        for run in self._runs.values():
            is_same = experiment.ground is run.experiment.ground is Ground.LISTENER
            if not run.is_over and is_same and run.result.subject.host == subject.host:
                return run
        return self.running(subject.identity, subject.host)

    def latest(self, experiment_id: str, subject: Subject) -> Run | None:
        """Return the newest run of an experiment with a subject."""
        return self._runs.get((experiment_id, subject.title))

    def warnings(self, experiment_id: str, subject: Subject) -> tuple[str, ...]:
        """Return what to think of before it is started."""
        risk = EXPERIMENTS[experiment_id].risk
        endpoint = self._server.endpoint(subject.identity) if subject.identity else None
        is_charging = endpoint is not None and any(item.is_running for item in endpoint.transactions.values())
        session = "A charging session is running: it may end, or lose values."
        return tuple(text for text in (risk, session if is_charging else "") if text)

    def subject(self, experiment_id: str, *, identity: str = "", remote: str = "", url: str = "") -> Subject:
        """Return whom an experiment would be about. Raises NotReachable where too little is known for it."""
        ground = EXPERIMENTS[experiment_id].ground
        if ground is Ground.BACKEND:
            if not url:
                raise NotReachable("Which backend?", "Give its address, as the charger would dial it.")
            return Subject(identity=identity, url=url)
        host = host_of(remote) if remote else self._last_host(identity)
        is_awaited = experiment_id == "plain-instead-of-tls" and bool(identity or host)
        if ground is Ground.ENDPOINT and self._server.endpoint(identity) is None and not is_awaited:
            raise NotReachable(
                f"“{identity}” is not connected to this endpoint.", "Point it here first, and wait until it dials."
            )
        if ground is Ground.LISTENER and not host:
            raise NotReachable(
                f"“{identity}” has never dialled, so its address is not known.",
                "Let it dial once, or give its network address.",
            )
        return Subject(identity=identity, host=host)

    def prepare(self, experiment_id: str, *, identity: str = "", remote: str = "", url: str = "") -> Run:
        """Return a run that is ready to ``go``. ``remote`` is an address, with or without port.

        Raises NotReachable, Busy (something is going on with that unit), KeyError (no such experiment).
        """
        subject = self.subject(experiment_id, identity=identity, remote=remote, url=url)
        if self._in_the_way(EXPERIMENTS[experiment_id], subject) is not None:
            raise Busy(f"An experiment with {subject.title} is going on.", "Wait for its end, or stop it.")
        if why := self._hindrance(subject.identity):
            raise Busy(why, "Wait for its end, or stop it.")
        run = Run(
            EXPERIMENTS[experiment_id],
            subject,
            server=self._server,
            visit=self._visit,
            tempo=self.tempo,
            report=self._report,
        )
        self._remember((experiment_id, subject.title), run)
        self.started.publish(run)
        return run

    def start(self, experiment_id: str, *, identity: str = "", remote: str = "", url: str = "") -> Run:
        """Start an experiment in the background and return it. Raises as ``prepare``."""
        run = self.prepare(experiment_id, identity=identity, remote=remote, url=url)
        self._scope.isolated(f"experiment {run.result.subject.title}", run.go())
        return run

    async def run(self, experiment_id: str, *, identity: str = "", remote: str = "", url: str = "") -> Result:
        """Run an experiment and return what follows. Raises as ``prepare``."""
        return await self.prepare(experiment_id, identity=identity, remote=remote, url=url).go()

    def _last_host(self, identity: str) -> str:
        endpoint = self._server.endpoint(identity)
        if endpoint is not None:
            return host_of(endpoint.handshake.remote)
        knocks = (knock for knock in reversed(self._server.knock_list) if knock.identity == identity)
        return next((host_of(knock.remote) for knock in knocks), "") if identity else ""

    def _remember(self, place: tuple[str, str], run: Run) -> None:
        self._runs.pop(place, None)
        self._runs[place] = run
        for old in [old for old, kept in self._runs.items() if kept.is_over][: max(0, len(self._runs) - REMEMBERED)]:
            del self._runs[old]
