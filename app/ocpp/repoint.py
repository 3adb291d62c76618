"""Repoint a unit over OCPP 1.6: read from its settings where it dials, and render the exact changes. Pure.

Only keys that the unit itself reported are ever named in a change (chargers-commercial §3.1), in the order access
point, credential, (certificate,) identity, switches, security profile, path, URL last (§3.2). The same holds for the
few 2.x stations that keep their address in variables of their own.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.errors import NotSupported, ValueRejected
from app.model.backend import Backend, JoinRule, SecurityProfile, dialled_url, split_url
from app.model.profile import BackendKey, Evidence, Grade, UrlHabit
from app.model.secret import Secret
from app.model.setting import Change, Setting

ORDER = {"apn": 10, "secret": 20, "identity": 40, "switch": 45, "security": 50, "path": 90, "url": 95, "priority": 99}
"""Write order (chargers-commercial §3.2: APN, credential, certificate, identity, URL last). Certificates (30) are no
keys: they are installed before, by InstallCertificate."""

ADDRESSES = ("url", "host", "network-profile")
"""Kinds of keys that hold an address."""

KEY_BYTES = 20
"""Longest password that the hex form of AuthorizationKey holds: 40 digits (OCPP 1.6 security white paper §7.2)."""
KEY_LIMIT = 50
VALUE_LIMIT = 500
"""ChangeConfiguration.req (OCPP 1.6 §6.9): CiString50 and CiString500."""
LONG_TEXT = 16
"""Least characters of a password that is kept as text by OpenOCPP (settings.h): form ``text16``."""
AUTHORIZATION_KEY = "AuthorizationKey"
SECURITY_PROFILE = "SecurityProfile"
_SEEN = Evidence(source="the value starts with ws (chargers-commercial §3.1)", grade=Grade.REPORTED)
_CSMS_URL = re.compile(r"(ocppCsmsUrl\{)([^{}]*)(\})")
_PROFILE_LEVEL = re.compile(r"(securityProfile\{)([^{}]*)(\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPoint:
    """The access point of a new SIM card."""

    name: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of a unit's way of dialling. ``path`` and ``host`` are what it really requested from us."""

    settings: Mapping[str, Setting]
    keys: Sequence[BackendKey]
    identity: str
    habit: UrlHabit | None = None
    path: str = ""
    host: str = ""

    def holding(self, *what: str) -> list[BackendKey]:
        """List the profile's keys of these kinds that the unit reported."""
        return [key for key in self.keys if key.holds in what and key.key in self.settings]

    def addresses(self) -> list[BackendKey]:
        """List the reported keys that hold a whole or the host part of an address, known ones first.

        A writable key whose value starts with ``ws`` counts too.
        """
        known = self.holding(*ADDRESSES)
        names = {key.key for key in self.keys}
        seen = [
            BackendKey(key=setting.key, holds="url", evidence=_SEEN)
            for setting in self.settings.values()
            if setting.key not in names and not setting.is_readonly and _is_url(setting.value)
        ]
        return known + seen

    def value(self, key: str) -> str:
        """Return the present value of a key, an empty text where it has none."""
        setting = self.settings.get(key)
        return (setting.value or "") if setting else ""


def can_repoint(target: Target) -> bool:
    """Say whether the unit shows a writable key for its address."""
    return any(not target.settings[key.key].is_readonly for key in target.addresses())


def read(target: Target) -> Backend | None:
    """Return where the unit is configured to dial; ``None`` where no key tells. The secret is not in it."""
    key = _active(target)
    if key is None:
        return None
    url = _whole_url(target, key)
    if not url:
        return Backend(url="", identity=target.identity)
    base = split_url(url)[0] if join_rule(target, url) is JoinRule.AS_IS else url.rstrip("/")
    identity = next((target.value(item.key) for item in target.holding("identity") if target.value(item.key)), "")
    level = target.value(SECURITY_PROFILE)
    profile = SecurityProfile(int(level)) if level in ("0", "1", "2", "3") else SecurityProfile.NONE
    return Backend(url=base, identity=identity or target.identity, security_profile=profile)


def plan(target: Target, backend: Backend, access_point: AccessPoint | None = None) -> tuple[Change, ...]:
    """Render the changes that bring the unit to ``backend`` (and its SIM card to another access point), in write order.

    Raises ValueRejected where the unit can't take a part of it, NotSupported where it shows no key for the address.
    """
    key = _slot(target)
    changes = [
        *(_access_changes(target, access_point) if access_point is not None else ()),
        *_secret_changes(target, backend),
        *_identity_changes(target, backend, key),
        *_switch_changes(target, backend),
        *_security_changes(target, backend),
        *_address_changes(target, backend, key),
        *_priority_changes(target, key),
    ]
    for change in changes:
        _must_be_carried(target, change)
    return tuple(sorted(changes, key=lambda change: change.order))


def join_rule(target: Target, url: str) -> JoinRule:
    """Tell how the unit joins address and identity: by what it really dialled, else by its family's habit.

    The configured address and the requested path are proof: equal paths mean that the identity stands in the address.
    """
    own_path = urllib.parse.urlsplit(url).path
    quoted = urllib.parse.quote(target.identity, safe="-_.~")
    if target.path and target.host and _authority(url) == target.host.lower():
        for rule in (JoinRule.AS_IS, JoinRule.APPEND_IF_MISSING, JoinRule.APPEND):
            if urllib.parse.urlsplit(dialled_url(f"ws://h{own_path}", target.identity, rule)).path == target.path:
                return rule
    if target.identity and own_path.endswith("/" + quoted):
        return JoinRule.AS_IS
    return target.habit.join if target.habit else JoinRule.APPEND_IF_MISSING


def stored_secret(secret: Secret, form: str) -> str:
    """Return the text that AuthorizationKey must get: hex digits of the password's bytes, or the text itself.

    A password that is already 32 to 40 hex digits is taken as the key itself.
    """
    text = secret.reveal()
    if form == "text16" and len(text) < LONG_TEXT:
        raise ValueRejected(
            f"The password has {len(text)} characters; this charger keeps one of at least {LONG_TEXT}.",
            "Let the backend's operator set a longer password for this charger.",
        )
    if form.startswith("text"):
        return text
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){16,20}", text):
        return text
    raw = text.encode()
    if len(raw) > KEY_BYTES:
        raise ValueRejected(
            f"The password has {len(raw)} bytes; OCPP 1.6 carries at most {KEY_BYTES} to a charger that wants it as "
            "hexadecimal digits.",
            f"Let the backend's operator set a password of at most {KEY_BYTES} characters for this charger.",
        )
    return raw.hex()


def _access_changes(target: Target, point: AccessPoint) -> Iterable[Change]:
    wanted = {"apn": point.name, "apn-user": point.user, "apn-secret": point.password.reveal()}
    known = {item.holds: item for item in target.holding(*wanted)}
    for holds, value in wanted.items():
        item = known.get(holds)
        if item is None:
            if value:
                raise ValueRejected(
                    "This charger shows no key for the access point of its SIM card.",
                    "Set it at the charger itself or in its vendor's app.",
                )
            continue
        change = _change(target, item.key, value, "apn", "The access point of the new SIM card. It comes first.")
        if holds == "apn-secret" or change.before != value:
            yield replace(change, is_secret=holds == "apn-secret")


def _secret_changes(target: Target, backend: Backend) -> Iterable[Change]:
    wants = backend.security_profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
    if not wants or not backend.secret:
        return
    known = target.holding("secret")
    key = known[0].key if known else AUTHORIZATION_KEY
    if key not in target.settings:
        raise ValueRejected(
            "This charger shows no key for the backend's password.",
            "Type the password at the charger itself, or let the backend take it without one.",
        )
    form = known[0].form if known else "hex"
    yield Change(
        key=key,
        before=target.settings[key].value,
        after=stored_secret(backend.secret, form),
        is_secret=True,
        order=ORDER["secret"],
        reason="The backend's password, " + ("as it is." if form.startswith("text") else "as hexadecimal digits."),
    )


def _identity_changes(target: Target, backend: Backend, key: BackendKey) -> Iterable[Change]:
    if backend.identity == target.identity or join_rule(target, _whole_url(target, key)) is JoinRule.AS_IS:
        return
    writable = [item for item in target.holding("identity") if not target.settings[item.key].is_readonly]
    if not writable:
        raise ValueRejected(
            f"This charger does not let its identity be changed over OCPP; it stays “{target.identity}”.",
            f"Let the backend's operator register it as “{target.identity}”, or change it at the charger.",
        )
    before = target.settings[writable[0].key].value
    yield Change(
        key=writable[0].key,
        before=before,
        after=backend.identity,
        needs_restart=True,
        order=ORDER["identity"],
        reason="The identity under which the backend knows this charger.",
    )


def _switch_changes(target: Target, backend: Backend) -> Iterable[Change]:
    host = urllib.parse.urlsplit(backend.url).hostname or ""
    for key in target.holding("switch"):
        before, wanted = target.value(key.key), key.switched(host)
        if wanted and before.lower() != wanted.lower() and not target.settings[key.key].is_readonly:
            yield Change(key=key.key, before=before, after=wanted, order=ORDER["switch"], reason=key.note)


def _security_changes(target: Target, backend: Backend) -> Iterable[Change]:
    setting = target.settings.get(SECURITY_PROFILE)
    level = setting.value if setting else None
    if setting is None or level not in ("0", "1", "2", "3"):
        return
    wanted = int(backend.security_profile)
    if wanted < int(level):
        raise ValueRejected(
            f"This charger is on security profile {level}; over OCPP it only goes up.",
            f"Choose profile {level} for the backend, or lower it at the charger itself.",
        )
    if wanted > int(level):
        _must_be_ready(backend)
        yield Change(
            key=SECURITY_PROFILE,
            before=level,
            after=str(wanted),
            is_one_way=True,
            needs_restart=setting.needs_restart,
            order=ORDER["security"],
            reason="The backend asks for this security profile. It can't be lowered again over OCPP.",
        )


def _must_be_ready(backend: Backend) -> None:
    """Raise ValueRejected where a higher security profile would be refused or cut the unit off (libocpp).

    Profiles 1 and 2 want a password first, 2 and 3 an address with wss.
    """
    wanted = backend.security_profile
    if wanted in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC) and not backend.secret:
        raise ValueRejected(
            f"Security profile {int(wanted)} needs a password, and none is given.",
            "Get the password for this charger from the backend's operator.",
        )
    _must_match_scheme(backend)


def _must_match_scheme(backend: Backend) -> None:
    wanted = backend.security_profile
    if backend.is_tls is not (wanted >= SecurityProfile.TLS_BASIC):
        scheme = backend.url.partition(":")[0][:10]
        raise ValueRejected(
            f"Security profile {int(wanted)} and {scheme}:// do not go together on this charger.",
            "Profiles 0 and 1 want ws://, profiles 2 and 3 want wss://.",
        )


def _address_changes(target: Target, backend: Backend, key: BackendKey) -> Iterable[Change]:
    wanted = _rendered(target, backend, key)
    if key.holds == "host":
        path_key = next((item for item in target.holding("path") if _twin(item.key) == _twin(key.key)), None)
        parts = urllib.parse.urlsplit(wanted)
        if path_key is None and parts.path.strip("/"):
            raise ValueRejected(
                "This charger shows no key for the path of the address.", "Use an address without path."
            )
        if path_key is not None:
            yield _change(target, path_key.key, _like(parts.path, target.value(path_key.key)), "path", "The path.")
        wanted = _host_part(parts, target.value(key.key))
    is_raised = False
    if key.holds == "network-profile":
        is_raised = _is_raised(target.value(key.key), backend)
        wanted = _in_profile(target.value(key.key), wanted, backend)
    if key.form == "scheme-by-profile":
        _must_match_scheme(backend)
    _must_fit(target, key, wanted)
    change = _change(target, key.key, wanted, "url", "The new backend. It comes last.")
    yield replace(change, is_one_way=is_raised)


def _priority_changes(target: Target, key: BackendKey) -> Iterable[Change]:
    for item in target.holding("priority"):
        slots = _slots(target, item)
        wanted = ",".join([key.key, *(slot for slot in slots if slot != key.key)])
        if slots and wanted != target.value(item.key):
            yield _change(target, item.key, wanted, "priority", "The new address first, the old one as a way back.")


def _slots(target: Target, priority: BackendKey) -> list[str]:
    """Return the address keys that a priority key lists; nothing where its value has another form."""
    named = [slot.strip() for slot in target.value(priority.key).split(",")]
    known = {key.key for key in target.addresses()}
    return named if known.issuperset(named) else []


def _change(target: Target, key: str, after: str, kind: str, reason: str) -> Change:
    setting = target.settings[key]
    if setting.is_readonly:
        raise NotSupported(f"“{key}” is read-only on this charger.", "Change it at the charger itself.")
    return Change(
        key=key,
        before=setting.value,
        after=after,
        needs_restart=True,
        order=ORDER[kind],
        reason=reason,
    )


def _active(target: Target) -> BackendKey | None:
    """Return the address key that is in use: the one that leads here, else the first that is filled."""
    keys = target.addresses()
    here = [key for key in keys if target.host and _authority(_whole_url(target, key)) == target.host.lower()]
    filled = [key for key in keys if _whole_url(target, key)]
    return next(iter(here or filled or keys), None)


def _slot(target: Target) -> BackendKey:
    """Return the address key to write: a free slot where there are several by priority, else the active one."""
    active = _active(target)
    if active is None:
        raise NotSupported(
            "This charger offers no key for its backend address over OCPP.",
            "Set the address in its own menu or app; the endpoint proves the result all the same.",
        )
    for priority in target.holding("priority"):
        used = _slots(target, priority)
        free = [key for key in target.addresses() if key.holds == "url" and key.key != (used or [""])[0]]
        if used and free:
            return free[0]
    return active


def _whole_url(target: Target, key: BackendKey) -> str:
    value = target.value(key.key)
    if key.holds == "network-profile":
        match = _CSMS_URL.search(value)
        return match[2] if match else ""
    if key.holds != "host" or not value:
        return value
    path = next((target.value(item.key) for item in target.holding("path") if _twin(item.key) == _twin(key.key)), "")
    host = value if "://" in value else f"ws://{value}"
    return f"{host.rstrip('/')}/{path.strip('/')}" if path.strip("/") else host


def _rendered(target: Target, backend: Backend, key: BackendKey) -> str:
    rule = join_rule(target, _whole_url(target, key))
    url = backend.url
    if rule is JoinRule.AS_IS:
        url = dialled_url(backend.url, backend.identity, JoinRule.APPEND_IF_MISSING)
    if rule is JoinRule.APPEND:
        url = url.rstrip("/")
    return url.rstrip("/") + "/" if key.form == "trailing-slash" else url


def _in_profile(text: str, url: str, backend: Backend) -> str:
    if not _CSMS_URL.search(text) or any(char in url for char in "{}"):
        raise NotSupported("This charger's network profile has a form that is not known.", "Set it in its own tool.")
    text = _CSMS_URL.sub(lambda match: match[1] + url + match[3], text, count=1)
    level = str(int(backend.security_profile))
    return _PROFILE_LEVEL.sub(lambda match: match[1] + level + match[3], text, count=1)


def _is_raised(text: str, backend: Backend) -> bool:
    """Say whether a network profile's security profile rises; it never falls over OCPP (SEC16 A00.FR.005)."""
    match = _PROFILE_LEVEL.search(text)
    level = int(match[2]) if match is not None and match[2] in ("0", "1", "2", "3") else None
    wanted = int(backend.security_profile)
    if level is not None and wanted < level:
        raise ValueRejected(
            f"This charger's network profile is on security profile {level}; over OCPP it only goes up.",
            f"Choose profile {level} for the backend, or lower it at the charger itself.",
        )
    return level is not None and wanted > level


def _must_be_carried(target: Target, change: Change) -> None:
    """Raise ValueRejected where a message can't carry a change (OCPP 1.6 §6.9; a 2.x variable says its limit)."""
    is_variable = "." in change.key
    limit = target.settings[change.key].limit if is_variable else VALUE_LIMIT
    if not is_variable and len(change.key) > KEY_LIMIT:
        raise ValueRejected(
            f"The name “{change.key[:60]}” has {len(change.key)} characters; OCPP 1.6 carries {KEY_LIMIT}.",
            "Set it at the charger itself.",
        )
    if limit is not None and len(change.after) > limit:
        raise ValueRejected(
            f"“{change.key}” would get {len(change.after)} characters; {limit} can be sent.", "Use a shorter value."
        )


def _must_fit(target: Target, key: BackendKey, value: str) -> None:
    limit = min(target.habit.limit if target.habit and target.habit.limit else VALUE_LIMIT, VALUE_LIMIT)
    if len(value) > limit:
        raise ValueRejected(
            f"The address has {len(value)} characters; “{key.key}” holds {limit}.", "Use a shorter address."
        )
    schemes = target.habit.schemes if target.habit else ("ws", "wss")
    scheme = value.partition(":")[0].lower()
    if "://" in value and key.holds != "network-profile" and scheme not in schemes:
        raise ValueRejected(f"This charger does not take {scheme}:// addresses.", "Choose another address.")


def _host_part(parts: urllib.parse.SplitResult, before: str) -> str:
    host = f"{parts.scheme}://{parts.netloc}" if "://" in before or not before else parts.netloc
    return host + "/" if before.endswith("/") else host


def _like(path: str, before: str) -> str:
    bare = path.strip("/")
    return f"/{bare}" if before.startswith("/") and bare else bare


def _twin(key: str) -> str:
    """Return what a host key and its path key have in common (``BackOffice-URL-wired``/``-Path-wired`` → wired)."""
    return key.rpartition("-")[2].lower()


def _is_url(value: str | None) -> bool:
    return value is not None and value.lower().startswith(("ws://", "wss://"))


def _authority(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
