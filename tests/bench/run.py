"""Run every benchmark beside this file, each in a process of its own.

    python tests/bench/run.py [--smoke] [names …]

A benchmark is a program ``bench_<name>.py`` with ``main(argv: list[str]) -> int``; with ``--smoke`` it does as little
as shows that it works. It prints lines ``name: value unit (ratio x.xx vs baseline)``. It fails only by crashing or by
taking longer than its limit: figures are read, not asserted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = {True: 120.0, False: 900.0}
"""Longest time of one benchmark: as smoke, in full."""


def found(folder: Path, wanted: Sequence[str]) -> list[Path]:
    """List the benchmarks, or those of the wanted names."""
    files = sorted(folder.glob("bench_*.py"))
    names = {name.removeprefix("bench_").removesuffix(".py") for name in wanted}
    unknown = names - {path.stem.removeprefix("bench_") for path in files}
    if unknown:
        raise SystemExit(f"no such benchmark: {', '.join(sorted(unknown))}")
    return [path for path in files if not names or path.stem.removeprefix("bench_") in names]


def run(path: Path, *, smoke: bool, root: Path = ROOT) -> bool:
    """Run one benchmark; return whether it came to its end."""
    command = [sys.executable, str(path), *(["--smoke"] if smoke else [])]
    env = {**os.environ, "PYTHONPATH": str(root)}
    env.setdefault("QT_QPA_PLATFORM", "offscreen")
    print(f"--- {path.stem}", flush=True)
    began = time.monotonic()
    try:
        code = subprocess.run(command, cwd=root, env=env, check=False, timeout=LIMIT_S[smoke]).returncode
    except subprocess.TimeoutExpired:
        print(f"FAILED: {path.stem} took longer than {LIMIT_S[smoke]:.0f} s", flush=True)
        return False
    print(f"    ({time.monotonic() - began:.1f} s)" if code == 0 else f"FAILED: exit code {code}", flush=True)
    return code == 0


def main(argv: Sequence[str]) -> int:
    """Run the benchmarks the command line names and return how it went."""
    parser = argparse.ArgumentParser(prog="tests/bench/run.py", description="Run the benchmarks.")
    parser.add_argument("--smoke", action="store_true", help="each as little as shows that it works")
    parser.add_argument("names", nargs="*", help="only these (bench_<name>.py)")
    args = parser.parse_args(argv)
    failed = [path.stem for path in found(Path(__file__).parent, args.names) if not run(path, smoke=args.smoke)]
    print(f"FAILED: {', '.join(failed)}" if failed else "All benchmarks came to their end.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
