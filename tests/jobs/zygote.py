"""Run jobs in processes that can be killed. Everything is imported once; each run is a fork.

Reads one JSON request per line and answers with one JSON line: the wait status of the fork. A fork opens the data
folder, goes on with its job (or begins one) and drives it to the end; with ``kill_at`` it kills itself with SIGKILL
before or after the n-th event it writes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from app.errors import TimedOut
from app.model.address import NetAddress, OcppAddress
from app.model.job import JobEvent, StepKind
from app.model.profile import Timing
from app.model.secret import Secret
from app.model.unit import Unit
from app.storage.vault import MemoryVault
from tests.jobs.minibench import MiniBench
from tests.jobs.rigs import PASSWORD, drive, wanted

FAST = Timing(restart_s=0.15, redial_s=0.05, patience_s=5.0)


class FileVault(MemoryVault):
    """A keyring for tests: outlives the process."""

    is_persistent = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            for name, text in json.loads(path.read_text()).items():
                super().set(name, Secret(text))

    def set(self, name: str, secret: Secret) -> None:
        super().set(name, secret)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps({key: item.reveal() for key, item in self._secrets.items()}))
        part.replace(self._path)


class Killer:
    """Counts events and kills its own process at the wanted one."""

    def __init__(self, kill_at: tuple[int, str] | None) -> None:
        self._kill_at = kill_at
        self._count = 0

    def __call__(self, when: str, event: JobEvent) -> None:
        self._count += when == "before"
        if self._kill_at == (self._count, when):
            os.kill(os.getpid(), signal.SIGKILL)


async def work(request: Mapping[str, Any]) -> None:
    home = Path(request["home"])
    kill_at = tuple(request["kill_at"]) if request.get("kill_at") else None
    bench = MiniBench(
        home,
        vault=FileVault(home / "vault.json"),
        port=request["port"],
        timing=FAST,
        tap=Killer(kill_at),  # type: ignore[arg-type]
    )
    async with bench:
        await _know(bench, request)
        jobs = list(bench.desk.jobs.values())
        job = jobs[0] if jobs else bench.desk.create("u1")
        if request.get("undo"):
            bench.desk.undo(job.id)
            job = await bench.desk.finished(job.id)
        else:
            job = await drive(
                bench,
                job.id,
                wanted(request["url"], request.get("identity") or "NEW-1", request.get("password") or PASSWORD),
                skips=[StepKind.SESSION],
            )
        told = {"state": job.state.value, "note": job.note, "troubles": [str(item.error) for item in bench.troubles]}
        (home / "end.json").write_text(json.dumps(told))


async def _know(bench: MiniBench, request: Mapping[str, Any]) -> None:
    """Find the unit again as discovery would, or know it from before where it is not in reach."""
    known: dict[str, Unit] = {unit.unit_id: unit for unit in bench.store.units.all()}
    if request.get("identity"):
        await bench.listen_somewhere()
        try:
            await bench.server.arrival(request["identity"], timeout_s=0.4 if known else 5.0)
        except TimedOut:
            bench.finder.update(known["u1"])
            return
        unit = await bench.add(OcppAddress(identity=request["identity"]))
    else:
        unit = await bench.add(NetAddress(host="127.0.0.1", port=request["unit_port"]))
    bench.store.units.save(unit)


def run(request: Mapping[str, Any]) -> NoReturn:
    """Be the fork: whatever happens, leave without the parent's clean-up."""
    code = 3
    try:
        asyncio.run(asyncio.wait_for(work(request), 20))
        code = 0
    finally:
        sys.stderr.flush()
        if code:
            traceback.print_exc()
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run(request)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"status": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
