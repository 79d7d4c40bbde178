// Lets the log go once the state store has what it says, so that a disk never fills with history (facts: a trigger by
// count alone or by bytes alone is reached never or too late). Looks again at every tick: nothing has to be re-armed.
import { type LogIndex, logIndex, type NodeId } from '../lib/ids.ts';
import { OutOfSpace } from '../lib/out-of-space.ts';
import type { PeerView, RaftView } from '../raft/index.ts';
import type { LogStore, StateStore } from './ports.ts';
import type { RetentionLimits } from './registry-node.ts';

/** As config/limits.ts has them. */
export const defaultRetention: RetentionLimits = {
  logEntries: 200_000,
  logBytes: 256 << 20,
  logBytesForTransfer: 1 << 30,
  chunkBytes: 256 << 10,
  idleSnapshotMs: 30_000,
};

export interface LogRetentionHost {
  readonly logStore: Pick<LogStore, 'bytes'>;
  readonly stateStore: Pick<StateStore, 'settle'>;
  readonly limits: Pick<RetentionLimits, 'logEntries' | 'logBytes' | 'logBytesForTransfer'>;
  /** undefined once the node has ended. */
  readonly view: () => RaftView | undefined;
  /** Of a leader; empty elsewhere. */
  readonly peers: () => readonly PeerView[];
  /** Snapshots this node has open: who pulls one needs the log behind it next. */
  readonly openSnapshots: () => readonly { readonly peer: NodeId; readonly index: LogIndex }[];
  readonly compact: (index: LogIndex) => void;
  readonly log: { info(fields: object): void; warn(fields: object): void };
  /** The state store is not to be trusted any more. */
  readonly failed: (error: unknown) => void;
}

/** Somebody whom the log is kept for. */
interface Holder {
  readonly peer: NodeId;
  readonly index: LogIndex;
}

const INTERVAL_MS = 1000;
const MEBIBYTE = 1 << 20;

export class LogRetention {
  readonly #host: LogRetentionHost;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #trimming = false;
  #stopped = false;
  /** Whom the log is kept for beyond half of what it may take. */
  #endangered: readonly Holder[] = [];

  constructor(host: LogRetentionHost) {
    this.#host = host;
  }

  tick(nowMs: number): void {
    if (this.#stopped || this.#trimming || nowMs < this.#lookedMs + INTERVAL_MS) return;
    this.#lookedMs = nowMs;
    this.#warn();
    if (this.#wanted() > 0) void this.#trim();
  }

  /** One plain sentence for each member that may have to start anew with a snapshot. */
  problems(): readonly string[] {
    const { logStore, limits, view } = this.#host;
    const lastIndex = view()?.lastIndex ?? 0;
    return this.#endangered.map(({ peer, index }) => {
      const lacks = `${peer} lacks ${lastIndex - index} entries of the log`;
      const size = `which has grown to ${mebibytes(logStore.bytes)} MiB for it`;
      const limit = `beyond ${mebibytes(limits.logBytesForTransfer)} MiB ${peer} falls behind and needs a new snapshot`;
      return `${lacks}, ${size}: ${limit}`;
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Up to where the log should go by its own limits; 0 where it is within them. */
  #wanted(): number {
    const { logStore, limits } = this.#host;
    const view = this.#host.view();
    if (view === undefined || view.awaitsSnapshot) return 0;
    const { firstIndex, lastIndex } = view;
    const entries = lastIndex - firstIndex + 1;
    const tooLarge = logStore.bytes > limits.logBytes;
    if (entries <= limits.logEntries && !tooLarge) return 0;
    // A log of few large entries has to give way, too.
    const kept = Math.floor(
      tooLarge ? Math.min(limits.logEntries, entries) / 2 : limits.logEntries / 2,
    );
    return lastIndex - kept;
  }

  async #trim(): Promise<void> {
    this.#trimming = true;
    try {
      const settled = await this.#host.stateStore.settle();
      if (this.#stopped) return;
      const index = Math.min(this.#wanted(), settled, this.#heldAt());
      if (index < (this.#host.view()?.firstIndex ?? 0)) return;
      this.#host.log.info({ event: 'log_trimmed', index, log_bytes: this.#host.logStore.bytes });
      this.#host.compact(logIndex(index));
    } catch (error) {
      // Nothing is let go of that a full disk could not settle, and in a second it is asked again.
      if (!this.#stopped && !(error instanceof OutOfSpace)) this.#host.failed(error);
    } finally {
      this.#trimming = false;
    }
  }

  /** The lowest index that somebody still needs; infinite where nobody does, or where the log has grown too much for that. */
  #heldAt(): number {
    const { logStore, limits } = this.#host;
    if (logStore.bytes > limits.logBytesForTransfer) return Number.POSITIVE_INFINITY;
    return Math.min(Number.POSITIVE_INFINITY, ...this.#holders().map(({ index }) => index));
  }

  /** Members that are heard and still catch up, each with what it holds for certain. */
  #holders(): readonly Holder[] {
    const { openSnapshots, peers } = this.#host;
    const catching = peers()
      .filter(({ active, flow }) => active && flow !== 'snapshot')
      .map(({ peer, matchIndex }) => ({ peer, index: matchIndex }));
    return [...openSnapshots(), ...catching];
  }

  #warn(): void {
    const { logStore, limits, log } = this.#host;
    const near = logStore.bytes > limits.logBytesForTransfer / 2;
    const wanted = near ? this.#wanted() : 0;
    const lagging = new Map<NodeId, Holder>();
    for (const holder of near ? this.#holders() : []) {
      const known = lagging.get(holder.peer);
      const furthest = known === undefined || known.index < holder.index;
      if (holder.index < wanted && furthest) lagging.set(holder.peer, holder);
    }
    for (const { peer, index } of lagging.values()) {
      if (this.#endangered.some((known) => known.peer === peer)) continue;
      log.warn({ event: 'follower_falls_behind', peer, index, log_bytes: logStore.bytes });
    }
    this.#endangered = [...lagging.values()];
  }
}

const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(0);
