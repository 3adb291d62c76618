"""The standardized components and variables a simulated 2.x station has.

Source: OCPP 2.0.1 part 2 appendices, "standardized components and variables"; the choice follows the device model that
EVerest ships (EVerest/libocpp, config/v2/component_config).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.sim.station2_model import Variable

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Current.Offered",
    "Voltage",
    "SoC",
)
TX_POINTS = ("ParkingBayOccupancy", "EVConnected", "Authorized", "PowerPathClosed", "EnergyTransfer", "DataSigned")

Row = tuple[str, str, str, dict[str, Any]]
"""Variable (``name`` or ``name/instance``), kind, value, and what else is not as usual."""

_RW = {"mutability": "ReadWrite"}
_WO = {"mutability": "WriteOnly"}


def _flag(name: str, value: bool, **more: Any) -> Row:
    return name, "boolean", "true" if value else "false", _RW | more


def _count(name: str, value: int, **more: Any) -> Row:
    return name, "integer", str(value), _RW | {"lowest": 0} | more


def _fixed(name: str, value: int, **more: Any) -> Row:
    return name, "integer", str(value), {"lowest": 0} | more


def _seconds(name: str, value: int, **more: Any) -> Row:
    return _count(name, value, unit="s", **more)


def _members(name: str, value: str, choices: tuple[str, ...], **more: Any) -> Row:
    return name, "MemberList", value, _RW | {"choices": choices} | more


def _shown(name: str, kind: str, value: str, **more: Any) -> Row:
    return name, kind, value, more


_SUPPORTED = _shown("Available", "boolean", "true", is_constant=True)

CONTROLLERS: dict[str, tuple[Row, ...]] = {
    "OCPPCommCtrlr": (
        _shown("ActiveNetworkProfile", "integer", "1"),
        _shown("FileTransferProtocols", "MemberList", "FTP,HTTP", choices=("FTP", "FTPS", "HTTP", "HTTPS", "SFTP")),
        _seconds("HeartbeatInterval", 300, lowest=1),
        _seconds("MessageAttemptInterval/TransactionEvent", 10),
        _count("MessageAttempts/TransactionEvent", 5),
        _shown("MessageTimeout/Default", "integer", "30", unit="s"),
        ("NetworkConfigurationPriority", "SequenceList", "1", _RW | {"choices": ("0", "1", "2")}),
        _count("NetworkProfileConnectionAttempts", 3, lowest=1),
        _seconds("OfflineThreshold", 60),
        _flag("QueueAllMessages", False),
        _count("ResetRetries", 1),
        _seconds("RetryBackOffRandomRange", 10),
        _count("RetryBackOffRepeatTimes", 3),
        _seconds("RetryBackOffWaitMinimum", 10),
        _flag("UnlockOnEVSideDisconnect", True),
        _seconds("WebSocketPingInterval", 60),
        _shown("FieldLength/Get15118EVCertificateResponse.exiResponse", "integer", "7500"),
    ),
    "SecurityCtrlr": (
        _flag("AdditionalRootCertificateCheck", False, mutability="ReadOnly"),
        ("BasicAuthPassword", "string", "", _WO | {"lowest": 16, "highest": 40, "needs_reboot": False}),
        _fixed("CertificateEntries", 0, highest=20),
        _count("CertSigningRepeatTimes", 3),
        _seconds("CertSigningWaitMinimum", 30),
        ("Identity", "string", "", {"highest": 48}),
        _fixed("MaxCertificateChainSize", 10000, unit="B"),
        ("OrganizationName", "string", "Rehome", _RW | {"highest": 50}),
        _fixed("SecurityProfile", 0, highest=3),
    ),
    "AuthCtrlr": (
        _flag("AuthorizeRemoteStart", False),
        _flag("Enabled", True),
        _flag("LocalAuthorizeOffline", True),
        _flag("LocalPreAuthorize", False),
        ("MasterPassGroupId", "string", "", _RW | {"highest": 36}),
        _flag("OfflineTxForUnknownIdEnabled", False),
    ),
    "AuthCacheCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _seconds("LifeTime", 86400),
        _shown("Policy", "OptionList", "LRU", choices=("LRU", "LFU", "FIFO", "CUSTOM")),
        _fixed("Storage", 0, unit="B", highest=65536),
    ),
    "TxCtrlr": (
        _seconds("EVConnectionTimeOut", 60, lowest=1),
        ("MaxEnergyOnInvalidId", "integer", "0", _RW | {"unit": "Wh", "lowest": 0}),
        _flag("StopTxOnEVSideDisconnect", True),
        _flag("StopTxOnInvalidId", True),
        _flag("TxBeforeAcceptedEnabled", False),
        _members("TxStartPoint", "PowerPathClosed", TX_POINTS),
        _members("TxStopPoint", "EVConnected,Authorized", TX_POINTS),
    ),
    "DeviceDataCtrlr": (
        _fixed("BytesPerMessage/GetReport", 16384, unit="B"),
        _fixed("BytesPerMessage/GetVariables", 16384, unit="B"),
        _fixed("BytesPerMessage/SetVariables", 16384, unit="B"),
        _fixed("ItemsPerMessage/GetReport", 20),
        _fixed("ItemsPerMessage/GetVariables", 20),
        _fixed("ItemsPerMessage/SetVariables", 10),
        _fixed("ConfigurationValueSize", 1000),
        _fixed("ReportingValueSize", 2500),
        _fixed("ValueSize", 2500),
    ),
    "SampledDataCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _seconds("TxEndedInterval", 0),
        _members("TxEndedMeasurands", "Energy.Active.Import.Register", MEASURANDS),
        _members("TxStartedMeasurands", "Energy.Active.Import.Register", MEASURANDS),
        _seconds("TxUpdatedInterval", 10),
        _members("TxUpdatedMeasurands", "Energy.Active.Import.Register,Power.Active.Import,Current.Import", MEASURANDS),
    ),
    "AlignedDataCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _seconds("Interval", 0),
        _members("Measurands", "Energy.Active.Import.Register,Power.Active.Import", MEASURANDS),
        _flag("SendDuringIdle", False),
        _seconds("TxEndedInterval", 0),
        _members("TxEndedMeasurands", "Energy.Active.Import.Register", MEASURANDS),
    ),
    "ClockCtrlr": (
        _shown("DateTime", "dateTime", ""),
        ("NtpServerUri/1", "string", "", _RW | {"highest": 512}),
        _shown("NtpSource", "OptionList", "manual", choices=("DHCP", "manual")),
        _seconds("TimeAdjustmentReportingThreshold", 20),
        ("TimeOffset", "string", "+00:00", _RW),
        (
            "TimeSource",
            "SequenceList",
            "Heartbeat",
            _RW | {"choices": ("Heartbeat", "NTP", "GPS", "RealTimeClock", "MobileNetwork", "RadioTimeTransmitter")},
        ),
        ("TimeZone", "string", "Europe/Vienna", _RW),
    ),
    "LocalAuthListCtrlr": (
        _SUPPORTED,
        _fixed("BytesPerMessage", 16384, unit="B"),
        _flag("Enabled", True),
        _fixed("Entries", 0, highest=500),
        _fixed("ItemsPerMessage", 100),
        _fixed("Storage", 0, unit="B", highest=65536),
    ),
    "SmartChargingCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _fixed("Entries/ChargingProfiles", 0, highest=20),
        ("LimitChangeSignificance", "decimal", "1.0", _RW | {"unit": "Percent", "lowest": 0, "highest": 100}),
        _flag("NotifyChargingLimitWithSchedules", False),
        _fixed("PeriodsPerSchedule", 24),
        _fixed("ProfileStackLevel", 8),
        _shown("RateUnit", "MemberList", "A,W", choices=("A", "W")),
    ),
    "ReservationCtrlr": (_SUPPORTED, _flag("Enabled", True), _shown("NonEvseSpecific", "boolean", "true")),
    "MonitoringCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _shown("ActiveMonitoringBase", "OptionList", "All", choices=("All", "FactoryDefault", "HardwiredOnly")),
        _fixed("ActiveMonitoringLevel", 9, highest=9),
        _fixed("BytesPerMessage/ClearVariableMonitoring", 16384, unit="B"),
        _fixed("BytesPerMessage/SetVariableMonitoring", 16384, unit="B"),
        _fixed("ItemsPerMessage/ClearVariableMonitoring", 10),
        _fixed("ItemsPerMessage/SetVariableMonitoring", 10),
        _count("OfflineQueuingSeverity", 4, highest=9),
    ),
    "DisplayMessageCtrlr": (
        _SUPPORTED,
        _flag("Enabled", True),
        _fixed("DisplayMessages", 0, highest=10),
        _shown("SupportedFormats", "MemberList", "ASCII,UTF8", choices=("ASCII", "HTML", "URI", "UTF8")),
        _shown(
            "SupportedPriorities",
            "MemberList",
            "AlwaysFront,InFront,NormalCycle",
            choices=("AlwaysFront", "InFront", "NormalCycle"),
        ),
    ),
    "TariffCostCtrlr": (
        _shown("Available/Tariff", "boolean", "true", is_constant=True),
        _shown("Available/Cost", "boolean", "true", is_constant=True),
        _flag("Enabled/Tariff", True),
        _flag("Enabled/Cost", True),
        ("Currency", "string", "EUR", _RW | {"highest": 3}),
        ("TariffFallbackMessage", "string", "", _RW | {"highest": 255}),
        ("TotalCostFallbackMessage", "string", "", _RW | {"highest": 255}),
    ),
    "ISO15118Ctrlr": (
        _flag("CentralContractValidationAllowed", False),
        _flag("ContractValidationOffline", False),
        ("SeccId", "string", "", _RW),
        _flag("V2GCertificateInstallationEnabled", False),
        _flag("ContractCertificateInstallationEnabled", False),
    ),
}

STATES = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")


def inventory(station: dict[str, str], *, evses: int, identity: str, profile: int) -> Iterator[Variable]:
    """Yield all variables of a station with so many EVSEs of one connector each."""
    for component, rows in CONTROLLERS.items():
        for row in rows:
            yield _made(component, row)
    for name, value in station.items():
        yield Variable("ChargingStation", name, value, is_constant=True, is_summary=name in ("Model", "VendorName"))
    yield _made("ChargingStation", _flag("AllowNewSessionsPendingFirmwareUpdate", False))
    yield _made("ChargingStation", _shown("SupplyPhases", "integer", "3", is_constant=True))
    yield from _places("ChargingStation", 0, 0)
    yield Variable("SecurityCtrlr", "Identity", identity, highest=48)
    yield Variable("SecurityCtrlr", "SecurityProfile", str(profile), "integer", lowest=0, highest=3)
    for evse in range(1, evses + 1):
        yield from _evse(evse)


def _evse(evse: int) -> Iterator[Variable]:
    yield from _places("EVSE", evse, 0)
    yield Variable("EVSE", "EvseId", f"AT*RHM*E{evse:04d}", evse=evse)
    yield Variable("EVSE", "AllowReset", "true", "boolean", evse=evse)
    yield Variable("EVSE", "SupplyPhases", "3", "integer", evse=evse, is_constant=True)
    yield Variable(
        "EVSE",
        "Power",
        "0",
        "decimal",
        unit="W",
        highest=22080,
        evse=evse,
        is_monitored=True,
        others={"MaxSet": "22080"},
    )
    yield Variable("EVSE", "Temperature", "28", "decimal", unit="Celsius", evse=evse, is_monitored=True)
    yield from _places("Connector", evse, 1)
    yield Variable("Connector", "ConnectorType", "cType2", evse=evse, connector=1, is_constant=True)
    yield Variable("Connector", "SupplyPhases", "3", "integer", evse=evse, connector=1, is_constant=True)


def _places(component: str, evse: int, connector: int) -> Iterator[Variable]:
    place: dict[str, Any] = {"evse": evse, "connector": connector, "is_summary": True, "is_monitored": True}
    yield Variable(component, "AvailabilityState", "Available", "OptionList", choices=STATES, **place)
    yield Variable(component, "Available", "true", "boolean", **place)
    yield Variable(component, "Problem", "false", "boolean", **place)


def _made(component: str, row: Row) -> Variable:
    path, kind, value, more = row
    name, _, instance = path.partition("/")
    return Variable(component, name, value, kind, instance=instance, **more)
