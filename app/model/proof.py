"""The chain of proof: what is known of a charger, as one row of lamps from power to charging.

The first red lamp is the diagnosis; what lies right of it is not asked yet. A later stage that was seen to work proves
the earlier ones of the same path: an open WebSocket overrules an old complaint about TLS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.backend import Backend, redact_url
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Boot, Handshake, Knock
from app.model.reading import StateChange
from app.model.unit import LinkState, SourceKind, Unit, Way


class Stage(Enum):
    """The stages a charger passes from the mains to a charged kilowatt hour, in order."""

    POWER = "Power"
    LINK = "Link"
    IP = "IP"
    DNS = "DNS"
    TCP = "TCP"
    TLS = "TLS"
    HTTP = "HTTP"
    WEBSOCKET = "WebSocket"
    BOOT = "Boot"
    STATUS = "Status"
    CHARGE = "Charge"


STAGES = tuple(Stage)
_DIAL = (Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP, Stage.WEBSOCKET, Stage.BOOT)


class LampState(Enum):
    """What a lamp says. ``NOT_NEEDED`` = this charger's way skips the stage."""

    PROVED = "proved"
    ATTENTION = "attention"
    FAULT = "fault"
    WORKING = "working"
    NOT_ASKED = "not asked"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """One lamp: its stage, its state, one sentence, and what proves it."""

    stage: Stage
    state: LampState = LampState.NOT_ASKED
    text: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything known of a charger that lights lamps. ``knocks`` are only those of this charger.

    ``is_answering`` = its own interface answers us now; ``trouble`` says why it does not. ``says`` is what the charger
    claims of its backend connection. ``charged_wh`` counts the newest session that we saw ourselves (watt hours).
    """

    unit: Unit
    is_answering: bool = False
    trouble: str = ""
    says: LinkState = LinkState()
    handshake: Handshake | None = None
    is_connected: bool = False
    boot: Boot | None = None
    statuses: tuple[StateChange, ...] = ()
    is_charging: bool = False
    charged_wh: float | None = None
    knocks: tuple[Knock, ...] = ()
    findings: tuple[Finding, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """What the failure catalogue calls each finding code."""
    earlier: Mapping[Stage, tuple[Evidence, ...]] = field(default_factory=dict)
    """What a finished job proved; it lights lamps about which nothing newer is known."""


def chain(known: Known) -> tuple[Lamp, ...]:
    """Return the eleven lamps in order, everything right of the first fault greyed."""
    lamps = [_with_earlier(_RULES[stage](known), known.earlier) for stage in STAGES]
    lamps = _with_findings(lamps, known)
    lamps = _overruled(lamps)
    return tuple(_greyed(lamps))


def diagnosis(lamps: Iterable[Lamp]) -> Lamp | None:
    """Return the first red lamp, if any."""
    return next((lamp for lamp in lamps if lamp.state is LampState.FAULT), None)


def knocks_of(unit: Unit, knocks: Iterable[Knock]) -> tuple[Knock, ...]:
    """Pick the knocks of one charger: by identity, else by its address unless that is this computer itself."""
    identities = {way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress)}
    hosts = {way.address.host.partition("%")[0] for way in unit.ways if isinstance(way.address, NetAddress)}
    hosts = {host for host in hosts if not _is_loopback(host)}

    def is_its(knock: Knock) -> bool:
        if knock.identity:
            return knock.identity in identities
        return host_of(knock.remote) in hosts

    return tuple(knock for knock in knocks if is_its(knock))


def host_of(remote: str) -> str:
    """Return the host of a ``host:port`` or ``[host]:port`` text."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    return remote.rpartition(":")[0] if remote.count(":") == 1 else remote


def stage_of(code: str) -> Stage | None:
    """Name the stage a finding code belongs to; ``None`` where it concerns no lamp."""
    return next((stage for prefix, stage in _CODES if code.startswith(prefix)), None)


_CODES = (
    ("WIFI", Stage.LINK),
    ("SIM-APN", Stage.LINK),
    ("LAPTOP-WALL", Stage.TCP),
    ("DNS-", Stage.DNS),
    ("TLS-", Stage.TLS),
    ("CLOCK", Stage.TLS),
    ("SOAP-", Stage.HTTP),
    ("HS-HEADER", Stage.HTTP),
    ("PROXY-CDN", Stage.HTTP),
    ("URL-", Stage.HTTP),
    ("SCHEME-PORT", Stage.TLS),
    ("SLOW-RETURN", Stage.TCP),
    ("VERSION-MIX", Stage.WEBSOCKET),
    ("NO-BOOT", Stage.BOOT),
    ("AUTH-", Stage.WEBSOCKET),
    ("SUBPROTO", Stage.WEBSOCKET),
    ("ID-", Stage.WEBSOCKET),
    ("PING-", Stage.WEBSOCKET),
    ("BOOT-", Stage.BOOT),
    ("STATUS-", Stage.STATUS),
    ("DEAD-LIMIT", Stage.CHARGE),
)
"""Code prefixes of the failure catalogue (connection-failures) and the stage at which they bite."""


def _with_findings(lamps: list[Lamp], known: Known) -> list[Lamp]:
    by_stage = {lamp.stage: lamp for lamp in lamps}
    for finding in known.findings:
        stage = stage_of(finding.code)
        if stage is not None and finding.severity is not Severity.INFO:
            by_stage[stage] = _worsened(by_stage[stage], finding, known.titles)
    return [by_stage[stage] for stage in STAGES]


def _worsened(lamp: Lamp, finding: Finding, titles: Mapping[str, str]) -> Lamp:
    """Lower a lamp; what was seen to work here is amber at most, whatever others may say to it."""
    is_fault = finding.severity is Severity.FAULT and lamp.state is not LampState.PROVED
    state = LampState.FAULT if is_fault or lamp.state is LampState.FAULT else LampState.ATTENTION
    text = titles.get(finding.code, finding.code)
    return replace(lamp, state=state, text=text, evidence=(*lamp.evidence, *finding.evidence))


def _with_earlier(lamp: Lamp, earlier: Mapping[Stage, tuple[Evidence, ...]]) -> Lamp:
    evidence = earlier.get(lamp.stage, ())
    if lamp.state is not LampState.NOT_ASKED or not evidence:
        return lamp
    return Lamp(stage=lamp.stage, state=LampState.PROVED, text="Seen to work in a job.", evidence=evidence)


def _overruled(lamps: list[Lamp]) -> list[Lamp]:
    """Where a later stage of the dial path was seen to work, faults become notes and open questions are answered."""
    proved = [lamp.stage for lamp in lamps if lamp.state is LampState.PROVED and lamp.stage in _DIAL]
    last = max((_DIAL.index(stage) for stage in proved), default=-1)
    result = []
    for lamp in lamps:
        is_old = lamp.stage in _DIAL and _DIAL.index(lamp.stage) < last
        if is_old and lamp.state is LampState.FAULT:
            lamp = replace(lamp, state=LampState.ATTENTION)
        elif is_old and lamp.state is LampState.NOT_ASKED:
            lamp = Lamp(stage=lamp.stage, state=LampState.PROVED, text="A later stage works, so this one does.")
        result.append(lamp)
    return result


def _greyed(lamps: list[Lamp]) -> Iterable[Lamp]:
    is_broken = False
    for lamp in lamps:
        yield Lamp(stage=lamp.stage, text="Not asked yet: mend what is red first.") if is_broken else lamp
        is_broken = is_broken or lamp.state is LampState.FAULT


def _power(known: Known) -> Lamp:
    seen = _seen(known)
    if known.is_answering or known.is_connected:
        return Lamp(stage=Stage.POWER, state=LampState.PROVED, text="It answers, so it has power.", evidence=seen)
    if known.unit.is_present:
        return Lamp(stage=Stage.POWER, state=LampState.PROVED, text="It was seen on this site.", evidence=seen)
    if not known.unit.ways:
        return Lamp(stage=Stage.POWER, text="Never seen on this site.")
    text = "Not heard any more. Look at its display or lamp first."
    return Lamp(stage=Stage.POWER, state=LampState.ATTENTION, text=text, evidence=seen)


def _link(known: Known) -> Lamp:
    unit, seen = known.unit, _seen(known)
    if known.is_connected or _network_way(unit) is not None or _dial_way(unit) is not None:
        if known.trouble and not known.is_connected and not known.is_answering:
            evidence = (*seen, Evidence(label="last attempt", text=known.trouble))
            return Lamp(stage=Stage.LINK, state=LampState.FAULT, text=known.trouble, evidence=evidence)
        return Lamp(stage=Stage.LINK, state=LampState.PROVED, text="Its network reaches this computer.", evidence=seen)
    if _serial_way(unit) is not None:
        return Lamp(stage=Stage.LINK, text="Reached over the serial cable; its network is not asked.", evidence=seen)
    if _way(unit, BleAddress) is not None:
        return Lamp(stage=Stage.LINK, text="Heard over Bluetooth; its network is not asked.", evidence=seen)
    if unit.ways:
        text = "No way leads to it now: check cable, Wi-Fi and power."
        return Lamp(stage=Stage.LINK, state=LampState.FAULT, text=text, evidence=seen)
    return Lamp(stage=Stage.LINK, text="Never seen on this site.")


def _ip(known: Known) -> Lamp:
    host = _host(known)
    if not host:
        return Lamp(stage=Stage.IP, text="No IP address of this charger is known.")
    evidence = (Evidence(label="address", text=host),)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return Lamp(stage=Stage.IP, state=LampState.PROVED, text=f"Reached by its name {host}.", evidence=evidence)
    if address.version == 4 and address.is_link_local:
        text = "It gave itself an address: no DHCP server answered it."
        return Lamp(stage=Stage.IP, state=LampState.ATTENTION, text=text, evidence=evidence)
    return Lamp(stage=Stage.IP, state=LampState.PROVED, text=f"Its address is {host}.", evidence=evidence)


def _dns(known: Known) -> Lamp:
    if known.handshake is not None:
        name = _header(known.handshake, "host")
        evidence = (Evidence(label="Host header", text=name, at=known.handshake.at),)
        if _is_number(name.rpartition(":")[0] or name):
            return Lamp(
                stage=Stage.DNS, state=LampState.NOT_NEEDED, text="It dials a number, not a name.", evidence=evidence
            )
        return Lamp(stage=Stage.DNS, state=LampState.PROVED, text=f"It resolved {name}.", evidence=evidence)
    backend = known.unit.backend
    if backend is None or not backend.host:
        return Lamp(stage=Stage.DNS, text="No backend address is known.")
    configured = _configured(backend)
    if _is_number(backend.host):
        text = "Its backend is a number: no name to look up."
        return Lamp(stage=Stage.DNS, state=LampState.NOT_NEEDED, text=text, evidence=configured)
    return Lamp(stage=Stage.DNS, text=f"Not seen whether it can resolve {backend.host}.", evidence=configured)


def _tcp(known: Known) -> Lamp:
    if known.handshake is not None:
        evidence = (Evidence(label="connected from", text=known.handshake.remote, at=known.handshake.at),)
        return Lamp(stage=Stage.TCP, state=LampState.PROVED, text="It reached our port.", evidence=evidence)
    if known.knocks:
        newest = known.knocks[-1]
        evidence = (Evidence(label="knock", text=f"{newest.remote}: {newest.text}", at=newest.at),)
        return Lamp(stage=Stage.TCP, state=LampState.PROVED, text="It reached our port.", evidence=evidence)
    return Lamp(stage=Stage.TCP, text="It has not dialled our endpoint.")


def _tls(known: Known) -> Lamp:
    if known.handshake is not None:
        return _tls_seen(known.handshake)
    knock = _last_knock(known, "tls-failed")
    if knock is not None:
        return Lamp(stage=Stage.TLS, state=LampState.FAULT, text=knock.text, evidence=_bytes(knock))
    knock = _last_knock(known, "tls")
    if knock is not None:
        text = "It speaks TLS (wss) to our port, which is ws."
        return Lamp(stage=Stage.TLS, state=LampState.FAULT, text=text, evidence=_bytes(knock))
    backend = known.unit.backend
    if backend is not None and backend.url and not backend.is_tls:
        text = "Its backend address is ws: no TLS."
        return Lamp(stage=Stage.TLS, state=LampState.NOT_NEEDED, text=text, evidence=_configured(backend))
    return Lamp(stage=Stage.TLS, text="Not seen yet.")


def _tls_seen(shake: Handshake) -> Lamp:
    session = shake.tls
    if session is None:
        return Lamp(stage=Stage.TLS, state=LampState.NOT_NEEDED, text="It came over ws, without TLS.")
    evidence = (Evidence(label="agreed", text=f"{session.version}, {session.suite}", at=shake.at),)
    return Lamp(stage=Stage.TLS, state=LampState.PROVED, text=f"It came over {session.version}.", evidence=evidence)


def _http(known: Known) -> Lamp:
    if known.handshake is not None:
        evidence = (Evidence(label="request line", text=known.handshake.request_line, at=known.handshake.at),)
        return Lamp(stage=Stage.HTTP, state=LampState.PROVED, text="It asked for an upgrade.", evidence=evidence)
    for verdict, text in _KNOCK_TEXTS:
        knock = _last_knock(known, verdict)
        if knock is not None:
            return Lamp(stage=Stage.HTTP, state=LampState.FAULT, text=text, evidence=_bytes(knock))
    return Lamp(stage=Stage.HTTP, text="Not seen yet.")


_KNOCK_TEXTS = (
    ("soap", "It speaks SOAP (OCPP-S), not WebSocket."),
    ("http", "It spoke HTTP but asked for no WebSocket."),
    ("garbage", "What it sent is not HTTP."),
    ("empty", "It connected and said nothing."),
)


def _websocket(known: Known) -> Lamp:
    shake = known.handshake
    if shake is not None:
        return _websocket_seen(known, shake)
    knock = _last_knock(known, "refused") or _last_knock(known, "version")
    if knock is not None:
        return Lamp(stage=Stage.WEBSOCKET, state=LampState.FAULT, text=knock.text, evidence=_bytes(knock))
    backend = known.unit.backend
    evidence = _configured(backend) if backend is not None else ()
    if known.says.is_enabled is False:
        return Lamp(stage=Stage.WEBSOCKET, text="OCPP is switched off in the charger.", evidence=evidence)
    if known.says.is_connected is False:
        text = "The charger gets no connection to its backend."
        return Lamp(stage=Stage.WEBSOCKET, state=LampState.FAULT, text=text, evidence=evidence)
    if known.says.is_connected:
        text = "The charger says it is connected elsewhere; not proved here."
        return Lamp(stage=Stage.WEBSOCKET, text=text, evidence=evidence)
    return Lamp(stage=Stage.WEBSOCKET, text="It has not dialled our endpoint.", evidence=evidence)


def _websocket_seen(known: Known, shake: Handshake) -> Lamp:
    offered = ", ".join(shake.subprotocols) or "none"
    evidence = (Evidence(label="subprotocols offered", text=offered, at=shake.at),)
    if shake.password_reading == "wrong":
        text = "It sent a password that is not the expected one."
        return Lamp(stage=Stage.WEBSOCKET, state=LampState.FAULT, text=text, evidence=evidence)
    if not known.is_connected:
        text = "It was connected and has hung up."
        return Lamp(stage=Stage.WEBSOCKET, state=LampState.ATTENTION, text=text, evidence=evidence)
    if not shake.chosen_subprotocol:
        text = "Connected, but it named no OCPP version."
        return Lamp(stage=Stage.WEBSOCKET, state=LampState.ATTENTION, text=text, evidence=evidence)
    text = f"Connected with {shake.chosen_subprotocol}."
    return Lamp(stage=Stage.WEBSOCKET, state=LampState.PROVED, text=text, evidence=evidence)


def _boot(known: Known) -> Lamp:
    if known.boot is not None:
        said = " ".join(part for part in (known.boot.vendor, known.boot.model, known.boot.firmware) if part)
        evidence = (Evidence(label="BootNotification", text=said, at=known.boot.at),)
        return Lamp(stage=Stage.BOOT, state=LampState.PROVED, text="It booted on our endpoint.", evidence=evidence)
    if known.is_connected:
        text = "Connected; a charger that only reconnects may send no boot message."
        return Lamp(stage=Stage.BOOT, state=LampState.WORKING, text=text)
    return Lamp(stage=Stage.BOOT, text="Not seen yet.")


def _status(known: Known) -> Lamp:
    if not known.statuses:
        return Lamp(stage=Stage.STATUS, text="No state reported yet.")
    evidence = tuple(
        Evidence(label=f"connector {item.connector}", text=_state_text(item), at=item.at) for item in known.statuses
    )
    faulted = next((item for item in known.statuses if item.state == "Faulted"), None)
    if faulted is not None:
        text = f"Connector {faulted.connector} reports a fault."
        return Lamp(stage=Stage.STATUS, state=LampState.FAULT, text=text, evidence=evidence)
    text = f"It reports {known.statuses[-1].state}."
    return Lamp(stage=Stage.STATUS, state=LampState.PROVED, text=text, evidence=evidence)


def _charge(known: Known) -> Lamp:
    if known.charged_wh is not None and known.charged_wh > 0:
        amount = f"{known.charged_wh / 1000:.2f} kWh"
        evidence = (Evidence(label="energy of the session", text=amount),)
        text = f"Charging, {amount} so far." if known.is_charging else f"Charged {amount}."
        return Lamp(stage=Stage.CHARGE, state=LampState.PROVED, text=text, evidence=evidence)
    if known.is_charging:
        return Lamp(stage=Stage.CHARGE, state=LampState.WORKING, text="A session runs; no energy counted yet.")
    return Lamp(stage=Stage.CHARGE, text="No charging session seen.")


_RULES: dict[Stage, Callable[[Known], Lamp]] = {
    Stage.POWER: _power,
    Stage.LINK: _link,
    Stage.IP: _ip,
    Stage.DNS: _dns,
    Stage.TCP: _tcp,
    Stage.TLS: _tls,
    Stage.HTTP: _http,
    Stage.WEBSOCKET: _websocket,
    Stage.BOOT: _boot,
    Stage.STATUS: _status,
    Stage.CHARGE: _charge,
}

_SOURCE_WORDS = {
    SourceKind.MDNS: "announced on the network (mDNS)",
    SourceKind.SERIAL: "found on a serial port",
    SourceKind.DIAL_IN: "dialled our endpoint",
    SourceKind.BROADCAST: "answered a question to everybody",
    SourceKind.LAN: "asked for on this network",
    SourceKind.BLUETOOTH: "advertises itself over Bluetooth",
    SourceKind.JUICENET: "sends us its JuiceNet datagrams",
    SourceKind.MANUAL: "added by hand",
}


def _seen(known: Known) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(label=_SOURCE_WORDS[way.source], text=str(way.address), at=way.seen_at) for way in known.unit.ways
    )


def _network_way(unit: Unit) -> Way | None:
    return _way(unit, NetAddress)


def _dial_way(unit: Unit) -> Way | None:
    return _way(unit, OcppAddress) or _way(unit, JuiceAddress)


def _serial_way(unit: Unit) -> Way | None:
    return _way(unit, SerialAddress)


def _way(unit: Unit, kind: type) -> Way | None:
    return next((way for way in unit.ways if way.is_present and isinstance(way.address, kind)), None)


def _host(known: Known) -> str:
    way = _network_way(known.unit)
    if way is not None and isinstance(way.address, NetAddress):
        return way.address.host
    if known.handshake is not None:
        return host_of(known.handshake.remote)
    return host_of(known.knocks[-1].remote) if known.knocks else ""


def _last_knock(known: Known, verdict: str) -> Knock | None:
    if not known.knocks or known.knocks[-1].verdict != verdict:
        return None
    return known.knocks[-1]


def _bytes(knock: Knock) -> tuple[Evidence, ...]:
    first = knock.first_bytes[:64]
    return (
        Evidence(label="what it sent", text=knock.text, at=knock.at),
        *((Evidence(label="first bytes", text=first.hex(" "), at=knock.at),) if first else ()),
    )


def _configured(backend: Backend) -> tuple[Evidence, ...]:
    return (Evidence(label="configured backend", text=redact_url(backend.url)),) if backend.url else ()


def _header(shake: Handshake, name: str) -> str:
    return next((value for key, value in shake.headers if key.lower() == name), "")


def _state_text(change: StateChange) -> str:
    return " · ".join(part for part in (change.state, change.error, change.detail) if part)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
