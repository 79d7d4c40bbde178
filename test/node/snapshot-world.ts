// One node that has a state and one that pulls it, with a link between them that a test can cut, garble and slow down.
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import type { PeerFrame, SnapshotChunk, SnapshotRequest } from '../../src/node/peer-protocol.ts';
import type { Configuration } from '../../src/raft/index.ts';
import { SnapshotPull } from '../../src/node/snapshot-pull.ts';
import { SnapshotSource } from '../../src/node/snapshot-source.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  emptyMemoryState,
  type MemoryStateOptions,
  MemoryStateStore,
} from '../support/memory-state-store.ts';
import { type Catalogue, createCatalogue } from './catalogue.ts';

export const SOURCE = nodeId('n1');
export const OTHER = nodeId('n3');
const PULLER = nodeId('n2');
const CLUSTER = { clusterId: 'test', clusterUuid: '0123456789abcdef0123456789abcdef' };
const configuration: Configuration = { index: logIndex(1), payload: new Uint8Array([1, 2, 3]) };
const quiet = { info: () => undefined, warn: () => undefined };
const eventOf = (fields: object): string => ('event' in fields ? String(fields.event) : '');

/** What the link does to a chunk on its way; undefined loses it. */
export type Mangle = (chunk: SnapshotChunk) => SnapshotChunk | undefined;

export class SourceNode {
  readonly catalogue: Catalogue = createCatalogue();
  readonly state = emptyMemoryState();
  readonly store = new MemoryStateStore(this.state);
  source: SnapshotSource;
  readonly failures: unknown[] = [];
  floor = logIndex(0);
  #index = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, firstId = 1000) {
    this.#clock = clock;
    this.source = this.life(firstId);
  }

  /** The source of another life of the process. */
  life(firstId: number): SnapshotSource {
    return new SnapshotSource({
      clock: this.#clock,
      stateStore: this.store,
      cluster: () => CLUSTER,
      floorIndex: () => this.floor,
      chunkBytes: 1000,
      idleMs: 30_000,
      firstId,
      log: quiet,
      damaged: (reason, cause) => this.failures.push(cause ?? reason),
    });
  }

  /** Registers so many instances and writes the state as of an index that is ten higher. */
  async fill(count: number, prefix = 'i'): Promise<void> {
    for (let i = 0; i < count; i++) this.catalogue.register({ id: `${prefix}-${i}`, padding: 100 });
    this.#index += 10;
    const { registry } = this.catalogue;
    await this.store.write({
      records: registry.takeDirty(),
      appliedIndex: logIndex(this.#index),
      appliedTerm: 2,
      configuration,
      meta: registry.meta(),
    });
  }
}

export class TransferWorld {
  readonly clock = new FakeClock();
  readonly nodes = new Map([
    [SOURCE, new SourceNode(this.clock)],
    [OTHER, new SourceNode(this.clock, 900_000)],
  ]);
  readonly target: MemoryStateStore;
  readonly requests: SnapshotRequest[] = [];
  readonly pull: SnapshotPull;
  readonly state = emptyMemoryState();
  /** What the puller logged. */
  readonly events: string[] = [];
  appliedIndex = logIndex(0);
  mangle: Mangle = (chunk) => chunk;
  /** Nothing passes, in either direction. */
  cut = false;
  clusterUuid = CLUSTER.clusterUuid;

  constructor(options: MemoryStateOptions = {}) {
    this.target = new MemoryStateStore(this.state, options);
    this.pull = new SnapshotPull({
      clock: this.clock,
      stateStore: this.target,
      send: (to, frame) => this.#send(to, frame),
      cluster: () => ({ ...CLUSTER, clusterUuid: this.clusterUuid }),
      appliedIndex: () => this.appliedIndex,
      wake: () => undefined,
      firstId: 50,
      log: {
        info: (fields) => this.events.push(eventOf(fields)),
        warn: (fields) => this.events.push(eventOf(fields)),
      },
    });
  }

  node(id = SOURCE): SourceNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no ${id}`);
    return node;
  }

  /** Time in steps of a tick; the core asks for its snapshot again and again. */
  async run(ms: number, from = SOURCE): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      if (this.pull.offer() !== undefined) {
        this.offered = true;
        return;
      }
      if (passed % 100 === 0) this.pull.wanted(from);
      this.pull.tick(this.clock.now());
      for (const { source } of this.nodes.values()) source.tick(this.clock.now());
      await this.clock.advance(10);
    }
  }

  offered = false;

  /** What the core and the engine do with a snapshot that is whole. */
  async install(): Promise<void> {
    const index = logIndex(this.state.sealed?.header.index ?? 0);
    this.pull.taken({ index, term: term(2) });
    const pulled = this.pull.installing;
    if (pulled === undefined) throw new Error('nothing was pulled');
    await pulled.stage.install();
    this.pull.installed();
  }

  #send(to: typeof SOURCE, frame: PeerFrame): void {
    if (frame.kind !== 'snapshotRequest') throw new Error('nothing else is sent');
    this.requests.push(frame);
    if (this.cut) return;
    this.node(to).source.serve(PULLER, frame, (chunk) => {
      const arrived = this.cut ? undefined : this.mangle(chunk);
      if (arrived !== undefined) this.clock.defer(() => this.pull.heard(to, arrived));
    });
  }
}
