// A station on npm ocpp-rpc in strict mode: every message of either side is held against the schemas of the standard.
// node rpc_station.js URL IDENTITY PROTOCOL [CA.pem]
const fs = require("fs");
const { RPCClient } = require("ocpp-rpc");

const [url, identity, protocol, ca] = process.argv.slice(2);
const isOld = protocol === "ocpp1.6";
const keys = { HeartbeatInterval: "300", MeterValueSampleInterval: "60", NumberOfConnectors: "1",
  SupportedFeatureProfiles: "Core,RemoteTrigger", GetConfigurationMaxKeys: "50" };
const fixed = ["NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"];
const model = { "OCPPCommCtrlr.HeartbeatInterval": ["300", "ReadWrite"], "SampledDataCtrlr.TxUpdatedInterval": ["60", "ReadWrite"],
  "SecurityCtrlr.SecurityProfile": ["2", "ReadOnly"] };
const now = () => new Date().toISOString();

const unit = new RPCClient({
  endpoint: url, identity, protocols: [protocol], strictMode: true, reconnect: true,
  backoff: { initialDelay: 50, maxDelay: 200 }, wsOpts: ca ? { ca: fs.readFileSync(ca) } : {},
});
unit.on("strictValidationFailure", (event) => console.log("STRICT", JSON.stringify(event)));

let reason = "PowerUp";
const status = () => unit.call("StatusNotification", isOld
  ? { connectorId: 1, errorCode: "NoError", status: "Available", timestamp: now() }
  : { evseId: 1, connectorId: 1, connectorStatus: "Available", timestamp: now() });
const boot = async () => {
  const who = isOld ? { chargePointVendor: "rpc", chargePointModel: "node", chargePointSerialNumber: "1", firmwareVersion: "2" }
    : { reason, chargingStation: { vendorName: "rpc", model: "node", serialNumber: "1", firmwareVersion: "2" } };
  const answer = await unit.call("BootNotification", who);
  if (answer.status !== "Accepted") return setTimeout(() => boot().catch(() => {}), 200);
  if (isOld) await unit.call("StatusNotification", { connectorId: 0, errorCode: "NoError", status: "Available" });
  await status();
};
const after = (work) => setTimeout(() => Promise.resolve(work()).catch(() => {}), 5);
unit.on("open", () => after(boot));

unit.handle("Reset", () => {
  reason = "RemoteReset";
  after(async () => { await unit.close({ code: 1000, reason: "reset" }); await unit.connect(); });
  return { status: "Accepted" };
});
unit.handle("TriggerMessage", ({ params }) => {
  const place = isOld ? params.connectorId : params.evse && params.evse.id;
  if (place > 1) return { status: "Rejected" };
  if (params.requestedMessage === "Heartbeat") after(() => unit.call("Heartbeat", {}));
  else if (params.requestedMessage === "StatusNotification") after(status);
  else if (isOld && params.requestedMessage === "BootNotification") after(boot);
  else return { status: "Rejected" };
  return { status: "Accepted" };
});
unit.handle("UnlockConnector", () => ({ status: "UnlockFailed" }));
if (isOld) {
  unit.handle("GetConfiguration", ({ params }) => {
    const wanted = params.key && params.key.length ? params.key : Object.keys(keys);
    const told = wanted.filter((key) => key in keys);
    return { configurationKey: told.map((key) => ({ key, readonly: fixed.includes(key), value: keys[key] })),
      unknownKey: wanted.filter((key) => !(key in keys)) };
  });
  unit.handle("ChangeConfiguration", ({ params }) => {
    if (!(params.key in keys)) return { status: "NotSupported" };
    if (fixed.includes(params.key) || !/^\d+$/.test(params.value)) return { status: "Rejected" };
    keys[params.key] = params.value;
    return { status: "Accepted" };
  });
} else {
  const found = (item) => {
    const key = `${item.component.name}.${item.variable.name}`;
    if (key in model) return [key, "Accepted"];
    const isKnown = Object.keys(model).some((name) => name.startsWith(`${item.component.name}.`));
    return [key, isKnown ? "UnknownVariable" : "UnknownComponent"];
  };
  const named = ({ component, variable }) => ({ component, variable });
  unit.handle("GetVariables", ({ params }) => ({ getVariableResult: params.getVariableData.map((item) => {
    const [key, attributeStatus] = found(item);
    return { ...named(item), attributeStatus, ...(key in model ? { attributeValue: model[key][0] } : {}) };
  }) }));
  unit.handle("SetVariables", ({ params }) => ({ setVariableResult: params.setVariableData.map((item) => {
    let [key, attributeStatus] = found(item);
    if (key in model && (model[key][1] === "ReadOnly" || !/^\d+$/.test(item.attributeValue))) attributeStatus = "Rejected";
    if (attributeStatus === "Accepted") model[key][0] = item.attributeValue;
    return { ...named(item), attributeStatus };
  }) }));
  unit.handle("GetBaseReport", ({ params }) => {
    if (params.reportBase === "SummaryInventory") return { status: "NotSupported" };
    const names = Object.keys(model).filter((key) => params.reportBase === "FullInventory" || model[key][1] === "ReadWrite");
    after(() => unit.call("NotifyReport", { requestId: params.requestId, generatedAt: now(), seqNo: 0, reportData: names.map((key) => ({
      component: { name: key.split(".")[0] }, variable: { name: key.split(".")[1] },
      variableAttribute: [{ value: model[key][0], mutability: model[key][1] }],
      variableCharacteristics: { dataType: "integer", supportsMonitoring: false },
    })) }));
    return { status: "Accepted" };
  });
}
unit.connect();
