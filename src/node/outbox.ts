// What goes to each peer. All frames of one turn leave together, in messages of bounded size; what cannot leave is lost,
// and whoever counted on it is told.
import type { NodeId } from '../lib/ids.ts';
import type { Message } from '../raft/index.ts';
import type { CommandBody } from '../registry/index.ts';
import type { PeerFrame } from './peer-protocol.ts';
import type { PeerTransport } from './ports.ts';

export interface Outbox {
  /** Queues a frame for the end of the turn. */
  add(to: NodeId, frame: PeerFrame): void;
  flush(): void;
}

export interface OutboxOptions {
  readonly transport: Pick<PeerTransport, 'send'>;
  /** These frames did not leave: no stream, or its queue is full. */
  readonly lost: (to: NodeId, frames: readonly PeerFrame[]) => void;
  /** Something was queued: flush soon. */
  readonly wake: () => void;
}

/** A message closes once it holds this much: with the largest AppendEntries on top it stays under the 4 MiB of gRPC. */
const MESSAGE_BYTES = 1 << 20;
const MESSAGE_FRAMES = 1024;

export function createOutbox(options: OutboxOptions): Outbox {
  const queues = new Map<NodeId, PeerFrame[]>();
  const sendAll = (to: NodeId, frames: readonly PeerFrame[]): void => {
    let from = 0;
    let bytes = 0;
    for (let next = 0; next < frames.length; next++) {
      const frame = frames[next];
      if (frame !== undefined) bytes += frameBytes(frame);
      const full = bytes >= MESSAGE_BYTES || next + 1 - from >= MESSAGE_FRAMES;
      if (!full && next + 1 < frames.length) continue;
      const message = frames.slice(from, next + 1);
      if (!options.transport.send(to, message)) options.lost(to, message);
      from = next + 1;
      bytes = 0;
    }
  };
  return {
    add(to, frame) {
      const queue = queues.get(to);
      if (queue !== undefined) queue.push(frame);
      else queues.set(to, [frame]);
      options.wake();
    },
    flush() {
      if (queues.size === 0) return;
      const ready = [...queues];
      queues.clear();
      for (const [to, frames] of ready) sendAll(to, frames);
    },
  };
}

/** About how many bytes a frame takes on the wire: exact for what can be large. */
export function frameBytes(frame: PeerFrame): number {
  switch (frame.kind) {
    case 'raft':
      return messageBytes(frame.message);
    case 'writeRequest':
      return 256 + frame.requestId.length + frame.actor.length + bodyBytes(frame.body);
    case 'writeResponse': {
      const { outcome } = frame;
      const many = outcome.kind === 'applied' && outcome.result.kind === 'registered';
      return 256 + (many ? outcome.result.generations.length * 9 : 0);
    }
    case 'heartbeatRelay':
      return 16 + frame.beats.length * 64;
    case 'heartbeatRelayResponse':
      return 64 + (frame.outcome.kind === 'acknowledged' ? frame.outcome.failures.length * 16 : 0);
    case 'formation':
      return 64 + frame.known.length * 256;
    case 'lastHeartbeatRequest':
    case 'lastHeartbeatResponse':
    case 'stateHash':
    case 'diskReport':
    case 'snapshotRequest':
      return 128;
    case 'snapshotChunk':
      return 128 + frame.data.length;
    case 'memberRequest':
      return 512;
    case 'memberResponse':
      return 512 + (frame.outcome.kind === 'done' ? frame.outcome.members.length * 512 : 0);
  }
}

function messageBytes(message: Message): number {
  if (message.kind !== 'appendEntries') return 64;
  return message.entries.reduce((sum, entry) => sum + entry.payload.length + 32, 96);
}

function bodyBytes(body: CommandBody): number {
  switch (body.kind) {
    case 'register':
      return 256 + body.item.body.length;
    case 'registerBatch':
      return body.items.reduce((sum, item) => sum + 256 + item.body.length, 0);
    case 'expire':
      return body.items.length * 256;
    case 'deregister':
    case 'setStatus':
      return 256 + body.reason.length;
  }
}
