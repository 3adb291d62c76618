"""The life of the program from the first paint to the last: opens the Workbench, joins it to the window, ends both."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QSessionManager
from PySide6.QtWidgets import QApplication

from app import memory
from app.errors import AppError, StoreError
from app.settings import Settings, load
from ui import loop as loops
from ui.dialogs import choose_folder
from ui.doors import Crash, Doors, Sink, guarded
from ui.i18n import install as install_translation
from ui.i18n import translate
from ui.interrupts import Interrupts
from ui.leaving import may_leave
from ui.logfile import LogFile
from ui.main import Options, home_of
from ui.opening import opened, temporary_home
from ui.pages.catalogue import entry
from ui.tasks import Tasks
from ui.widgets.banner import Banner
from ui.widgets.crash import CrashPage
from ui.widgets.failure import OpeningFailed
from ui.window import MainWindow
from ui.wiring import Wiring, open_folder

if TYPE_CHECKING:
    from app.workbench import Workbench

log = logging.getLogger(__name__)

STOP_LIMIT_S = 5.0
"""The whole program ends within this after the decision to end."""

LINGER_LIMIT_S = 3.0
"""How long threads may linger after everything was left."""

EXIT_OK = 0
EXIT_UNCLEAN = 1
"""Something had to be abandoned at the end."""


def run(app: QApplication, window: MainWindow, options: Options, settings: Settings, error: StoreError | None) -> int:
    """Live in the window until it is closed; return the exit code."""
    install_translation(app)
    session = Session(app, window, options, settings, error)
    with Path(os.devnull).open("w") as nowhere:
        try:
            return loops.run(app, _live(session, nowhere))
        finally:
            faulthandler.cancel_dump_traceback_later()


async def _live(session: Session, nowhere: IO[str]) -> int:
    """Live; what then still lingers (a keyring that waits for its password) is cut off: everything is on disk."""
    code = await session.live()
    faulthandler.dump_traceback_later(LINGER_LIMIT_S, exit=True, file=nowhere)
    return code


class Session:
    """One run of the program.

    States::

        opening ──► open ──► closing ──► gone
           │  ▲
           ▼  │ (retry, other folder)
          failed ──► gone
    """

    def __init__(
        self,
        app: QApplication,
        window: MainWindow,
        options: Options,
        settings: Settings,
        settings_error: StoreError | None = None,
    ) -> None:
        self._app = app
        self._window = window
        self._options = options
        self._settings = settings
        self._settings_error: AppError | None = settings_error
        self._home = home_of(options)
        self._sink = Sink(window)
        self._wants_close = asyncio.Event()
        self._is_forced = False
        self._crash_page: CrashPage | None = None
        self._exit_code = EXIT_OK
        self._choice: asyncio.Future[str] | None = None
        self.wiring: Wiring | None = None
        self.opened = asyncio.Event()

    async def live(self) -> int:
        """Run from the painted window to its end; return the exit code."""
        doors = Doors(self._sink)
        doors.watch(asyncio.get_running_loop())
        self._sink.problem.connect(self._show_problem)
        self._sink.crashed.connect(self._show_crash)
        self._sink.interrupted.connect(self.force_close)
        self._window.close_requested.connect(self.request_close)
        self._app.commitDataRequest.connect(self._system_ends)
        interrupts = Interrupts(self.force_close)
        try:
            await self._visits()
        finally:
            interrupts.close()
            self._app.commitDataRequest.disconnect(self._system_ends)
            await _drop(self._window)
            doors.close()
        return self._exit_code

    # Closing

    def request_close(self) -> None:
        """Ask to end. While a job runs the technician is asked; a second request ends at once."""
        self._is_forced = self._is_forced or self._wants_close.is_set()
        self._wants_close.set()
        self._choose("quit")

    def force_close(self) -> None:
        """End without asking (Ctrl-C, SIGTERM, the system shuts down); jobs stop at their safe point."""
        self._is_forced = True
        self._wants_close.set()
        self._choose("quit")

    def _system_ends(self, _manager: QSessionManager) -> None:
        self.force_close()

    async def _until_closed(self, bench: Workbench) -> None:
        while True:
            await self._wants_close.wait()
            if self._is_forced:
                return
            self._wants_close.clear()
            if await may_leave(self._window, bench, self._wants_close):
                return
            if self._wants_close.is_set():
                return

    # Opening

    async def _visits(self) -> None:
        while not self._wants_close.is_set():
            failure: AppError | None = None
            is_bug = True
            with guarded("the program's opening"):
                failure = self._settings_error or await self._visit()
                is_bug = False
            if is_bug:
                self._exit_code = EXIT_UNCLEAN
                await self._after_bug()
                return
            if failure is None or not await self._recover(failure):
                return

    async def _after_bug(self) -> None:
        """Leave the crash page on screen until it is closed; a driven program has nobody to look at it."""
        if not self._options.is_driven:
            await self._wants_close.wait()

    async def _visit(self) -> AppError | None:
        """Open, serve until closed, and leave; return why it could not open."""
        stack = AsyncExitStack()
        try:
            bench = await self._open(stack)
        except AppError as error:
            log.info("opening failed: %s", error.message)
            await stack.aclose()
            return error
        wiring = Wiring(bench, self._window)
        try:
            await asyncio.to_thread(entry(self._window.page_id).load)
            wiring.start()
            self.wiring = wiring
            memory.settle()
            log.info("the window is open")
            self.opened.set()
            await self._serve(bench)
        finally:
            await self._leave(wiring, stack)
        return None

    async def _open(self, stack: AsyncExitStack) -> Workbench:
        if self._options.is_demo and not self._options.home:
            self._home = Path(stack.enter_context(temporary_home()))
        log_file = _open_log(self._home)
        stack.callback(log_file.close)
        if log_file.last_crash:
            self._tell_last_crash(log_file.folder)
        return await stack.enter_async_context(opened(self._settings, self._home, is_demo=self._options.is_demo))

    async def _serve(self, bench: Workbench) -> None:
        if not self._options.is_driven:
            await self._until_closed(bench)
            return
        from ui.tour import drive

        tasks = Tasks(self._window)
        driving = tasks.start("drive", drive(self._options, bench, self._window))
        closing = tasks.start("closing", self._wants_close.wait())
        await asyncio.wait({driving, closing}, return_when=asyncio.FIRST_COMPLETED)
        await tasks.stop()

    async def _leave(self, wiring: Wiring, stack: AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                wiring.remember_window()
                self._window.hide()
                await wiring.stop()
                log.info("the window is closed")
                await stack.aclose()
        except TimeoutError:
            log.error("Rehome did not end within %.0f s", STOP_LIMIT_S)
            self._exit_code = EXIT_UNCLEAN

    async def _recover(self, failure: AppError) -> bool:
        """Show why the data can't be opened; say whether to try again."""
        page = OpeningFailed(failure, str(self._home), self._window)
        self._choice = asyncio.get_running_loop().create_future()
        page.chosen.connect(self._choose)
        self._window.show_alone(page)
        key = await self._choice
        self._window.show_alone(None)
        if key == "folder":
            await self._choose_home()
        return key != "quit" and self._read_settings_again()

    def _choose(self, key: str) -> None:
        if self._choice is not None and not self._choice.done():
            self._choice.set_result(key)

    async def _choose_home(self) -> None:
        folder = await choose_folder(self._window, translate("Folder for Rehome's data"), folder=self._home)
        if folder is not None:
            self._home = folder

    def _read_settings_again(self) -> bool:
        try:
            self._settings = load(self._home / "settings.toml")
            self._settings_error = None
        except StoreError as error:
            self._settings_error = error
        return True

    # Telling

    def _show_problem(self, error: AppError, _where: str) -> None:
        self._window.banners.show_message(error.message, error.advice, tone="attention")
        self._tell_driver(f"{error.message} {error.advice}")

    def _tell_driver(self, text: str) -> None:
        """Whoever started a driven program reads its standard error and its exit code, not its window."""
        if self._options.is_driven:
            sys.stderr.write(f"{text}\n")
            self._exit_code = EXIT_UNCLEAN

    def _show_crash(self, crash: Crash) -> None:
        self._tell_driver(crash.details)
        if self._crash_page is None:
            page = CrashPage(crash, self._window)
            page.quit_chosen.connect(self.force_close)
            page.destroyed.connect(self._crash_page_gone)
            self._crash_page = page
            page.show()
        else:
            self._crash_page.add(crash)

    def _crash_page_gone(self, _: QObject | None = None) -> None:
        self._crash_page = None

    def _tell_last_crash(self, folder: Path) -> None:
        banner: Banner = self._window.banners.show_message(
            translate("Rehome ended unexpectedly last time."),
            translate("Your jobs are safe. Please send the file crash-previous.txt in the log folder to support."),
            action=translate("Open log folder"),
        )
        banner.acted.connect(partial(open_folder, folder))


async def _drop(window: MainWindow) -> None:
    gone = asyncio.Event()
    window.destroyed.connect(lambda: gone.set())
    window.hide()
    window.deleteLater()
    await gone.wait()


def _open_log(home: Path) -> LogFile:
    try:
        return LogFile(home)
    except OSError as error:
        raise StoreError(
            translate("Rehome can't write into its data folder: {why}.").format(why=error.strerror or error),
            translate("Check the rights and the free room of {folder}, or use another folder.").format(folder=home),
        ) from error
