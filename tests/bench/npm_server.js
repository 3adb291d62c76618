// The central system of npm's ocpp-rpc in strict mode. Told "cpu" on stdin, it prints its CPU seconds.
const { RPCServer } = require(require.resolve('ocpp-rpc', { paths: [process.env.REHOME_NODE_MODULES] }));

const server = new RPCServer({ protocols: ['ocpp1.6', 'ocpp2.0.1'], strictMode: true });
const now = () => new Date().toISOString();
server.on('client', (client) => {
  client.handle('BootNotification', () => ({ status: 'Accepted', interval: 300, currentTime: now() }));
  client.handle('Heartbeat', () => ({ currentTime: now() }));
  client.handle('MeterValues', () => ({}));
  client.handle('TransactionEvent', () => ({}));
});
server.listen(0, '127.0.0.1').then((http) => console.log(http.address().port));
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage();
  console.log((user + system) / 1e6);
});
process.stdin.on('end', () => process.exit(0));
