// A cluster in one process on fake time: real nodes, with memory for disks and network. Nodes can be killed, stopped
// for a while, cut off, wiped and started again on what their disks hold.
import { pino } from 'pino';
import { present } from '../../src/lib/assert.ts';
import { type NodeId, nodeId, revision } from '../../src/lib/ids.ts';
import { RegistryError } from '../../src/lib/registry-error.ts';
import { createNode } from '../../src/node/node.ts';
import { lossOf } from '../../src/node/lost-log.ts';
import type {
  LostLog,
  Member,
  MemberChange,
  MemberIdentity,
} from '../../src/node/peer-protocol.ts';
import type {
  NodeLimits,
  NodeOptions,
  RaftLimits,
  ReadOptions,
  RegistryNode,
  RetentionLimits,
} from '../../src/node/registry-node.ts';
import type { ApplyResult, CommandBody } from '../../src/registry/index.ts';
import { FakeClock, PausableClock } from './fake-clock.ts';
import {
  emptyMemoryLog,
  type MemoryLog,
  type MemoryLogOptions,
  MemoryLogStore,
} from './memory-log-store.ts';
import {
  emptyMemoryState,
  type MemoryState,
  type MemoryStateOptions,
  MemoryStateStore,
} from './memory-state-store.ts';
import { MemoryNetwork, type MemoryTransport } from './memory-transport.ts';
import { type RegisterOptions, registration } from './registration.ts';

export { registration } from './registration.ts';

export interface MemoryClusterOptions {
  /** Default n1, n2, n3. */
  readonly ids?: readonly string[];
  /** Which of them to start; default all. */
  readonly started?: readonly string[];
  readonly limits?: Partial<NodeLimits>;
  readonly retention?: Partial<RetentionLimits>;
  readonly raftLimits?: Partial<RaftLimits>;
  readonly seed?: number;
  readonly log?: (id: string) => MemoryLogOptions;
  readonly state?: (id: string) => MemoryStateOptions;
  /** Called when a data-dir is to note its cluster; it has once this resolves. Default: at once. */
  readonly identity?: (id: string) => Promise<void>;
  /** Free disk space of a node, in bytes. Default: nobody can tell. */
  readonly freeSpace?: (id: string) => number;
}

/** What a data-dir keeps. */
interface Disk {
  readonly log: MemoryLog;
  readonly state: MemoryState;
  readonly incarnation: string;
  formed: string | undefined;
  /** Its log is lost: until a log of its own makes it a member again. */
  lost: LostLog | undefined;
  restored: boolean;
}

export interface Running {
  readonly id: NodeId;
  readonly node: RegistryNode;
  readonly clock: PausableClock;
  readonly transport: MemoryTransport;
  readonly logStore: MemoryLogStore;
  readonly stateStore: MemoryStateStore;
}

const LIMITS: NodeLimits = {
  maxInstances: 100_000,
  maxRememberedAnswers: 10_000,
  rememberAnswersMs: 600_000,
  ringChanges: 10_000,
  maxWatches: 100,
  maxPendingWrites: 1000,
};

export class MemoryCluster {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork({ clock: this.clock });
  readonly fatals: { readonly id: string; readonly code: number; readonly reason: string }[] = [];
  /** Nodes whose log, when started again, cannot be read beyond its first entry. */
  readonly damagedLogs = new Set<string>();
  readonly #options: MemoryClusterOptions;
  readonly #ids: readonly NodeId[];
  readonly #disks = new Map<string, Disk>();
  readonly #running = new Map<string, Running>();
  #lives = 0;

  private constructor(options: MemoryClusterOptions) {
    this.#options = options;
    this.#ids = (options.ids ?? ['n1', 'n2', 'n3']).map(nodeId);
  }

  /** Starts the nodes; `elected` waits until every one of them knows a leader and is caught up. */
  static async start(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
    const cluster = new MemoryCluster(options);
    for (const id of options.started ?? cluster.#ids) await cluster.startNode(id);
    return cluster;
  }

  static async elected(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
    const cluster = await MemoryCluster.start(options);
    await cluster.settled();
    return cluster;
  }

  /** `join`: with an empty disk it asks the others to take it in, as with --join. */
  async startNode(id: string, how: { readonly join?: boolean } = {}): Promise<RegistryNode> {
    const disk = this.disk(id);
    const clock = new PausableClock(this.clock);
    const name = nodeId(id);
    const transport = this.network.transport(name, clock);
    const logStore = new MemoryLogStore(disk.log, this.#options.log?.(id));
    if (this.damagedLogs.has(id)) {
      const read = logStore.read.bind(logStore);
      logStore.read = (from, to, maxBytes) =>
        from > 1 ? Promise.reject(new Error('rot')) : read(from, to, maxBytes);
    }
    const stateStore = new MemoryStateStore(disk.state, {
      ...this.#options.state?.(id),
      floorIndex: disk.log.floor.index,
    });
    const { incarnation } = disk;
    const { identity = () => Promise.resolve() } = this.#options;
    const node = await createNode({
      self: {
        nodeId: name,
        incarnation,
        peerAddress: transport.address,
        clientAddress: `client:${id}`,
      },
      clusterId: 'test',
      softwareVersion: '0.0.0',
      initialMembers: (how.join === true ? [] : this.#ids).map((member) => ({
        nodeId: member,
        peerAddress: `memory:${member}`,
      })),
      ...(how.join === true ? { join: (self) => this.#askToJoin(self) } : {}),
      logStore,
      stateStore,
      transport,
      async markFormed(uuid) {
        await identity(id);
        disk.formed = uuid;
        disk.lost = undefined;
      },
      ...(disk.lost === undefined ? {} : { replaces: disk.lost }),
      restored: () => {
        disk.restored = true;
      },
      ...this.#freeSpaceOption(id),
      clock,
      log: pino({ level: process.env['TEST_LOG'] ?? 'silent', name: id }),
      fatal: (code, reason) => this.fatals.push({ id, code, reason }),
      seed: (this.#options.seed ?? 1) * 1000 + ++this.#lives,
      heartbeatMs: 50,
      electionMs: 300,
      limits: { ...LIMITS, ...this.#options.limits },
      retention: this.#options.retention ?? {},
      raftLimits: this.#options.raftLimits ?? {},
    });
    this.#running.set(id, { id: name, node, clock, transport, logStore, stateStore });
    return node;
  }

  #freeSpaceOption(id: string): Pick<NodeOptions, 'freeSpace'> {
    const { freeSpace } = this.#options;
    return freeSpace === undefined ? {} : { freeSpace: async () => freeSpace(id) };
  }

  async #askToJoin(self: MemberIdentity): Promise<readonly MemberIdentity[]> {
    let failure: unknown = new Error('nobody is there');
    for (const { id, node } of this.#running.values()) {
      if (id === self.nodeId) continue;
      try {
        return await node.changeMembers({ kind: 'add', member: { ...self, learner: true } }, {});
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** A change through the node `at`, with time running. */
  async change(at: string, change: MemberChange): Promise<readonly string[]> {
    const members = await this.finish(this.node(at).changeMembers(change, {}));
    return names(members);
  }

  /** Starts an empty node and waits until it has what the leader has. */
  async join(id: string): Promise<RegistryNode> {
    const node = await this.startNode(id, { join: true });
    await this.level();
    return node;
  }

  /** Every running node has applied what the leader has committed. */
  async level(limitMs = 20_000): Promise<void> {
    await this.settled(limitMs);
    const committed = this.node(present(this.leader(), 'somebody leads')).status().commitIndex;
    const there = (): boolean =>
      this.ids.every((id) => this.node(id).status().appliedIndex >= committed);
    await this.clock.until(there, 'everything everywhere', limitMs, () => this.picture());
  }

  /** The members as `at` knows them: `n1 n2 n3 n4?`, learners with a question mark. */
  members(at: string): string {
    return names(this.node(at).status().members).join(' ');
  }

  disk(id: string): Disk {
    let disk = this.#disks.get(id);
    if (disk === undefined) {
      disk = this.#newDisk(this.#nextLife(id), undefined);
      this.#disks.set(id, disk);
    }
    return disk;
  }

  #nextLife(id: string): string {
    return `${id}-life-${++this.#lives}`.padEnd(32, '0');
  }

  #newDisk(incarnation: string, lost: LostLog | undefined): Disk {
    const empty = { log: emptyMemoryLog(), state: emptyMemoryState() };
    return { ...empty, incarnation, formed: undefined, lost, restored: false };
  }

  /** The log of a node that does not run is found damaged: what storage makes of its data-dir. `known`: the members whom it can still ask. */
  loseLog(id: string, known: readonly string[] = this.#ids): void {
    const { incarnation, formed: clusterUuid = '', lost: replaces } = this.disk(id);
    const others = known.filter((other) => other !== id).map(nodeId);
    const members = others.map((other) => ({ nodeId: other, peerAddress: `memory:${other}` }));
    const damage = { found: 'the log is damaged: 1.wal, byte 512', members };
    const loss = lossOf({ incarnation, clusterUuid, replaces }, damage, this.#nextLife(id));
    if (loss.kind === 'final') throw new Error(loss.reason);
    this.#disks.set(id, this.#newDisk(loss.incarnation, loss.lost));
  }

  running(id: string): Running {
    return present(this.#running.get(id), `${id} runs`);
  }

  node(id: string): RegistryNode {
    return this.running(id).node;
  }

  get ids(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** kill -9: nothing it had in hand goes anywhere. */
  async crash(id: string): Promise<void> {
    const { clock, transport, logStore, stateStore } = this.running(id);
    this.#running.delete(id);
    clock.pause();
    logStore.crash();
    void stateStore.close();
    await transport.stop();
  }

  /** The node's disk is replaced by an empty one. */
  wipe(id: string): void {
    this.#disks.delete(id);
  }

  /** The node's disk is replaced by another one, which it had before. */
  giveBack(id: string, disk: Disk): void {
    this.#disks.set(id, disk);
  }

  /** The one node that leads and has applied its own no-op, as all running nodes see it. */
  leader(): string | undefined {
    const leaders = this.ids.filter((id) => this.node(id).status().role === 'leader');
    const [only] = leaders;
    return leaders.length === 1 ? only : undefined;
  }

  followers(): readonly string[] {
    return this.ids.filter((id) => id !== this.leader());
  }

  /** Every running node knows the same leader and has caught up. */
  async settled(limitMs = 20_000): Promise<void> {
    const well = (): boolean => {
      const leader = this.leader();
      return (
        leader !== undefined &&
        this.ids.every((id) => {
          const { leaderId, caughtUp } = this.node(id).status();
          return leaderId === leader && caughtUp;
        })
      );
    };
    await this.clock.until(well, 'one leader known to all', limitMs, () => this.picture());
  }

  picture(): string {
    return JSON.stringify({
      nodes: this.ids.map((id) => ({ id, ...this.node(id).status(), members: undefined })),
      fatals: this.fatals,
    });
  }

  /** Runs time until the promise settles. */
  async finish<T>(promise: Promise<T>, limitMs = 20_000): Promise<T> {
    const outcome = await this.outcome(promise, limitMs);
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /** The value, or the RegistryError, and after how many milliseconds. */
  async outcome<T>(
    promise: Promise<T>,
    limitMs = 20_000,
  ): Promise<
    | { readonly value: T; readonly afterMs: number }
    | { readonly error: RegistryError; readonly afterMs: number }
  > {
    const startMs = this.clock.now();
    const box: { result?: { value: T } | { error: RegistryError } } = {};
    promise.then(
      (value) => {
        box.result = { value };
      },
      (error: unknown) => {
        if (!(error instanceof RegistryError)) throw error;
        box.result = { error };
      },
    );
    await this.clock.until(
      () => box.result !== undefined,
      'an outcome',
      limitMs,
      () => this.picture(),
    );
    return { ...present(box.result, 'it is settled'), afterMs: this.clock.now() - startMs };
  }

  write(at: string, body: CommandBody, requestId = ''): Promise<ApplyResult> {
    return this.node(at).write(body, { requestId, actor: '' });
  }

  /** Registers and waits; throws what write throws. */
  async register(at: string, instanceId: string, more: RegisterOptions = {}): Promise<ApplyResult> {
    return this.finish(this.write(at, registration(instanceId, more), more.requestId));
  }

  async read(at: string, options: Partial<ReadOptions> = {}): Promise<number> {
    const { ageMs } = await this.finish(this.node(at).read({ ...LINEARIZABLE, ...options }));
    return ageMs;
  }

  async stop(): Promise<void> {
    const stopping = [...this.#running.values()].map(({ node }) => node.stop({ graceMs: 0 }));
    await this.finish(Promise.all(stopping));
  }
}

function names(members: readonly Member[]): readonly string[] {
  return members.map(({ nodeId: id, learner }) => `${id}${learner ? '?' : ''}`);
}

export const LINEARIZABLE: ReadOptions = {
  consistency: 'linearizable',
  minRevision: revision(0),
  maxStalenessMs: 1000,
};
