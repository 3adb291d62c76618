"""Messages per CPU second of our endpoint, alone and in the whole program, beside other servers in the same run.

    REHOME_NODE_MODULES=<folder> python tests/bench/bench_endpoint.py [--smoke]

The same load generator (raw sockets, prepared frames, closed loop of 100 connections) asks each server, which runs in
a process of its own and tells its own CPU time. Request and answer are validated by all of them. ``gui`` is the whole
program with its window, storage of every frame and reading included; the gap of its window's 16 ms timer is measured
at saturation. npm's ocpp-rpc is measured where the variable names a folder in which it was installed. Wanted: 12 times
the ``ocpp`` package; against ocpp-rpc 1.5 times on BootNotification and Heartbeat, 1.0 times on the others; p99 gap
at most 20 ms.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.ocpp_load import MESSAGES, Crowd
from tests.bench.ocpp_servers import has_npm, running

CONNECTIONS = 100


def measured(name: str, seconds: float, size: int, actions: Sequence[str]) -> dict[str, float]:
    """Return messages per CPU second by action; prints the window's gaps where there is a window."""
    rates = {}
    with running(name) as server:
        for action in actions:
            crowd = Crowd(server.port, action, size)
            if name == "gui":
                server.ask("gaps")
            rates[action] = crowd.rate(seconds, server.cpu)
            if name == "gui":
                p50, p99 = server.ask("gaps").split()
                print(f"window under {action}: gap p50 {p50} ms, p99 {p99} ms (wanted 20)", flush=True)
            crowd.close()
    return rates


def main(argv: Sequence[str]) -> int:
    """Print messages per CPU second for each kind of message and server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--only", nargs="*", default=(), help="only these servers (ours, gui, stock, npm)")
    args = parser.parse_args(argv)
    seconds, size = (0.3, 5) if args.smoke else (3.0, CONNECTIONS)
    names = args.only or ("stock", "ours", "gui", *(("npm",) if has_npm() else ()))
    rates = {name: measured(name, seconds, size, tuple(MESSAGES)) for name in names}
    for name in ("ours", "gui"):
        for action, rate in rates.get(name, {}).items():
            others = [(other, rates[other][action]) for other in ("stock", "npm") if other in rates]
            ratios = ", ".join(f"ratio {rate / base:.2f} vs {other} {base:.0f}" for other, base in others)
            print(f"endpoint {name} {action}: {rate:.0f} messages/CPU-s ({ratios})", flush=True)
    if "npm" not in names:
        print("ocpp-rpc was not measured: REHOME_NODE_MODULES names no folder with it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
