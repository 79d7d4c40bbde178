// Which nodes have room on their disks: every node tells every other, so that whoever leads next knows, and the leader judges
// whether the cluster may take what needs room (docs/adr/0019).
import type { NodeId } from '../lib/ids.ts';
import type { CommandBody } from '../registry/index.ts';
import { type DiskReserve, RESERVE } from './disk-reserve.ts';
import type { ClusterRecord, PeerFrame } from './peer-protocol.ts';

export interface RoomReportsHost {
  readonly self: NodeId;
  readonly reserve: Pick<DiskReserve, 'short' | 'freeBytes'>;
  /** The configuration in effect. */
  readonly record: () => Pick<ClusterRecord, 'members'> | undefined;
  readonly isConnected: (peer: NodeId) => boolean;
  /** The peer is of a version that takes the report. */
  readonly understands: (peer: NodeId) => boolean;
  readonly send: (to: NodeId, frame: PeerFrame) => void;
}

const INTERVAL_MS = 1000;

export class RoomReports {
  readonly #host: RoomReportsHost;
  /** Members that said they are short of room, and have not said otherwise since. */
  readonly #short = new Set<NodeId>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #toldShort = false;

  constructor(host: RoomReportsHost) {
    this.#host = host;
  }

  /** Its version knows of disks that are full. */
  understands(peer: NodeId): boolean {
    return this.#host.understands(peer);
  }

  heard(from: NodeId, short: boolean): void {
    const known = this.#host.record()?.members.some(({ nodeId }) => nodeId === from) === true;
    if (short && known) this.#short.add(from);
    else this.#short.delete(from);
  }

  tick(nowMs: number): void {
    const { self, reserve, record, understands, send } = this.#host;
    const { short, freeBytes = 0 } = reserve;
    if (short === this.#toldShort && nowMs < this.#toldMs + INTERVAL_MS) return;
    this.#toldMs = nowMs;
    this.#toldShort = short;
    const members = record()?.members ?? [];
    for (const { nodeId } of members) {
      if (nodeId !== self && understands(nodeId)) {
        send(nodeId, { kind: 'diskReport', freeBytes, short });
      }
    }
    for (const peer of this.#short) {
      if (!members.some(({ nodeId }) => nodeId === peer)) this.#short.delete(peer);
    }
  }

  /** Why nothing that needs room may enter the log now; undefined while a majority of the voters is within reach and has more than
   * its reserve. A voter that is away counts as one without room only where another one has none: what such a majority would
   * write, the full one has to hold. */
  shortage(): string | undefined {
    const { self, reserve, record, isConnected } = this.#host;
    const voters = (record()?.members ?? []).filter(({ learner }) => !learner);
    const full: NodeId[] = [];
    const away: NodeId[] = [];
    for (const { nodeId } of voters) {
      const isSelf = nodeId === self;
      if (!isSelf && !isConnected(nodeId)) away.push(nodeId);
      else if (isSelf ? reserve.short : this.#saysShort(nodeId)) full.push(nodeId);
    }
    const roomy = voters.length - full.length - away.length;
    if (full.length === 0 || roomy > voters.length / 2) return undefined;
    const others = away.length === 0 ? '' : ` and ${listed(away)} ${isOrAre(away)} away`;
    return `${RESERVE}: no majority of the voters has as much disk space left as is held in reserve: ${listed(full)} ${full.length === 1 ? 'has' : 'have'} less${others}. Nothing was written; deregistrations and heartbeats go on`;
  }

  /** What a node said before it went back to a version that does not report holds no longer. */
  #saysShort(peer: NodeId): boolean {
    return this.#short.has(peer) && this.#host.understands(peer);
  }
}

/** What adds to the state or can wait. The rest takes something away, and goes on while there is any room at all. */
export function needsRoom(body: CommandBody): boolean {
  switch (body.kind) {
    case 'register':
    case 'registerBatch':
    case 'setStatus':
      return true;
    case 'deregister':
    case 'expire':
      return false;
  }
}

const isOrAre = ({ length }: readonly unknown[]): string => (length === 1 ? 'is' : 'are');

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
