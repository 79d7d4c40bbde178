// Pulls a snapshot from a peer and stages it, on disk and in memory at the same time: a few chunks under way, each checked
// and asked for again where it is damaged or lost. One pull at a time; what is staged is nobody's state until the core
// has taken it (Ready.install).
import { assert, InvariantError } from '../lib/assert.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { LogIndex, NodeId } from '../lib/ids.ts';
import { SnapshotMismatch } from '../lib/snapshot-mismatch.ts';
import type { SnapshotInstall } from '../raft/index.ts';
import {
  createRegistryLoader,
  type LoadedRegistry,
  type RegistryLoader,
} from '../registry/index.ts';
import type { PeerFrame, SnapshotChunk } from './peer-protocol.ts';
import type { Clock, SnapshotHeader, SnapshotStage, StateStore } from './ports.ts';
import { ChunkWindow } from './snapshot-window.ts';
import {
  type ChunkContent,
  decodeChunk,
  SnapshotFormatError,
  type StreamHeader,
} from './snapshot-stream.ts';

export interface SnapshotPullHost {
  readonly clock: Clock;
  readonly stateStore: Pick<StateStore, 'stage'>;
  readonly send: (to: NodeId, frame: PeerFrame) => void;
  /** The uuid is '' while this node belongs to no cluster yet: then any of the id's is taken. */
  readonly cluster: () => { readonly clusterId: string; readonly clusterUuid: string };
  readonly appliedIndex: () => LogIndex;
  /** There is something for the core: a turn is wanted. */
  readonly wake: () => void;
  /** First id of requests; a restarted process must not meet answers meant for its former life. */
  readonly firstId: number;
  readonly log: { info(fields: object): void; warn(fields: object): void };
}

/** A snapshot that is here, whole and durable. */
export interface PulledSnapshot {
  readonly header: SnapshotHeader;
  readonly loaded: LoadedRegistry;
  readonly stage: SnapshotStage;
}

interface Pull {
  readonly source: NodeId;
  readonly window: ChunkWindow;
  readonly loader: RegistryLoader;
  readonly beganMs: number;
  header: StreamHeader | undefined;
  stage: SnapshotStage | undefined;
  /** The chunk before is on its way to the disk while the next one is taken into memory. */
  staged: Promise<void>;
  pulled: PulledSnapshot | undefined;
  phase: 'pulling' | 'offering' | 'offered' | 'taken';
  records: number;
  bytes: number;
  /** When a chunk was last put away. */
  progressMs: number;
  working: boolean;
  /** Its source fell silent, and has been asked again. */
  silent: boolean;
}

/** Without progress for so long, a pull is given up when another source is named, and in any case. */
const OTHER_SOURCE_MS = 2000;
const STALLED_MS = 10_000;
/** After a failure nothing is asked for so long: the reason may go away, and nobody is flooded. */
const BACKOFF_MS = 500;
/** What nobody has asked for in so long is not needed any more. */
const NEEDED_MS = 5000;
/** Records taken into memory at a time: what a node does meanwhile is held up by a few milliseconds at most. */
const SLICE_RECORDS = 256;

export class SnapshotPull {
  readonly #host: SnapshotPullHost;
  #pull: Pull | undefined;
  /** Work on the stage of before; the next begins after it. */
  #settled: Promise<void> = Promise.resolve();
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #wantedMs = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;
  #nextId: number;
  #stopped = false;

  constructor(host: SnapshotPullHost) {
    this.#host = host;
    this.#nextId = host.firstId;
  }

  /** The core needs a snapshot, from this peer if none is on its way. Called again while that is so. */
  wanted(from: NodeId): void {
    const now = this.#host.clock.now();
    const pull = this.#pull;
    this.#wantedMs = now;
    if (this.#stopped || now < this.#notBeforeMs) return;
    if (pull !== undefined) {
      const stuck = pull.phase === 'pulling' && now >= pull.progressMs + OTHER_SOURCE_MS;
      if (pull.source === from || !stuck || pull.working) return;
      this.#giveUp(pull, `${pull.source} does not answer`);
    }
    this.#begin(from, now);
  }

  heard(from: NodeId, chunk: SnapshotChunk): void {
    const pull = this.#pull;
    if (pull === undefined || from !== pull.source || pull.phase !== 'pulling') return;
    switch (pull.window.take(chunk)) {
      case 'stale':
        return;
      case 'damaged':
        this.#host.log.warn({ event: 'snapshot_chunk_damaged', peer: from, chunk: chunk.chunk });
        return;
      case 'gone':
        return this.#fail(pull, `${from} cannot give the snapshot, or no longer`);
      case 'hopeless':
        return this.#fail(pull, `chunk ${chunk.chunk} of the snapshot of ${from} stays damaged`);
      case 'taken':
        this.#goOn(pull, chunk);
        if (!pull.working) this.#settled = this.#work(pull);
    }
  }

  /** Asks again for what was not answered. */
  tick(nowMs: number): void {
    const pull = this.#pull;
    if (pull === undefined || pull.phase !== 'pulling' || pull.working) return;
    if (nowMs >= pull.progressMs + STALLED_MS) {
      this.#fail(pull, `${pull.source} does not answer`);
    } else if (pull.window.tick(nowMs)) {
      pull.silent = true;
    }
  }

  /** A snapshot that has just become whole, once; for the core. */
  offer(): SnapshotHeader | undefined {
    const pull = this.#pull;
    if (pull?.phase !== 'offering') return undefined;
    pull.phase = 'offered';
    return pull.header;
  }

  /** The core takes it: it is this node's state from now on, and is put in place once the log on disk says so, too. */
  taken({ index, term }: SnapshotInstall): void {
    const pull = this.#pull;
    assert(pull?.phase === 'offered', 'a snapshot is installed once it was offered');
    const { header } = pull;
    assert(header?.index === index && header.term === term, 'the snapshot offered is installed');
    pull.phase = 'taken';
  }

  /** The turn in which a snapshot was offered is over: what was not taken is of no use. */
  turnEnded(): void {
    const pull = this.#pull;
    if (pull?.phase !== 'offered') return;
    this.#notBeforeMs = this.#host.clock.now() + BACKOFF_MS;
    this.#giveUp(pull, 'the log has moved beyond it');
  }

  /** What was taken. */
  get installing(): PulledSnapshot | undefined {
    return this.#pull?.phase === 'taken' ? this.#pull.pulled : undefined;
  }

  /** It is in place. */
  installed(): void {
    const pull = this.#pull;
    assert(pull?.phase === 'taken', 'a snapshot is in place once it was taken');
    this.#pull = undefined;
    this.#failure = undefined;
    this.#host.log.info({
      event: 'snapshot_installed',
      peer: pull.source,
      index: pull.header?.index,
      records: pull.records,
      bytes: pull.bytes,
      took_ms: Math.round(this.#host.clock.now() - pull.beganMs),
    });
  }

  /** One plain sentence on what is under way, or why it fails. */
  get problem(): string | undefined {
    const pull = this.#pull;
    if (pull === undefined) {
      const needed = this.#host.clock.now() < this.#wantedMs + NEEDED_MS;
      return needed ? this.#failure : undefined;
    }
    if (pull.phase !== 'pulling') return 'a snapshot is being installed';
    const mebibytes = (pull.bytes / (1 << 20)).toFixed(1);
    return `a snapshot is on its way from ${pull.source}: ${mebibytes} MiB so far`;
  }

  /** Resolves when the stage is left alone: the store may be closed. */
  stop(): Promise<void> {
    this.#stopped = true;
    if (this.#pull !== undefined && this.#pull.phase !== 'taken') this.#pull = undefined;
    return this.#settled;
  }

  /** After a broken link, a lost message, a slow disk at the source: nothing that was put away is asked for again. */
  #goOn(pull: Pull, { chunk }: SnapshotChunk): void {
    if (pull.silent && chunk > 0) {
      this.#host.log.info({ event: 'snapshot_pull_resumed', peer: pull.source, chunk });
    }
    pull.silent = false;
  }

  #begin(source: NodeId, now: number): void {
    const { clock, send } = this.#host;
    const window = new ChunkWindow({
      clock,
      nextId: () => this.#nextId++,
      ask: (request) => send(source, request),
    });
    this.#pull = {
      source,
      window,
      loader: createRegistryLoader(),
      beganMs: now,
      header: undefined,
      stage: undefined,
      staged: Promise.resolve(),
      pulled: undefined,
      phase: 'pulling',
      records: 0,
      bytes: 0,
      progressMs: now,
      working: false,
      silent: false,
    };
    this.#host.log.info({ event: 'snapshot_pull_begun', peer: source });
    window.begin();
  }

  /** Puts away what has arrived, in order, until a chunk is missing. */
  async #work(pull: Pull): Promise<void> {
    const before = this.#settled;
    pull.working = true;
    await before;
    try {
      for (
        let next = pull.window.next();
        next !== undefined;
        next = pull.window.next() ?? (await nextStaged(pull))
      ) {
        if (this.#pull !== pull) return;
        await this.#put(pull, next);
      }
    } catch (error) {
      if (this.#pull === pull) this.#fail(pull, reasonOf(error), error);
    } finally {
      await pull.staged.catch(() => undefined);
      pull.working = false;
      if (this.#pull !== pull) await this.#discard(pull);
    }
  }

  async #put(pull: Pull, chunk: SnapshotChunk): Promise<void> {
    const content = decodeChunk(chunk.data, { first: chunk.chunk === 0, last: chunk.last });
    if (content.header !== undefined) {
      this.#check(content.header);
      pull.header = content.header;
      // The log here is beyond it already: the core says so to whoever thinks otherwise.
      if (content.header.index <= this.#host.appliedIndex()) return this.#offer(pull);
      pull.stage = await this.#host.stateStore.stage(content.header);
      if (this.#pull !== pull) return;
    }
    assert(pull.stage !== undefined, 'chunk 0 comes first');
    for (let from = 0; from < content.records.length; from += SLICE_RECORDS) {
      if (from > 0) await this.#breath();
      if (this.#pull !== pull) return;
      pull.loader.add(content.records.slice(from, from + SLICE_RECORDS));
    }
    await pull.staged;
    if (this.#pull !== pull) return;
    pull.staged = pull.stage.add(content.records);
    // Whoever waits for it next gets the failure.
    pull.staged.catch(() => undefined);
    pull.records += content.records.length;
    pull.bytes += chunk.data.length;
    pull.progressMs = this.#host.clock.now();
    if (chunk.last) await this.#complete(pull, pull.stage, content);
    else pull.window.advance();
  }

  /** What else has come up has its turn. */
  #breath(): Promise<void> {
    return new Promise((resolve) => {
      this.#host.clock.defer(resolve);
    });
  }

  #check({ clusterId, clusterUuid }: StreamHeader): void {
    const own = this.#host.cluster();
    const same = own.clusterUuid === '' || own.clusterUuid === clusterUuid;
    if (clusterId === own.clusterId && same) return;
    throw new SnapshotFormatError('the snapshot is of another cluster');
  }

  async #complete(pull: Pull, stage: SnapshotStage, { total }: ChunkContent): Promise<void> {
    if (total !== pull.records) {
      throw new SnapshotFormatError(`${pull.records} records arrived, ${total} were sent`);
    }
    assert(pull.header !== undefined, 'chunk 0 came first');
    const loaded = pull.loader.finish(pull.header.meta);
    if (loaded === undefined) {
      throw new SnapshotMismatch('the records of the snapshot do not have the hash it states');
    }
    await pull.staged;
    if (this.#pull !== pull) return;
    await stage.seal();
    if (this.#pull !== pull) return;
    pull.pulled = { header: pull.header, loaded, stage };
    this.#offer(pull);
  }

  #offer(pull: Pull): void {
    pull.phase = 'offering';
    this.#host.wake();
  }

  #fail(pull: Pull, reason: string, error?: unknown): void {
    this.#failure = `a snapshot could not be had: ${reason}; this is tried again`;
    this.#notBeforeMs = this.#host.clock.now() + BACKOFF_MS;
    this.#giveUp(pull, reason, error);
  }

  #giveUp(pull: Pull, reason: string, error?: unknown): void {
    this.#pull = undefined;
    this.#host.log.warn({
      event: 'snapshot_pull_ended',
      peer: pull.source,
      bytes: pull.bytes,
      reason,
      err: error,
    });
    if (!pull.working) this.#settled = this.#settled.then(() => this.#discard(pull));
  }

  async #discard({ stage, phase }: Pull): Promise<void> {
    if (stage === undefined || phase === 'taken') return;
    try {
      await stage.discard();
    } catch (error) {
      // The next stage, or the next start, throws it away all the same.
      this.#host.log.warn({ event: 'snapshot_not_discarded', err: error });
    }
  }
}

/** A chunk that has arrived while the disk took what was put away before. */
async function nextStaged(pull: Pull): Promise<SnapshotChunk | undefined> {
  await pull.staged;
  return pull.window.next();
}

function reasonOf(error: unknown): string {
  // What a peer sent is not a defect of ours, whoever notices it.
  const known =
    error instanceof SnapshotFormatError ||
    error instanceof UnknownFormatError ||
    error instanceof SnapshotMismatch ||
    error instanceof InvariantError;
  if (known) return error.message;
  return `it could not be staged: ${error instanceof Error ? error.message : String(error)}`;
}
