"""The standardized components and variables that a bridged OCPP 2.0.1 station has.

Source: OCPP 2.0.1 part 2, referenced components and variables, and its appendices. What the bridge does not do is not
claimed; what the site's file decides can't be set by a backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.bridge.station201_metering import MEASURANDS
from app.bridge.station201_model import Table, Variable

ITEMS_READ, ITEMS_SET, ITEMS_REPORTED = 20, 10, 20
MAX_BYTES = 16_384
MAX_PROFILES = 20
MAX_PERIODS = 48
MAX_STACK = 10
DAY_S = 86_400
TX_POINTS = ("ParkingBayOccupancy", "EVConnected", "Authorized", "PowerPathClosed", "EnergyTransfer", "DataSigned")
STATES = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")

Row = tuple[str, dict[str, Any]]


def _flag(name: str, value: bool, **more: Any) -> Row:
    return name, {"kind": "boolean", "value": "true" if value else "false", **more}


def _count(name: str, value: int, **more: Any) -> Row:
    return name, {"kind": "integer", "value": str(value), "lowest": 0, **more}


def _time(name: str, value: int, **more: Any) -> Row:
    return _count(name, value, **{"unit": "s", "highest": 7 * DAY_S, **more})


def _measured(name: str, *value: str, **more: Any) -> Row:
    return name, {"kind": "MemberList", "value": ",".join(value), "choices": MEASURANDS, **more}


_SET = {"is_writable": True}
_REGISTER, _POWER, _CURRENT = "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"
_AVAILABLE = _flag("Available", True, is_constant=True)

_CONTROLLERS: dict[str, tuple[Row, ...]] = {
    "OCPPCommCtrlr": (
        _count("ActiveNetworkProfile", 1),
        ("FileTransferProtocols", {"kind": "MemberList", "choices": ("FTP", "FTPS", "HTTP", "HTTPS", "SFTP")}),
        _time("HeartbeatInterval", 300, lowest=1, **_SET),
        _time("MessageAttemptInterval/TransactionEvent", 10, highest=3600, **_SET),
        _count("MessageAttempts/TransactionEvent", 5, lowest=1, highest=1000, **_SET),
        _time("MessageTimeout/Default", 30),
        ("NetworkConfigurationPriority", {"kind": "SequenceList", "value": "1", "choices": ("1",), **_SET}),
        _count("NetworkProfileConnectionAttempts", 3),
        _time("OfflineThreshold", 60, **_SET),
        _flag("QueueAllMessages", False),
        _count("ResetRetries", 0),
        _flag("UnlockOnEVSideDisconnect", False),
        _time("WebSocketPingInterval", 60, highest=3600, **_SET),
    ),
    "SecurityCtrlr": (
        ("BasicAuthPassword", {"lowest": 16, "highest": 40, "is_secret": True, **_SET}),
        _count("CertificateEntries", 0),
        ("Identity", {"highest": 48}),
        ("OrganizationName", {"highest": 50}),
        _count("SecurityProfile", 0, highest=3),
    ),
    "AuthCtrlr": (
        _flag("AuthorizeRemoteStart", False, **_SET),
        _flag("Enabled", True),
        _flag("LocalAuthorizeOffline", False),
        _flag("LocalPreAuthorize", False),
        _flag("OfflineTxForUnknownIdEnabled", False),
    ),
    "TxCtrlr": (
        _time("EVConnectionTimeOut", 60, lowest=1, highest=DAY_S, **_SET),
        _flag("StopTxOnEVSideDisconnect", True),
        _flag("StopTxOnInvalidId", True, **_SET),
        _flag("TxBeforeAcceptedEnabled", False),
        ("TxStartPoint", {"kind": "MemberList", "choices": TX_POINTS}),
        ("TxStopPoint", {"kind": "MemberList", "choices": TX_POINTS}),
    ),
    "DeviceDataCtrlr": (
        _count("BytesPerMessage/GetReport", MAX_BYTES),
        _count("BytesPerMessage/GetVariables", MAX_BYTES),
        _count("BytesPerMessage/SetVariables", MAX_BYTES),
        _count("ItemsPerMessage/GetReport", ITEMS_REPORTED),
        _count("ItemsPerMessage/GetVariables", ITEMS_READ),
        _count("ItemsPerMessage/SetVariables", ITEMS_SET),
        _count("ConfigurationValueSize", 1000),
        _count("ReportingValueSize", 1000),
    ),
    "SampledDataCtrlr": (
        _AVAILABLE,
        _flag("Enabled", True, **_SET),
        _time("TxEndedInterval", 0),
        _measured("TxEndedMeasurands", _REGISTER, **_SET),
        _measured("TxStartedMeasurands", _REGISTER, **_SET),
        _time("TxUpdatedInterval", 60, highest=DAY_S, **_SET),
        _measured("TxUpdatedMeasurands", _REGISTER, _POWER, _CURRENT, **_SET),
    ),
    "AlignedDataCtrlr": (
        _AVAILABLE,
        _flag("Enabled", True, **_SET),
        _time("Interval", 0, highest=DAY_S, **_SET),
        _measured("Measurands", _REGISTER, _POWER, **_SET),
        _flag("SendDuringIdle", False, **_SET),
        _time("TxEndedInterval", 0),
        _measured("TxEndedMeasurands"),
    ),
    "ClockCtrlr": (
        ("DateTime", {"kind": "dateTime"}),
        _time("TimeAdjustmentReportingThreshold", 60),
        ("TimeSource", {"kind": "SequenceList", "value": "RealTimeClock,Heartbeat"}),
    ),
    "SmartChargingCtrlr": (
        _AVAILABLE,
        _flag("Enabled", True),
        _count("Entries/ChargingProfiles", 0, highest=MAX_PROFILES),
        (
            "LimitChangeSignificance",
            {"kind": "decimal", "value": "1.0", "unit": "Percent", "lowest": 0, "highest": 100, **_SET},
        ),
        _count("PeriodsPerSchedule", MAX_PERIODS),
        _count("ProfileStackLevel", MAX_STACK),
        ("RateUnit", {"kind": "MemberList", "value": "A,W", "choices": ("A", "W")}),
    ),
    "ChargingStation": (
        ("VendorName", {"is_constant": True, "is_summary": True}),
        ("Model", {"is_constant": True, "is_summary": True}),
        ("SerialNumber", {"is_constant": True}),
        ("FirmwareVersion", {}),
    ),
}


def _variables() -> Iterator[Variable]:
    for component, rows in _CONTROLLERS.items():
        for path, more in rows:
            name, _, instance = path.partition("/")
            yield Variable(component=component, name=name, instance=instance, **more)
    yield from _place("ChargingStation", 0, 0)
    yield from _place("EVSE", 1, 0)
    yield Variable(component="EVSE", name="AllowReset", value="false", kind="boolean", evse=1)
    yield Variable(component="EVSE", name="Power", kind="decimal", unit="W", evse=1)
    yield from _place("Connector", 1, 1)
    yield Variable(component="Connector", name="ConnectorType", value="Unknown", evse=1, connector=1)


def _place(component: str, evse: int, connector: int) -> Iterator[Variable]:
    place: dict[str, Any] = {"component": component, "evse": evse, "connector": connector, "is_summary": True}
    yield Variable(name="AvailabilityState", kind="OptionList", choices=STATES, **place)
    yield Variable(name="Available", value="true", kind="boolean", **place)
    yield Variable(name="Problem", kind="boolean", **place)
    yield Variable(component=component, name="SupplyPhases", kind="integer", evse=evse, connector=connector)


TABLE = Table(_variables())
"""Shared by all stations of a process."""
