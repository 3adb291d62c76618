"""What we know of a product family: facts, each with source and evidence grade. ``profile_reading`` reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from app.model.backend import JoinRule


class Grade(Enum):
    """How well a fact is founded."""

    SOURCE = "source"
    """Read in firmware source or a vendor document."""
    REPORTED = "reported"
    """Told by users."""
    PROVED = "proved"
    """Seen by us on real units."""
    UNVERIFIED = "unverified"
    """General knowledge; never the ground for a write."""


class Approach(Enum):
    """How the backend address of a family is changed."""

    DIRECT = "direct"
    """Rehome writes it over the charger's own interface."""
    OCPP = "ocpp"
    """Rehome writes it over OCPP while the charger is on our endpoint."""
    GUIDED = "guided"
    """A person types it into the vendor's app, portal or page; Rehome says exactly what, and proves the result."""
    BRIDGE = "bridge"
    """It speaks no OCPP that could be repointed: Rehome's bridge stays at the site and is its charge point."""
    DIAGNOSE = "diagnose"
    """It can be read only; nobody found a way to change its backend, or it has none."""
    NONE = "none"
    """Nobody is known to serve it: what is left to try stands under ``tries``."""


class Verdict(Enum):
    """What can become of a charger on this visit."""

    NOW = "now"
    """Repoint now."""
    AFTER = "after"
    """Repoint after something else is done: firmware, login, switch, unplugging."""
    BRIDGE = "bridge"
    """It needs something between it and the backend: TLS, a translator, a name looked up otherwise."""
    SIM = "sim"
    """It needs a new SIM card or access point name."""
    BOARD = "board"
    """Its controller must be swapped."""
    NOT_HERE = "not-here"
    """It can't be saved here."""
    UNKNOWN = "unknown"
    """Too little is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a fact was read: repository path, document section, issue; and how good that is."""

    source: str
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How a sighting is recognised. Empty = no rule. Texts are compared case-insensitively; ``*_like`` are regexes."""

    mdns_types: tuple[str, ...] = ()
    mdns_name_like: str = ""
    usb_ids: tuple[str, ...] = ()
    """``VVVV:PPPP`` in hex."""
    boot_vendor_like: str = ""
    boot_model_like: str = ""
    ports: tuple[int, ...] = ()
    """Ports it listens on, spoken to by ``scheme``; 443 with ``http`` means ``https``."""
    scheme: str = "http"
    """``http``, ``https``, ``udp``, ``modbus``, ``mqtt`` or ``tcp``."""
    mac_prefixes: tuple[str, ...] = ()
    """Blocks of the IEEE registry, 24, 28 or 36 bits as ``AA:BB:CC``, ``…:D``, ``…:DD:E``: a hint, never a proof."""
    ssid_like: str = ""
    """The name of its own access point."""
    access_point_hosts: tuple[str, ...] = ()
    """Its address while this computer is on its own access point."""
    ble_services: tuple[str, ...] = ()
    """Bluetooth LE service UUIDs it advertises, lower case."""
    ble_name_like: str = ""
    serial_like: str = ""
    """Its serial number, as on the label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlHabit:
    """How the family stores and dials its backend URL."""

    join: JoinRule
    limit: int | None = None
    schemes: tuple[str, ...] = ("ws", "wss")
    secret_limit_bytes: int | None = None
    trust: str = ""
    """With ``wss``: ``unverified`` (takes any certificate), ``public`` (built-in roots), ``upload`` (takes a root of
    ours), ``fixed`` (its maker's alone); empty = not known."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the family takes. Seconds. ``redial_s`` is the pause between dial attempts."""

    restart_s: float
    redial_s: float
    patience_s: float
    """After this the countdown turns red (connection-failures, "How long to wait")."""
    refresh_s: float = 0.0
    """A unit in reach is read again unasked no sooner than this; in between it is only asked who it is. ``inf``: only
    when a person asks, or it comes back. For families that reading disturbs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """An oddity: a short id, what it does to the technician, and for which firmware (a text, empty = all)."""

    id: str
    text: str
    evidence: Evidence
    firmware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayDoor:
    """Something that can't be undone: announced and acknowledged before it is passed.

    It guards the keys its id names: ``authorization-key`` guards ``AuthorizationKey``.
    """

    id: str
    text: str
    evidence: Evidence

    def guards(self, key: str) -> bool:
        """Say whether writing this key leads through it."""
        own, other = _plain(self.id), _plain(key)
        return other in own or own in other


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKey:
    """An OCPP key that holds part of the backend address.

    ``holds``: url, host, path, identity, secret, switch, priority (which of several url keys counts), network-profile
    (a text with the URL inside), apn, apn-user, apn-secret. ``form`` says how the value is written: ``hex``, ``text``
    or ``text16`` (at least 16 characters) for a secret, ``trailing-slash`` or ``scheme-by-profile`` for a url.
    ``value`` is what a switch must be for a foreign backend, ``own_value`` what it must be for one at the maker's
    ``own_hosts`` (lower case). A key with a dot is a variable of 2.x.
    """

    key: str
    holds: str
    evidence: Evidence
    note: str = ""
    form: str = ""
    value: str = ""
    own_hosts: tuple[str, ...] = ()
    own_value: str = ""

    def switched(self, host: str) -> str:
        """Return what a switch must be for a backend at this host."""
        return self.own_value if host.lower() in self.own_hosts else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideField:
    """One field a person fills in at the charger, its app or its portal.

    ``label`` is the field's name as the vendor prints it. ``holds`` says what it takes: ``url`` (the base address, or
    the full one where ``[url] join`` is ``as_is``), ``host``, ``port``, ``host-port``, ``path``, ``identity``,
    ``secret``, ``subprotocol``, ``certificate`` (our or the backend's root, PEM) or ``choice`` (then ``value`` is what
    to choose). ``form``: for addresses ``no-scheme``, ``trailing-slash`` or ``no-trailing-slash``; for a secret
    ``text``, ``hex`` or ``hex40`` (exactly 40 digits, padded with zero bytes at the end); for a subprotocol
    ``s-if-tls`` (an ``s`` before it with TLS).
    """

    label: str
    holds: str
    evidence: Evidence
    form: str = ""
    value: str = ""
    note: str = ""
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """How a person changes the backend: with which tool, where, in which steps, and what the charger does then."""

    tool: str
    """What must be at hand: the app, the portal with whose account, a cable."""
    place: str
    """Where in it, as a path of labels joined by `` › ``."""
    evidence: Evidence
    steps: tuple[str, ...] = ()
    fields: tuple[GuideField, ...] = ()
    default_address: str = ""
    login: str = ""
    """Where the login is found. Never a password nobody has published."""
    restart: str = "unknown"
    """``none``, ``automatic``, ``by-hand`` or ``unknown``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareRule:
    """A firmware limit: ``needs`` is what this version (``minimum``, or up to ``maximum``) is needed for."""

    needs: str
    evidence: Evidence
    minimum: str = ""
    maximum: str = ""
    update: str = ""
    """How to get it there, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What can still be tried. ``way`` is an id of ``resources/rescue/ways.toml``; ``note``: for this family."""

    way: str
    evidence: Evidence
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a visit to this family means. ``minutes`` and ``visits`` are our own planning figures."""

    verdict: Verdict
    reason: str
    evidence: Evidence
    needs: tuple[str, ...] = ()
    minutes: int = 30
    visits: int = 1


def _plain(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything Rehome knows of one product family."""

    id: str
    family: str
    vendor: str
    driver: str
    """The id of the driver that talks to it."""
    approach: Approach
    evidence: tuple[Evidence, ...]
    summary: str = ""
    match: Match = field(default_factory=Match)
    url: UrlHabit | None = None
    timing: Timing = field(default_factory=lambda: Timing(restart_s=60, redial_s=60, patience_s=1200))
    connectors: int = 1
    instructions: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    one_way_doors: tuple[OneWayDoor, ...] = ()
    backend_keys: tuple[BackendKey, ...] = ()
    priority: int = 0
    """Higher wins when several profiles match."""
    picture: str = "plug-zap"
    models: tuple[str, ...] = ()
    """Products sold under other names that are this family."""
    guide: Guide | None = None
    firmware: tuple[FirmwareRule, ...] = ()
    tries: tuple[Try, ...] = ()
    outlook: Outlook | None = None

    @property
    def grade(self) -> Grade:
        """Return the best grade any of its evidence has."""
        order = [Grade.PROVED, Grade.SOURCE, Grade.REPORTED, Grade.UNVERIFIED]
        return min((item.grade for item in self.evidence), key=order.index)
