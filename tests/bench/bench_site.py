"""Find a mixed site of sixty chargers, search over the LAN included: how long until every one is known for what it is?

Run ``python tests/bench/bench_site.py`` (Linux, root: it makes two network namespaces). Printed per round: seconds until
half, 90 % and all of them are known, until the whole /24 is asked and everybody settled, and connections per second.
Wanted: all of them within 10 s of start.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e import sixty

ROUNDS = 3
WANTED_S = 10.0


def main() -> None:
    slowest = []
    for place in range(ROUNDS):
        # A site of its own per round: chargers that lost a central system wait before they dial again.
        with sixty.standing() as (site, told, garage):
            count = len(told["placed"])
            result = sixty.found(site, told["placed"])
            garage.communicate("\n", timeout=20)
        times = sorted(result["times"].values())
        slowest.append(times[-1] if len(times) == count else float("inf"))
        print(
            f"round {place + 1}: {len(times)} of {count} chargers known; half after {times[len(times) // 2]:.2f} s,"
            f" 90 % after {times[int(0.9 * len(times))]:.2f} s, all after {slowest[-1]:.2f} s;"
            f" {result['asked']} addresses asked in {result['lan_s']:.2f} s ({result['rate']:.0f} connections/s),"
            f" settled after {result['ended']:.2f} s"
        )
    median = statistics.median(slowest)
    print(f"all known after {median:.2f} s (median of {ROUNDS}; wanted: {WANTED_S:.0f} s)")


if __name__ == "__main__":
    main()
