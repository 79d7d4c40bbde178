// A gRPC transport under test with everything it told its handlers and its log.
import { pino } from 'pino';
import { systemClock } from '../../src/cli/system-clock.ts';
import { nodeId } from '../../src/lib/ids.ts';
import { seededRandom } from '../../src/lib/random.ts';
import type { PeerFrame, Refusal } from '../../src/node/peer-protocol.ts';
import type { PeerTransport } from '../../src/node/ports.ts';
import { createGrpcPeerTransport } from '../../src/transport/grpc-peer-transport.ts';
import type { PeerTransportLimits } from '../../src/transport/limits.ts';
import { sampleHello } from '../support/peer-frames.ts';
import { pollUntil } from '../support/poll.ts';

/** Long, so that a busy machine makes no peer look gone; tests of silence ask for a short one. */
const HEARTBEAT_MS = 5000;

export interface TransportEndpoint extends AsyncDisposable {
  readonly transport: PeerTransport;
  /** `connected n2`, `broken n2`, `gone n2`, `refused n2 <reason>`, in order. */
  readonly events: string[];
  readonly received: { readonly from: string; readonly frame: PeerFrame }[];
  /** Messages logged, with their fields. */
  readonly log: { readonly msg: string; readonly [field: string]: unknown }[];
  /** Dials the named peers at the given addresses. */
  dial(peers: Readonly<Record<string, string>>): void;
  count(event: string): number;
}

export async function startEndpoint(
  id: string,
  options: Partial<PeerTransportLimits> & { readonly heartbeatMs?: number } = {},
  refuses: () => Refusal | undefined = () => undefined,
  listen = '127.0.0.1:0',
): Promise<TransportEndpoint> {
  const { heartbeatMs = HEARTBEAT_MS, ...limits } = options;
  const log: { msg: string }[] = [];
  const transport = createGrpcPeerTransport({
    listen,
    self: nodeId(id),
    log: pino({ level: 'info' }, { write: (line) => void log.push(JSON.parse(line)) }),
    clock: systemClock,
    heartbeatMs,
    random: seededRandom(7),
    limits,
  });
  const events: string[] = [];
  const received: { from: string; frame: PeerFrame }[] = [];
  await transport.start({
    admit: refuses,
    hello: () => sampleHello(id, id),
    onFrames: (from, frames) => {
      for (const frame of frames) received.push({ from, frame });
    },
    onConnected: (peer) => void events.push(`connected ${peer}`),
    onBroken: (peer) => void events.push(`broken ${peer}`),
    onGone: (peer) => void events.push(`gone ${peer}`),
    onRefused: (peer, { reason }) => void events.push(`refused ${peer} ${reason}`),
  });
  return {
    transport,
    events,
    received,
    log,
    dial: (peers) =>
      transport.connect(
        Object.entries(peers).map(([peer, address]) => ({ nodeId: nodeId(peer), address })),
      ),
    count: (event) => events.filter((other) => other === event).length,
    [Symbol.asyncDispose]: () => transport.stop(),
  };
}

export const until = (what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> =>
  pollUntil(condition, { what, timeoutMs, everyMs: 1 });

/** A small frame that carries a number. */
export const numbered = (id: number): PeerFrame => ({
  kind: 'lastHeartbeatRequest',
  id,
  namespace: 'default',
  instanceId: 'payments-1',
});
