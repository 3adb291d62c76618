"""Try the frozen program: python packaging/smoke.py [folder]. Standard library only.

Starts it headless and in a window, from an empty folder with a data folder of its own, and compares what it carries
(drivers, profiles, schemas, icons, failures, every folder of facts, libraries imported late) with the source tree.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DUMP = ROOT / "tests" / "stacks" / "dumps" / "microocpp-4b89f46-1.6.json"
LIMIT_S = 300.0
"""Longest time of one start, the demo's whole job included."""


class Failed(Exception):
    """The frozen program is not what it must be."""


SERIAL = "WB-4711-0042"
"""On the label of the photo."""

URL = "wss://csms.example/ocpp"
OWN = ("--host", "127.0.0.1", "--port", "0")
"""Listen where nobody else does."""

CARRIED = ("drivers", "profiles", "schemas", "icons", "failures", "resources", "libraries", "bluetooth")
"""What the program must tell of itself, as the source tree does, and not be without."""

FAMILIES_AT_LEAST = 100

BOX = "0910000000000000000000000000"
CHECKSUMS = ("KKD", "38F", "67B", "6JG", "ZIL", "G0E", "YS9", "035")
REPORTS = tuple(
    f"{BOX}:v07,s000{number},u{30039 + 9 * number},V2400,L0024880114,S2,T62,M40,m40,t09,i78,e-001,f6001,X0,Y0,"
    f"E006804,A0394,p0992!{checksum}:"
    for number, checksum in enumerate(CHECKSUMS, 1)
)
"""A JuiceBox's published report (home-assistant/core issue 86588) and those after it. The first is never answered: that
the box was adopted goes to the disk first."""
REPORT_EVERY_S = 3.0

SITE_FILE = """
[site]
name = "Smoke"
address = "127.0.0.1"
juicenet_ports = [{juicenet}]
[status]
port = {status}
[backend.main]
url = "{url}"
[[box]]
id = "{box}"
identity = "STALL-1"
circuit_a = 24
start = "free"
id_tag = "FREE"
"""

PATIENCE_S = 30.0
"""How long a bridge may take to come to what is waited for."""


@dataclass
class Frozen:
    """The program under test and the empty folder it is started in."""

    folder: Path
    work: Path

    def start(self, name: str, *arguments: str) -> str:
        """Run an executable to its end and return its standard output."""
        return finish([self.program(name), *arguments], cwd=self.work, env=environment(self.work))

    def program(self, name: str) -> str:
        """Return an executable's path."""
        program = self.folder / (name + (".exe" if os.name == "nt" else ""))
        if not program.is_file():
            raise Failed(f"{program} is missing")
        return str(program)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[dict[str, object]]:
        """Run a command that serves, from its first line on (which is returned) until the end of the block."""
        command = [self.program("rehome"), *arguments, "--json", "--home", str(self.work / arguments[0])]
        with (self.work / f"{arguments[0]}.err").open("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                command, cwd=self.work, env=environment(self.work), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace",
            )  # fmt: skip
            patience = threading.Timer(LIMIT_S, process.kill)
            patience.start()
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                if not first.strip():
                    errors.seek(0)
                    raise Failed(f"{' '.join(command)} said nothing:\n{errors.read()[-4000:]}")
                yield json.loads(first)
            finally:
                patience.cancel()
                process.terminate()
                process.communicate()


def environment(work: Path) -> dict[str, str]:
    """Return an environment in which nothing leads back to the source tree or to the user's data."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    null = "keyring.backends.null.Keyring"
    return kept | {
        "REHOME_HOME": str(work / "home"),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHON_KEYRING_BACKEND": null,
    }


def finish(command: Sequence[str], *, cwd: Path, env: dict[str, str]) -> str:
    """Run a command to its end and return its standard output."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(command)} did not end within {LIMIT_S:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def version(frozen: Frozen) -> str:
    """The version is the source tree's."""
    told = frozen.start("rehome", "--version").strip()
    expected = finish([sys.executable, "-m", "app", "--version"], cwd=ROOT, env=dict(os.environ)).strip()
    if told != expected:
        raise Failed(f"the frozen program says “{told}”, the source tree “{expected}”")
    return told


def contents(frozen: Frozen) -> str:
    """Drivers, facts and late libraries are the source tree's, and there are some."""
    held = json.loads(frozen.start("rehome", "drivers", "--json"))
    source = json.loads(finish([sys.executable, "-m", "app", "drivers", "--json"], cwd=ROOT, env=dict(os.environ)))
    different = [name for name in source if held.get(name) != source[name]]
    empty = [name for name in CARRIED if not held.get(name)]
    if different or empty:
        raise Failed(f"different from the source tree: {different}; empty: {empty}\nfrozen {held}\nsource {source}")
    return ", ".join(f"{size(held[name])} {name}" for name in CARRIED)


def size(told: object) -> object:
    """Count what a list holds, add up what a table counts; a text stays."""
    if isinstance(told, dict):
        return sum(told.values())
    return len(told) if isinstance(told, list) else told


def families(frozen: Frozen) -> str:
    """The table names every family of the source tree."""
    told = frozen.start("rehome", "drivers").splitlines()
    wanted = sorted(path.stem for path in (ROOT / "resources" / "profiles").glob("*.toml"))
    named = sorted(line.split()[0] for line in told[1:] if line.strip())
    if len(wanted) <= FAMILIES_AT_LEAST or named != wanted:
        raise Failed(f"of {len(wanted)} families the table lacks {sorted(set(wanted) - set(named))}")
    return f"{len(named)} families"


def acceptance(frozen: Frozen) -> str:
    """Every acceptance case of the source tree is there; they are found by folder."""
    wanted = ["accept", "--list", "--suite", "full"]
    held = frozen.start("rehome", *wanted)
    source = finish([sys.executable, "-m", "app", *wanted], cwd=ROOT, env=dict(os.environ))
    if held != source or "A16-" not in held or "A201-" not in held:
        raise Failed(f"the frozen program lists other cases:\n{held}")
    return f"{held.count('A16-')} and {held.count('A201-')} acceptance cases"


def trust(frozen: Frozen) -> str:
    """Its own authority is made on first use, and its root exported."""
    root = frozen.work / "root.cer"
    frozen.start("rehome", "trust", "export", str(root))
    if not root.read_bytes():
        raise Failed("the root certificate is empty")
    return "a root certificate"


def demo(frozen: Frozen) -> str:
    """One complete job on simulated chargers, with its report."""
    folder = frozen.work / "report"
    json.loads(frozen.start("rehome", "demo", "--json", "--out", str(folder)))
    written = sorted(path.suffix for path in folder.iterdir())
    if written != [".html", ".json", ".pdf"]:
        raise Failed(f"the demo's report consists of {written}")
    return "one complete job, reported as HTML, JSON and PDF"


def printing(frozen: Frozen) -> str:
    """A report becomes a PDF."""
    page = frozen.work / "report.html"
    page.write_text("<!doctype html><title>Report</title><p>Saved.</p>", encoding="utf-8")
    pdf = page.with_suffix(".pdf")
    frozen.start("rehome-print", str(page), str(pdf))
    if not pdf.read_bytes().startswith(b"%PDF-"):
        raise Failed("rehome-print wrote no PDF")
    return f"{pdf.stat().st_size} bytes"


def label(frozen: Frozen) -> str:
    """A photo of a label is decoded, read, and matched to the list of a site."""
    photo = ROOT / "tests" / "labels" / "photos" / "photo.jpg"
    home = listed(frozen.work / "listed")
    said = json.loads(frozen.start("rehome", "label", "--json", "--home", str(home), str(photo)))
    if {item["verdict"] for item in said} != {"exact"}:
        raise Failed(f"the label was read as {said}")
    return f"{len(said)} codes of a photo"


def card(frozen: Frozen) -> str:
    """What to type at a charger, with its QR codes, as a page and on paper."""
    page, paper = frozen.work / "card.html", frozen.work / "card.pdf"
    for out in (page, paper):
        frozen.start("rehome", "card", "wallbox", "--url", URL, "--identity", "GARAGE-02", "--out", str(out))
    codes = page.read_text(encoding="utf-8").count("data:image/png")
    if not codes or not paper.read_bytes().startswith(b"%PDF-"):
        raise Failed(f"the card has {codes} QR codes, its PDF begins with {paper.read_bytes()[:5]!r}")
    return f"{codes} QR codes, {paper.stat().st_size} bytes of PDF"


def explain(frozen: Frozen) -> str:
    """A saved configuration is recognised and explained as the source tree does it."""
    wanted = ["explain", "--json", str(DUMP)]
    told = frozen.start("rehome", *wanted)
    source = finish([sys.executable, "-m", "app", *wanted], cwd=ROOT, env=environment(frozen.work))
    if json.loads(told) != json.loads(source):
        raise Failed(f"the configuration is explained otherwise:\n{told[:2000]}")
    return f"recognised as {json.loads(told)['stack']}"


def triage(frozen: Frozen) -> str:
    """A charger of the list gets a verdict, and the table is written as a workbook."""
    home, book = listed(frozen.work / "judged"), frozen.work / "site.xlsx"
    wanted = ["triage", "--no-search", "--seconds", "1", "--json", "--home", str(home), "--out", str(book), *OWN]
    (row,) = json.loads(frozen.start("rehome", *wanted))
    if row["unit"]["identity"]["serial"] != SERIAL or not row["grounds"] or not book.read_bytes().startswith(b"PK"):
        raise Failed(f"the charger was judged as {row}")
    return f"“{row['headline']}”, {book.stat().st_size} bytes of workbook"


def listed(home: Path) -> Path:
    """Make a data folder whose list names one charger."""
    home.mkdir()
    (home / "settings.toml").write_text(f'[[listed]]\nserial = "{SERIAL}"\n', encoding="utf-8")
    return home


def bridge(frozen: Frozen) -> str:
    """A site's file is checked; a box that reports gets its limit, and is a charge point of the frozen endpoint."""
    with frozen.running("serve", *OWN) as endpoint:
        port = endpoint["state"]["port"]  # type: ignore[index]
        juicenet, status = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        file = frozen.work / "site.toml"
        text = SITE_FILE.format(juicenet=juicenet, status=status, url=f"ws://127.0.0.1:{port}", box=BOX)
        file.write_text(text.replace("24", "240"), encoding="utf-8")
        refuse(frozen, file)
        file.write_text(text, encoding="utf-8")
        frozen.start("rehome", "bridge", "--config", str(file), "--check")
        with frozen.running("bridge", "--config", str(file)) as told:
            return bridged(str(told["status"]), juicenet)


def refuse(frozen: Frozen, file: Path) -> None:
    """Have a file with a mistake checked."""
    try:
        frozen.start("rehome", "bridge", "--config", str(file), "--check")
    except Failed as error:
        if "circuit_a" in str(error):
            return
        raise
    raise Failed("a circuit of 240 A was accepted")


def bridged(page: str, port: int) -> str:
    """Report as a box does, and read what the bridge makes of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box:
        box.connect(("127.0.0.1", port))
        order = answered(box)
    if not order.startswith("CMD") or "A24M24" not in order:
        raise Failed(f"the box was told {order!r}")
    unit = awaited(page, lambda unit: unit["line"] == "online" and unit["delivered"])
    metrics, html = fetched(f"{page}metrics"), fetched(page)
    if not metrics.rstrip().endswith("# EOF") or "STALL-1" not in metrics or "STALL-1" not in html:
        raise Failed(f"the status page or the metrics are not whole:\n{html[:500]}\n{metrics[-500:]}")
    return f"a box told {order.strip()}, its charge point {unit['state']} and {unit['line']}"


def answered(box: socket.socket) -> str:
    """Report until something is told."""
    box.settimeout(REPORT_EVERY_S)
    for report in REPORTS:
        box.send(report.encode())
        with contextlib.suppress(TimeoutError):
            return box.recv(200).decode()
    raise Failed(f"the box was told nothing after {len(REPORTS)} reports")


def awaited(page: str, is_there: Callable[[dict[str, object]], object]) -> dict[str, object]:
    """Read the only unit's status until it is as wanted."""
    until = time.monotonic() + PATIENCE_S
    while True:
        unit = json.loads(fetched(f"{page}status.json"))["units"][0]
        if is_there(unit):
            return dict(unit)
        if time.monotonic() > until:
            raise Failed(f"the bridged box stayed at {unit}")
        time.sleep(0.2)


def fetched(url: str) -> str:
    """Read a page of this computer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode("utf-8"))


def free_port(kind: int) -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def standin(frozen: Frozen) -> str:
    """The DNS gives our address for a name of a ready set, and refuses the directory's."""
    arguments = ("standin", "dns", "--host", "127.0.0.1", "--port", "0", "--set", "juicebox-enel-us")
    names = {item["id"]: item for item in json.loads(frozen.start("rehome", "standin", "names", "--json"))}
    known = names["juicebox-enel-us"]
    with frozen.running(*arguments) as told:
        port = told["state"]["port"]  # type: ignore[index]
        answered, refused = (asked(known[key][0], port) for key in ("answered", "refused"))
    if answered[0] or not answered[1].endswith(socket.inet_aton("127.0.0.1")) or refused[0] != NO_SUCH_NAME:
        raise Failed(f"the DNS answered {answered} and {refused}")
    return f"{known['answered'][0]} is here, {known['refused'][0]} is nowhere, {len(names)} sets"


NO_SUCH_NAME = 3
"""RFC 1035 §4.1.1."""


def asked(name: str, port: int) -> tuple[int, bytes]:
    """Ask a DNS for a name's IPv4 address; return the code of its answer, and the answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_S)
        client.sendto(question, ("127.0.0.1", port))
        answer = client.recv(4096)
    return answer[3] & 0x0F, answer


def window(frozen: Frozen) -> str:
    """The window opens on the demo garage and shows every page."""
    return frozen.start("rehome-gui", "--demo", "--smoke").strip() or "opened and closed"


CHECKS: Sequence[Callable[[Frozen], str]] = (
    version,
    contents,
    families,
    acceptance,
    trust,
    demo,
    printing,
    label,
    card,
    explain,
    triage,
    bridge,
    standin,
    window,
)


def main(argv: Sequence[str]) -> int:
    """Run every check, all of them even when one fails."""
    folder = Path(argv[0] if argv else ROOT / "dist" / "rehome").resolve()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{folder}: {size / 1e6:.0f} MB")
    failed = []
    with tempfile.TemporaryDirectory(prefix="rehome-smoke-") as work:
        for check in CHECKS:
            began = time.monotonic()
            try:
                told = check(Frozen(folder, Path(work)))
            except (Failed, ValueError, OSError) as error:
                failed.append(check.__name__)
                print(f"FAILED  {check.__name__}: {error}")
            else:
                print(f"passed  {check.__name__} ({time.monotonic() - began:.1f} s): {told}")
    print(f"FAILED: {', '.join(failed)}" if failed else "The frozen program is whole.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
