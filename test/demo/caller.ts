// A client process of its own: keeps one streaming watch, and calls the services it is told about, round robin, the
// way an application would. Reports every message and every call. argv: endpoints (host:port,…), first endpoint.
import { request } from 'node:http';
import type { WatchResponse__Output } from '../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { recordMessage } from '../support/grpc-records.ts';
import { registryClient } from '../support/grpc-client.ts';
import { type CallerEvent, sharedNow } from './events.ts';

const endpoints = (process.argv[2] ?? '').split(',');
let position = Number(process.argv[3] ?? 0);
let token = '';
/** Healthy instances as the watch told them: id -> port. */
const healthy = new Map<string, number>();
let turn = 0;

const report = (event: CallerEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};

function take(message: WatchResponse__Output): void {
  if (message.reset) healthy.clear();
  for (const { kind, instance } of message.changes) {
    if (instance === null) continue;
    if (kind === 'PUT' && instance.status === 'HEALTHY') {
      healthy.set(instance.instance_id, instance.port);
    } else healthy.delete(instance.instance_id);
  }
  token = message.resume_token;
  report({ kind: 'watched', message: recordMessage(message, sharedNow()) });
}

function watch(): void {
  const endpoint = endpoints[position % endpoints.length] ?? '';
  const client = registryClient(endpoint);
  const stream = client.watch();
  let ended = false;
  const again = (): void => {
    if (ended) return;
    ended = true;
    client.close();
    position++;
    report({ kind: 'resumed', atMs: sharedNow(), endpoint });
    setTimeout(watch, 10);
  };
  stream.on('data', take);
  stream.on('error', again);
  stream.on('end', again);
  stream.write({ selector: {}, resume_token: token, read: { consistency: 'STALE' } });
}

function call(): void {
  const targets = [...healthy].filter(([id]) => id.startsWith('payment-'));
  const target = targets[turn++ % Math.max(1, targets.length)];
  if (target === undefined) return;
  const [instanceId, port] = target;
  const atMs = sharedNow();
  const outgoing = request({ host: '127.0.0.1', port, timeout: 1000 }, (response) => {
    response.resume();
    report({ kind: 'called', atMs, instanceId, ok: response.statusCode === 200 });
  });
  outgoing.on('error', () => report({ kind: 'called', atMs, instanceId, ok: false }));
  outgoing.end();
}

watch();
setInterval(call, 10);
// The demo owns this process: when its pipe closes, nobody is left to report to.
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
