// A backup of the whole replicated state, made by this node from a fixed view of its state store: part by part, at the pace of
// whoever takes it. It holds everything that was acknowledged before it was asked for, and what was read has the state's hash.
import { RegistryError } from '../lib/registry-error.ts';
import { imageHasher } from '../registry/index.ts';
import { BackupEncoder } from './backup-stream.ts';
import type { Clock, StateSnapshot, StateStore } from './ports.ts';
import type { CallOptions } from './registry-node.ts';
import { encodeChunk, type StreamHeader } from './snapshot-stream.ts';
import { damageOf, UNREADABLE } from './state-scrub.ts';

export interface BackupHost {
  readonly clock: Clock;
  readonly stateStore: Pick<StateStore, 'snapshot'>;
  readonly nodeId: string;
  readonly softwareVersion: string;
  readonly cluster: () => Pick<StreamHeader, 'clusterId' | 'clusterUuid'>;
  /** Resolves once this node has applied what was acknowledged before; rejects without a quorum. */
  readonly caughtUp: (options: CallOptions) => Promise<void>;
  readonly appliedIndex: () => number;
  /** The state on disk holds everything up to here. */
  readonly flushedIndex: () => number;
  readonly chunkBytes: number;
  /** A backup that nobody takes a part of for so long is given up. */
  readonly idleMs: number;
  readonly log: { info(fields: object): void };
  /** The state store cannot be read back, or what it holds is not what was written: it is not to be trusted. */
  readonly damaged: (reason: string, cause?: unknown) => void;
}

/** For the state store to get what is applied: it is written every 100 ms. */
const FLUSH_MS = 10_000;
const LOOK_EVERY_MS = 20;

export class Backups {
  readonly #host: BackupHost;
  /** The one that is being taken. */
  #taken: object | undefined;

  constructor(host: BackupHost) {
    this.#host = host;
  }

  /** Yields the bytes of a backup. Throws noQuorum, behind; resourceExhausted while another one is being taken, and when nobody takes
   * a part for too long. */
  async *save(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#taken !== undefined) {
      throw new RegistryError('resourceExhausted', 'backups taken of this node, limit 1');
    }
    const taken = {};
    this.#taken = taken;
    const over = (): void => {
      if (this.#taken === taken) this.#taken = undefined;
    };
    try {
      await this.#host.caughtUp(options);
      await this.#flushed(options);
      yield* this.#parts(over);
    } finally {
      over();
    }
  }

  async #flushed({ signal }: CallOptions): Promise<void> {
    const { clock, appliedIndex, flushedIndex } = this.#host;
    const wanted = appliedIndex();
    const untilMs = clock.now() + FLUSH_MS;
    while (flushedIndex() < wanted) {
      if (clock.now() >= untilMs || signal?.aborted === true) {
        throw new RegistryError('behind', 'the state on disk does not keep up: ask again');
      }
      await new Promise<void>((resolve) => clock.after(LOOK_EVERY_MS, resolve));
    }
  }

  async *#parts(over: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    const { clock, nodeId, softwareVersion, cluster, chunkBytes, log } = this.#host;
    const view = await this.#view();
    const idle = new IdleGuard(this.#host, view, over);
    const encoder = new BackupEncoder();
    const hasher = imageHasher();
    let total = 0;
    try {
      const savedAtMs = clock.unixNow();
      log.info({ event: 'backup_begun', index: view.header.index });
      yield* idle.taken(encoder.preface({ savedAtMs, nodeId, softwareVersion }));
      let header: StreamHeader | undefined = { ...cluster(), ...view.header };
      for (let after = ''; ; ) {
        const { records, done } = await this.#read(view, after, chunkBytes);
        total += records.length;
        for (const record of records) hasher.add(record);
        if (done) this.#verify(damageOf(view.header, hasher, total));
        after = records.at(-1)?.key ?? after;
        const chunk = encodeChunk({ header, records, total: done ? total : undefined });
        header = undefined;
        yield* idle.taken(encoder.chunk(chunk, done));
        if (done) break;
      }
      log.info({ event: 'backup_taken', index: view.header.index, records: total });
    } finally {
      await idle.close();
    }
  }

  /** The end of a damaged state is given to nobody. */
  #verify(damage: string | undefined): void {
    if (damage === undefined) return;
    this.#host.damaged(damage);
    throw new RegistryError('shuttingDown', damage);
  }

  async #view(): Promise<StateSnapshot> {
    try {
      return await this.#host.stateStore.snapshot();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new RegistryError('resourceExhausted', reason);
    }
  }

  async #read(view: StateSnapshot, after: string, maxBytes: number) {
    try {
      return await view.read(after, maxBytes);
    } catch (error) {
      if (view.ended) {
        throw new RegistryError('behind', 'a snapshot took the place of the state: ask again');
      }
      this.#host.damaged(UNREADABLE, error);
      throw error;
    }
  }
}

/** Lets go of the view of a backup that nobody takes: it keeps the state store from tidying up. */
class IdleGuard {
  readonly #host: Pick<BackupHost, 'clock' | 'idleMs'>;
  readonly #view: StateSnapshot;
  readonly #over: () => void;
  #closed: Promise<void> | undefined;

  constructor(host: Pick<BackupHost, 'clock' | 'idleMs'>, view: StateSnapshot, over: () => void) {
    this.#host = host;
    this.#view = view;
    this.#over = over;
  }

  *taken(part: Uint8Array): Generator<Uint8Array, void, undefined> {
    const { clock, idleMs } = this.#host;
    const cancel = clock.after(idleMs, () => void this.close());
    try {
      yield part;
    } finally {
      cancel();
    }
    if (this.#closed === undefined) return;
    throw new RegistryError('resourceExhausted', `a backup nobody takes, limit ${idleMs} ms`);
  }

  /** Another one may be taken from then on. */
  close(): Promise<void> {
    this.#over();
    this.#closed ??= this.#view.close();
    return this.#closed;
  }
}
