"""The bridge as a Windows service, by pywin32 (win32/Lib/win32serviceutil.py). Not yet tried on Windows.

Nothing is registered but a command line: this very program with ``bridge --config … --service run``.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import ServerError
from app.service import logs
from app.service.installing import WINDOWS_NAME, program

if TYPE_CHECKING:
    from app.service.serving import Serving

log = logging.getLogger(__name__)

DISPLAY = "Rehome bridge"
DESCRIPTION = "Makes charge points of JuiceBoxes and other chargers that can't speak to their backend themselves."
ACCOUNT = r"NT AUTHORITY\LocalService"
"""Least rights; the recipe lets it write the state folder."""
OK, FAILED = 0, 1


def act(what: str, config: Path) -> int:
    """Install, remove or be the service. Raises ServerError with the system's words."""
    if os.name != "nt":
        raise ServerError(
            "This is not Windows.", "“rehome bridge install” says how the bridge is kept running on this system."
        )
    return ACTS[what](config)


def command_line(config: Path, called: tuple[str, ...] | None = None) -> str:
    """Return what Windows starts."""
    return subprocess.list2cmdline([*(called or program()), "bridge", "--config", str(config), "--service", "run"])


def install(config: Path) -> int:
    """Register the service; it starts with the computer (CreateService). Raises ServerError."""
    service = importlib.import_module("win32service")
    scm = _opened(service)
    try:
        made = service.CreateService(
            scm,
            WINDOWS_NAME,
            DISPLAY,
            service.SERVICE_ALL_ACCESS,
            service.SERVICE_WIN32_OWN_PROCESS,
            service.SERVICE_AUTO_START,
            service.SERVICE_ERROR_NORMAL,
            command_line(config),
            None,
            0,
            None,
            ACCOUNT,
            None,
        )
        service.ChangeServiceConfig2(made, service.SERVICE_CONFIG_DESCRIPTION, DESCRIPTION)
        service.CloseServiceHandle(made)
    except service.error as error:
        raise _told(error) from error
    finally:
        service.CloseServiceHandle(scm)
    return OK


def remove(_config: Path) -> int:
    """Take the service away; it must have been stopped. Raises ServerError."""
    service = importlib.import_module("win32service")
    scm = _opened(service)
    try:
        found = service.OpenService(scm, WINDOWS_NAME, service.SERVICE_ALL_ACCESS)
        service.DeleteService(found)
        service.CloseServiceHandle(found)
    except service.error as error:
        raise _told(error) from error
    finally:
        service.CloseServiceHandle(scm)
    return OK


def be(config: Path) -> int:
    """Run as the service: called by Windows alone."""
    manager, framework = (importlib.import_module(name) for name in ("servicemanager", "win32serviceutil"))
    manager.Initialize()
    manager.PrepareToHostSingle(_service(framework, config))
    manager.StartServiceCtrlDispatcher()
    return OK


ACTS: Mapping[str, Callable[[Path], int]] = {"install": install, "remove": remove, "run": be}


class Work:
    """The bridge on a thread that Windows gave: ``run`` there, ``stop`` from the one that takes its orders."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: Serving | None = None
        self._is_stopped = False

    def run(self) -> None:
        """Serve until ``stop``. The log lies in the state folder."""
        from app.service.reading import load

        plan = load(self._config)
        handler = logs.configure(is_json=True, path=plan.folder / "bridge.log")
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(plan))
        finally:
            logging.getLogger().removeHandler(handler)
            handler.close()

    def stop(self) -> None:
        """End it in order, soon."""
        self._is_stopped = True
        if self._loop is not None and self._serving is not None:
            self._loop.call_soon_threadsafe(self._serving.stop)

    async def _serve(self, plan: Any) -> None:
        from app.service.serving import Serving

        self._loop = asyncio.get_running_loop()
        self._serving = Serving(self._config, plan, lambda _event, text: log.info("%s", text))
        if self._is_stopped:
            self._serving.stop()
        await self._serving.run()


def _service(framework: Any, config: Path) -> type:
    """Make the class that pywin32 wants: it calls SvcDoRun on the service's thread, SvcStop on another."""
    pending = importlib.import_module("win32service").SERVICE_STOP_PENDING
    work = Work(config)

    def stop(service: Any) -> None:
        service.ReportServiceStatus(pending)
        work.stop()

    def run(_service: Any) -> None:
        work.run()

    words: dict[str, Any] = {"_svc_name_": WINDOWS_NAME, "_svc_display_name_": DISPLAY, "SvcDoRun": run}
    words |= {"SvcStop": stop, "SvcShutdown": stop}  # without the second, Windows kills it when it shuts down
    return type("BridgeService", (framework.ServiceFramework,), words)


def _opened(service: Any) -> Any:
    try:
        return service.OpenSCManager(None, None, service.SC_MANAGER_ALL_ACCESS)
    except service.error as error:
        raise _told(error) from error


def _told(error: BaseException) -> ServerError:
    words = getattr(error, "strerror", None) or str(error)
    return ServerError(f"Windows says: {words}", "Start PowerShell as administrator, and look at services.msc.")
