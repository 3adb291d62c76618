"""The headless program: ``rehome find | show | apply | serve | accept | undo | report | demo | drivers``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import signal
import sys
from types import ModuleType

from app import __version__
from app.commands import FAILED, INTERRUPTED
from app.commands.console import Console, OutputGone, add_common
from app.errors import AppError

COMMANDS = {
    "find": "list the chargers in reach",
    "show": "show one charger: identity, status, backend, settings",
    "label": "read codes and labels from photos or a barcode reader and match them to the site",
    "triage": "say of every charger in reach whether and how it can be saved (HTML, CSV, XLSX, JSON)",
    "card": "print what to type at a charger, with QR codes (HTML, PDF)",
    "apply": "move a charger to a backend and prove it",
    "serve": "run the test endpoint and show everything that speaks to it",
    "call": "send one OCPP command to a charger and print its answer",
    "accept": "test a charger through, case by case, with verdicts (JUnit, JSON)",
    "rescue": "bring home the sessions that a charger kept for its dead backend (CSV, JSON)",
    "standin": "stand in for what a garage lacks: DNS, time, addresses, web answers; show who asks",
    "experiment": "find out which of two causes that look alike it is",
    "diagnose": "name what is wrong in a trace or a log file",
    "explain": "explain a saved configuration key by key and check it against what the site wants",
    "trace": "write recorded traffic to a file, read, convert and check such files",
    "trust": "show and export our own root certificate, issue client certificates, import another one",
    "undo": "take back what a job changed",
    "report": "write a job's report (HTML, PDF, JSON), or list the jobs",
    "juicebox": "listen for Wi-Fi JuiceBoxes, say how they stand, let them charge within their limits",
    "bridge": "bridge JuiceBoxes and other units to a backend, headless and for good",
    "demo": "run one complete job on simulated chargers, or keep them running",
    "drivers": "list what this program can drive",
}

EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong call, 3 nothing found, 4 decision needed, 5 not proved, 130 stopped."


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _speak_utf8()
    args, command = _parse(sys.argv[1:] if argv is None else argv)
    console = Console(is_json=args.json, is_quiet=args.quiet)
    try:
        # Not Windows' proactor: after an ICMP answer it receives no UDP (cpython 91227, 127057), and so no mDNS.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(_run(command, args, console))
    except KeyboardInterrupt:
        console.progress("Stopped. Nothing is left half-written.")
        return INTERRUPTED
    except OutputGone:
        return INTERRUPTED
    except AppError as error:
        console.trouble(error)
        return FAILED


async def _run(command: ModuleType, args: argparse.Namespace, console: Console) -> int:
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # Windows: closing the console ends the process
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return int(await command.run(args, console))
    except asyncio.CancelledError:
        console.progress("Stopped. Nothing is left half-written.")
        return INTERRUPTED


def _parse(argv: list[str]) -> tuple[argparse.Namespace, ModuleType]:
    parser = argparse.ArgumentParser(prog="rehome", description="Put EV chargers back on a backend.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"rehome {__version__}")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in argv if word in COMMANDS), "")
    modules: dict[str, ModuleType] = {}
    for name, text in COMMANDS.items():
        sub = choices.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=EPILOG)
        if name == wanted:
            modules[name] = importlib.import_module(f"app.commands.{name}")
            add_common(sub)
            modules[name].add(sub)
    args = parser.parse_args(argv)
    return args, modules[args.command]


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
