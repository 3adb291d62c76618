"""``rehome trust``: our own certificate authority: show and export its root, sign requests, import a certificate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands import OK
from app.commands.bench import home_for
from app.commands.console import Console, visible
from app.errors import AppError, StoreError
from app.model.frame import Certificate
from app.model.secret import Secret
from app.trust.desk import TrustDesk

if TYPE_CHECKING:
    from app.trust.authority import Authority


def add(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("action", choices=("show", "export", "issue", "import"), help="what to do")
    parser.add_argument("what", nargs="?", default="", help="export, import: the file; issue: the charger's identity")
    parser.add_argument("--format", choices=("pem", "der", "cer"), help="export: the form, whatever the file's name")
    parser.add_argument("--csr", type=Path, help="issue: the charger's request (PEM); without it a key is made too")
    parser.add_argument("--out", type=Path, default=Path(), help="issue: folder to write into (default: here)")
    parser.add_argument("--key", type=Path, help="import: the key, where it is a file of its own")
    parser.add_argument("--password-stdin", action="store_true", help="import: read the key's password from stdin")


async def run(args: argparse.Namespace, console: Console) -> int:
    """Do it."""
    desk = desk_of(args)
    if args.action != "show" and not args.what:
        raise AppError(f"“{args.action}” needs a name.", "See: rehome trust --help")
    {"show": _show, "export": _export, "issue": _issue, "import": _import}[args.action](desk, args, console)
    return OK


def desk_of(args: argparse.Namespace) -> TrustDesk:
    """Open the trust of this call's data folder."""
    from app.discovery.adapters import adapters
    from app.storage.vault import KeyringVault

    vault, folder = KeyringVault.open_or_memory(), home_for(args) / "trust"
    return TrustDesk(vault, folder, lambda: (item.address for item in adapters()))


def _show(desk: TrustDesk, args: argparse.Namespace, console: Console) -> None:  # noqa: ARG001
    root, imported = desk.authority.root, desk.imported
    lines = [*certificate_lines("Our root", root), f"  key         {desk.authority.place}"]
    if imported is not None:
        lines += certificate_lines("Imported", imported)
    console.result({"root": root, "key": desk.authority.place, "imported": imported}, visible_lines(lines))


def _export(desk: TrustDesk, args: argparse.Namespace, console: Console) -> None:
    path = Path(args.what)
    desk.save_root(path, args.format or "")
    root = desk.authority.root
    console.result({"file": str(path), "root": root}, f"{path}\nSHA-256 {root.fingerprint_text}")


def _issue(desk: TrustDesk, args: argparse.Namespace, console: Console) -> None:
    files = _issued(desk.authority, args)
    console.result({"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))


def _issued(authority: Authority, args: argparse.Namespace) -> list[Path]:
    from app.trust.keeping import write_private

    stem = "".join(char if char.isalnum() or char in "-_." else "_" for char in args.what)[:64].lstrip(".") or "charger"
    chain, key = args.out / f"{stem}.pem", args.out / f"{stem}.key"
    if args.csr:
        _write(chain, authority.issue(_read(args.csr).decode("ascii", "replace"), identity=args.what).encode())
        return [chain]
    papers = authority.client(args.what)
    _write(chain, papers.chain_pem.encode())
    write_private(key, papers.key_pem.reveal())
    return [chain, key]


def _import(desk: TrustDesk, args: argparse.Namespace, console: Console) -> None:
    password = Secret(sys.stdin.readline().rstrip("\r\n")) if args.password_stdin else None
    taken = desk.take_file(Path(args.what), key=args.key, password=password)
    lines = [*certificate_lines("Imported", taken.certificate), *(f"  note: {text}" for text in taken.warnings)]
    console.result({"imported": taken.certificate, "warnings": taken.warnings}, visible_lines(lines))


def certificate_lines(title: str, certificate: Certificate) -> list[str]:
    """Lay out a certificate for a terminal."""
    until = f"{certificate.not_after:%Y-%m-%d}" if certificate.not_after else "?"
    return [
        f"{title}: {certificate.subject}",
        f"  issued by   {certificate.issuer}",
        f"  kind        {certificate.key}, until {until}",
        *([f"  names       {', '.join(certificate.names)}"] if certificate.names else []),
        f"  SHA-256     {certificate.fingerprint_text}",
    ]


def visible_lines(lines: list[str]) -> str:
    """Join lines for a terminal, each made harmless."""
    return "\n".join(visible(line) for line in lines)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1_000_001)
    except OSError as error:
        raise AppError(f"{path} can't be read: {error.strerror or error}.", "Check the path and its rights.") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror or error}.", "Choose another place.") from error
