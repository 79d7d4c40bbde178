// Real cores whose network, disks, clocks and state machines do nothing by themselves: a scenario moves each message, write
// and tick, so that the one order of events that did the harm is certain. What must hold of all nodes together is checked
// with every step.
import { InvariantError, present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId, term } from '../../../src/lib/ids.ts';
import {
  createRaft,
  type Input,
  type LogEntry,
  type Message,
  type Raft,
  type RaftConfig,
  raftDefaults,
  type Ready,
  type RejectReason,
} from '../../../src/raft/index.ts';
import type { Violation } from '../../checkers/history.ts';
import { entries, membershipOf, payloadOf, runsOf } from '../../raft/lone-node.ts';
import { type CoreDisk, createCoreDisk, writeBatch, writeEntries } from './core-disk.ts';

/** A message on its way. */
export interface Wire {
  readonly from: string;
  readonly to: string;
  readonly message: Message;
}

type Matches = (wire: Wire) => boolean;

export interface Core {
  readonly id: NodeId;
  raft: Raft;
  readonly disk: CoreDisk;
  /** While set, batches wait in `waiting` for `persist`. */
  slowDisk: boolean;
  /** While set, what is committed waits in `toApply` for `apply`. */
  slowApply: boolean;
  readonly waiting: Pick<Ready, 'persist' | 'sendAfterPersist' | 'install'>[];
  readonly toApply: LogEntry[];
  /** Ended by a broken invariant. */
  dead: boolean;
  /** From whom a snapshot is wanted. */
  pullFrom: string | undefined;
  readonly reads: Map<number, number>;
  readonly appended: Map<number, number>;
  readonly rejected: Map<number, RejectReason>;
}

interface CoreStart {
  readonly voters: readonly string[];
  readonly learners?: readonly string[];
  /** Terms of the entries it holds from index 1 on. */
  readonly log?: readonly number[];
  readonly term?: number;
}

const encoder = new TextEncoder();
const LONG = 3 * raftDefaults.electionTicks;
const MAX_HOPS = 2000;

const named = (list: string): readonly NodeId[] => list.split(' ').filter(Boolean).map(nodeId);

export function membership(voters: string, learners = ''): Uint8Array {
  return payloadOf({ voters: named(voters), learners: named(learners) });
}

export class Cores {
  readonly violations: Violation[] = [];
  readonly wire: Wire[] = [];
  /** 'n1 n2': nothing passes from n1 to n2. */
  readonly cut = new Set<string>();
  readonly #config: Partial<RaftConfig>;
  readonly #cores = new Map<string, Core>();
  readonly #leaders = new Map<number, string>();
  /** What is committed, by index: term and content. */
  readonly #committed = new Map<number, string>();
  #lives = 0;
  #token = 0;

  constructor(config: Partial<RaftConfig> = {}) {
    this.#config = config;
  }

  /** A node with this log, its first record being who belongs to the cluster; without voters a node that is empty. */
  add(id: string, start?: CoreStart): Core {
    const disk = createCoreDisk();
    const {
      voters,
      learners = [],
      log = [1],
      term: startTerm = log.at(-1) ?? 0,
    } = start ?? { voters: [], log: [] };
    const payload = membership(voters.join(' '), learners.join(' '));
    writeEntries(
      disk,
      entries(...log).map((entry) =>
        entry.index === 1 ? { ...entry, kind: 'bootstrap', payload } : entry,
      ),
    );
    // The first record is committed by what it is.
    const commitIndex = logIndex(Math.min(1, log.length));
    disk.hardState = { term: term(startTerm), votedFor: undefined, commitIndex };
    const core: Core = {
      id: nodeId(id),
      raft: this.#open(id, disk),
      disk,
      slowDisk: false,
      slowApply: false,
      waiting: [],
      toApply: [],
      dead: false,
      pullFrom: undefined,
      reads: new Map(),
      appended: new Map(),
      rejected: new Map(),
    };
    this.#cores.set(id, core);
    this.#settle(core);
    return core;
  }

  cluster(...ids: readonly string[]): void {
    for (const id of ids) this.add(id, { voters: ids });
  }

  core(id: string): Core {
    return present(this.#cores.get(id), `there is a node ${id}`);
  }

  get ids(): readonly string[] {
    return [...this.#cores.keys()];
  }

  /** The process starts anew on what its disk holds; the state machine's own store may be lost. */
  restart(id: string, { lostState = false } = {}): void {
    const core = this.core(id);
    core.waiting.length = 0;
    core.toApply.length = 0;
    core.slowDisk = false;
    core.raft = this.#open(id, core.disk, lostState);
    this.#settle(core);
  }

  step(id: string, input: Input): void {
    const core = this.core(id);
    this.#guarded(core, () => {
      core.raft.step(input);
      this.#settle(core);
    });
  }

  tick(id: string, ticks = 1): void {
    for (let done = 0; done < ticks; done++) this.step(id, { kind: 'tick' });
  }

  /** Everybody's time passes, and what is on the wire arrives, but for cut links. */
  run(ticks: number, ids: readonly string[] = this.ids): void {
    for (let done = 0; done < ticks; done++) {
      for (const id of ids) this.tick(id);
      this.deliver(({ to }) => ids.includes(to));
    }
  }

  /** Lets its election timeout pass, with everything that follows from it among those it can reach. */
  elect(id: string): void {
    for (let ticks = 0; ticks < LONG && this.leaderOf(id) !== id; ticks++) {
      this.tick(id);
      this.deliver();
    }
    if (this.core(id).raft.view().role !== 'leader') this.blame('scenario', `${id} is not elected`);
  }

  /** Whoever leads hands over to it. */
  handOver(to: string): void {
    const from = this.ids.find((id) => this.core(id).raft.view().role === 'leader');
    if (from === undefined || from === to) return;
    this.step(from, { kind: 'transferLeadership', target: nodeId(to) });
    this.run(5);
    this.expect(this.core(to).raft.view().role === 'leader', `${from} hands over to ${to}`);
  }

  leaderOf(id: string): string | undefined {
    return this.core(id).raft.view().leader;
  }

  /** Delivers what matches, and what that sets free. */
  deliver(matches: Matches = () => true): void {
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const at = this.wire.findIndex(matches);
      if (at < 0) return;
      const [wire] = this.wire.splice(at, 1);
      if (wire !== undefined) this.arrive(wire);
    }
    this.blame('scenario', 'messages never come to rest');
  }

  /** Takes what matches off the wire, to be delivered later, or never. */
  hold(matches: Matches): readonly Wire[] {
    const held = this.wire.filter(matches);
    const rest = this.wire.filter((wire) => !matches(wire));
    this.wire.splice(0, this.wire.length, ...rest);
    return held;
  }

  arrive({ from, to, message }: Wire): void {
    if (this.cut.has(`${from} ${to}`) || !this.#cores.has(to)) return;
    this.step(to, { kind: 'message', from: nodeId(from), message });
  }

  /** Cuts the node off from all others, both ways. */
  isolate(id: string): void {
    for (const other of this.ids) {
      if (other === id) continue;
      this.cut.add(`${id} ${other}`).add(`${other} ${id}`);
    }
  }

  propose(id: string, text: string): number {
    const token = ++this.#token;
    const proposals = [{ token, payload: encoder.encode(text) }];
    this.step(id, { kind: 'propose', proposals });
    return token;
  }

  change(id: string, payload: Uint8Array): number {
    const token = ++this.#token;
    this.step(id, { kind: 'proposeMembership', token, payload });
    return token;
  }

  read(id: string): number {
    const token = ++this.#token;
    this.step(id, { kind: 'readIndex', token });
    return token;
  }

  /** Everything this node has begun to write becomes durable, and is said. */
  persist(id: string): void {
    const core = this.core(id);
    this.#guarded(core, () => {
      for (const work of core.waiting.splice(0)) this.#finish(core, work);
      this.#settle(core);
    });
  }

  /** The state machine takes in what waits. */
  apply(id: string): void {
    const core = this.core(id);
    const last = core.toApply.splice(0).at(-1);
    if (last !== undefined) this.step(id, { kind: 'applied', index: last.index });
  }

  /** What a snapshot of this node would bring now. */
  snapshotOf(id: string): Input {
    const { raft, disk } = this.core(id);
    const index = raft.view().appliedIndex;
    const configuration = disk.configurationAt(index);
    return { kind: 'snapshotReceived', index, term: disk.termAt(index), configuration };
  }

  /** The snapshot has been pulled and is put in place. */
  install(id: string, snapshot: Input): void {
    this.core(id).pullFrom = undefined;
    this.step(id, snapshot);
  }

  blame(guarantee: string, evidence: string): void {
    this.violations.push({ guarantee, evidence });
  }

  /** Blames the scenario itself if what it is about did not come to be. */
  expect(holds: boolean, what: string): void {
    if (!holds) this.blame('scenario', `it did not come about that ${what}`);
  }

  /** Blames the nodes. */
  demand(holds: boolean, guarantee: string, otherwise: string): void {
    if (!holds) this.blame(guarantee, otherwise);
  }

  /** Something with these words in it is committed. */
  hasCommitted(text: string): boolean {
    return [...this.#committed.values()].some((what) => what.includes(text));
  }

  #guarded(core: Core, act: () => void): void {
    if (core.dead) return;
    try {
      act();
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      core.dead = true;
      this.blame('node', `${core.id} ended with a broken invariant: ${error.message}`);
    }
  }

  #open(id: string, disk: CoreDisk, lostState = false): Raft {
    return createRaft({
      config: {
        ...raftDefaults,
        ...this.#config,
        id: nodeId(id),
        membershipOf,
        seed: 1 + 7 * ++this.#lives,
      },
      hardState: disk.hardState,
      floor: disk.floor,
      configurations: disk.configurations(),
      runs: runsOf(disk.log),
      lastIndex: logIndex(disk.floor.index + disk.log.length),
      tail: disk.log,
      appliedIndex: lostState ? logIndex(0) : disk.floor.index,
    });
  }

  #settle(core: Core): void {
    while (!core.dead && core.raft.hasReady()) {
      const ready = core.raft.takeReady();
      this.#note(core, ready);
      for (const { to, message } of ready.sendNow) this.wire.push({ from: core.id, to, message });
      core.waiting.push(ready);
      if (!core.slowDisk) for (const work of core.waiting.splice(0)) this.#finish(core, work);
      core.toApply.push(...ready.committed);
      const last = core.slowApply ? undefined : core.toApply.splice(0).at(-1);
      if (last !== undefined) core.raft.step({ kind: 'applied', index: last.index });
      for (const { ticket, from, to } of ready.fetch) {
        const read = core.disk.log.filter(({ index }) => index >= from && index <= to);
        core.raft.step({ kind: 'fetched', ticket, entries: read });
      }
    }
    this.#look(core);
  }

  #finish(core: Core, work: Core['waiting'][number]): void {
    const { persist, sendAfterPersist, install } = work;
    if (persist !== undefined) writeBatch(core.disk, persist);
    for (const { to, message } of sendAfterPersist) this.wire.push({ from: core.id, to, message });
    if (persist !== undefined) {
      core.raft.step({ kind: 'persisted', sequence: persist.sequence, term: persist.term });
    }
    if (install !== undefined) core.raft.step({ kind: 'applied', index: install.index });
  }

  #note(core: Core, ready: Ready): void {
    for (const { token, index } of ready.appended) core.appended.set(token, index);
    for (const { token, reason } of ready.rejected) core.rejected.set(token, reason);
    for (const { token, index } of ready.reads) core.reads.set(token, index);
    if (ready.pullSnapshotFrom !== undefined) core.pullFrom = ready.pullSnapshotFrom;
    for (const entry of ready.committed) this.#commit(core, entry);
  }

  #commit(core: Core, entry: LogEntry): void {
    const what = describe(entry);
    const known = this.#committed.get(entry.index);
    if (known === undefined) this.#committed.set(entry.index, what);
    else if (known !== what) {
      this.blame('raft', `${core.id} committed ${what} at ${entry.index}, where ${known} is`);
    }
  }

  #look(core: Core): void {
    if (core.dead) return;
    const { role, term: now } = core.raft.view();
    if (role !== 'leader') return;
    const known = this.#leaders.get(now);
    if (known === undefined) this.#leaders.set(now, core.id);
    else if (known !== core.id)
      this.blame('raft', `${core.id} and ${known} both lead in term ${now}`);
  }
}

function describe({ term: of, kind, payload }: LogEntry): string {
  return `${kind} ${Buffer.from(payload).toString()} of term ${of}`;
}
