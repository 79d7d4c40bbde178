// Real cores on a network that delivers in order and disks that write at once, for stories that need several nodes. Each
// node has a state machine, which is a list of what was applied, so that snapshots have something to bring.
import { assert, present } from '../../src/lib/assert.ts';
import { type LogIndex, logIndex, type NodeId, nodeId, term } from '../../src/lib/ids.ts';
import {
  type Configuration,
  createRaft,
  type Envelope,
  type HardState,
  type Input,
  type LogEntry,
  type LogFloor,
  type Membership,
  type Raft,
  type RaftConfig,
  type RaftView,
  type Ready,
  raftDefaults,
  type Rejected,
} from '../../src/raft/index.ts';
import { floorOf, membershipOf, payloadOf, runsOf, textOf } from './lone-node.ts';

interface State {
  readonly index: LogIndex;
  readonly term: LogEntry['term'];
  readonly configuration: Configuration;
  readonly applied: readonly string[];
}

interface Machine {
  readonly id: NodeId;
  raft: Raft | undefined;
  hardState: HardState;
  floor: LogFloor;
  log: readonly LogEntry[];
  state: State;
  /** Verified and on disk, not in place. */
  staged: State | undefined;
  lives: number;
  rejected: readonly Rejected[];
  pulls: number;
}

export interface Cluster {
  /** Time passes for all that run; what is sent is delivered within the tick. */
  run(ticks: number): void;
  runUntil(done: () => boolean, what: string): void;
  step(id: NodeId, input: Input): void;
  view(id: NodeId): RaftView;
  raft(id: NodeId): Raft;
  /** What the node's state machine has applied. */
  applied(id: NodeId): readonly string[];
  /** A node of its own, without anything on disk. */
  addEmpty(id: NodeId): void;
  stop(id: NodeId): void;
  start(id: NodeId): void;
  /** The disk under the state machine is lost while the node is down; the log stays. */
  loseState(id: NodeId): void;
  cut(id: NodeId): void;
  heal(id: NodeId): void;
  leader(): NodeId;
  /** The one with the highest term of those that lead and are not cut off. */
  someLeader(): NodeId | undefined;
  propose(...texts: string[]): void;
  /** Proposes at the leader and says what came of it at once. */
  change(members: Membership): Rejected['reason'] | undefined;
  /** By transfer where another node leads, else by letting its time pass. */
  elect(id: NodeId): void;
  compact(id: NodeId): void;
  pulls(id: NodeId): number;
  /** Each message that is about to be delivered; false loses it. */
  filter: (from: NodeId, envelope: Envelope) => boolean;
}

const NOTHING: Configuration = { index: logIndex(0), payload: new Uint8Array(0) };
const encoder = new TextEncoder();

export function createCluster(members: Membership, overrides: Partial<RaftConfig> = {}): Cluster {
  const machines = new Map<NodeId, Machine>();
  const isolated = new Set<NodeId>();
  let wire: { readonly from: NodeId; readonly envelope: Envelope }[] = [];
  let token = 0;
  const machine = (id: NodeId): Machine => present(machines.get(id), `there is a node ${id}`);
  const raft = (id: NodeId): Raft => present(machine(id).raft, `${id} runs`);

  const settle = (one: Machine): void => {
    while (one.raft?.hasReady()) {
      const ready = one.raft.takeReady();
      writeBatch(one, ready);
      for (const envelope of [...ready.sendNow, ...ready.sendAfterPersist]) {
        wire.push({ from: one.id, envelope });
      }
      if (ready.pullSnapshotFrom !== undefined) pull(one, machine(ready.pullSnapshotFrom));
      if (ready.install) install(one);
      for (const entry of ready.committed) apply(one, entry);
      if (ready.committed.length > 0) one.raft.step({ kind: 'applied', index: one.state.index });
      one.rejected = [...one.rejected, ...ready.rejected];
      for (const { ticket, from, to } of ready.fetch) {
        const entries = one.log.filter(({ index }) => index >= from && index <= to);
        one.raft.step({ kind: 'fetched', ticket, entries });
      }
    }
  };
  const step = (id: NodeId, input: Input): void => {
    raft(id).step(input);
    settle(machine(id));
  };
  const deliver = (): void => {
    for (let turn = 0; wire.length > 0; turn++) {
      assert(turn < 1000, 'messages come to rest');
      const now = wire;
      wire = [];
      for (const { from, envelope } of now) {
        const { to, message } = envelope;
        if (isolated.has(from) || isolated.has(to) || !machines.get(to)?.raft) continue;
        if (cluster.filter(from, envelope)) step(to, { kind: 'message', from, message });
      }
    }
  };
  const start = (id: NodeId): void => {
    const one = machine(id);
    one.lives += 1;
    one.raft = open(one, overrides);
    settle(one);
  };
  const leaders = (): readonly Machine[] =>
    [...machines.values()]
      .filter((one) => one.raft?.view().role === 'leader' && !isolated.has(one.id))
      .toSorted((a, b) => raft(a.id).view().term - raft(b.id).view().term);
  const cluster: Cluster = {
    filter: () => true,
    run(ticks) {
      for (let tick = 0; tick < ticks; tick++) {
        for (const one of machines.values()) if (one.raft) step(one.id, { kind: 'tick' });
        deliver();
      }
    },
    runUntil(done, what) {
      for (let tick = 0; !done(); tick++) {
        assert(tick < 1000, `within 1000 ticks: ${what}`);
        cluster.run(1);
      }
    },
    step(id, input) {
      step(id, input);
      deliver();
    },
    view: (id) => raft(id).view(),
    raft,
    applied: (id) => machine(id).state.applied,
    addEmpty(id) {
      machines.set(id, createMachine(id, NOTHING));
      start(id);
    },
    start,
    stop(id) {
      machine(id).raft = undefined;
    },
    loseState(id) {
      const one = machine(id);
      one.state = { ...createMachine(id, NOTHING).state };
      one.staged = undefined;
    },
    cut: (id) => void isolated.add(id),
    heal: (id) => void isolated.delete(id),
    leader: () => present(cluster.someLeader(), 'a node leads'),
    someLeader: () => leaders().at(-1)?.id,
    propose(...texts) {
      const proposals = texts.map((text) => ({ token: ++token, payload: encoder.encode(text) }));
      cluster.step(cluster.leader(), { kind: 'propose', proposals });
    },
    change(wanted) {
      token += 1;
      const leader = cluster.leader();
      cluster.step(leader, { kind: 'proposeMembership', token, payload: payloadOf(wanted) });
      return machine(leader).rejected.find((one) => one.token === token)?.reason;
    },
    elect(id) {
      const current = leaders().at(-1);
      if (current) cluster.step(current.id, { kind: 'transferLeadership', target: id });
      for (let tick = 0; cluster.view(id).role !== 'leader'; tick++) {
        assert(tick < 100, `${id} is elected`);
        step(id, { kind: 'tick' });
        deliver();
      }
    },
    compact(id) {
      cluster.step(id, { kind: 'compact', index: cluster.view(id).appliedIndex });
    },
    pulls: (id) => machine(id).pulls,
  };
  for (const id of [...members.voters, ...members.learners]) {
    machines.set(id, createMachine(id, floorOf(members).configuration));
    start(id);
  }
  return cluster;
}

function createMachine(id: NodeId, configuration: Configuration): Machine {
  return {
    id,
    raft: undefined,
    hardState: { term: term(0), votedFor: undefined, commitIndex: logIndex(0) },
    floor: { index: logIndex(0), term: term(0), configuration },
    log: [],
    state: { index: logIndex(0), term: term(0), configuration, applied: [] },
    staged: undefined,
    lives: 0,
    rejected: [],
    pulls: 0,
  };
}

function open(one: Machine, overrides: Partial<RaftConfig>): Raft {
  const { id, hardState, floor, log, staged } = one;
  if (staged?.index === floor.index && staged.index > one.state.index) one.state = staged;
  one.staged = undefined;
  const seed = 1000 * one.lives + Number(id.slice(1));
  const applied = one.state.index;
  return createRaft({
    config: { ...raftDefaults, ...overrides, id, membershipOf, seed },
    hardState,
    floor,
    configurations: log.filter(({ kind }) => kind === 'membership'),
    runs: runsOf(log),
    lastIndex: logIndex(floor.index + log.length),
    tail: log.filter(({ index }) => index > applied),
    appliedIndex: applied,
  });
}

function writeBatch(one: Machine, { persist }: Ready): void {
  if (!persist) return;
  const { truncateAfter, floor, entries, hardState, sequence } = persist;
  let { log } = one;
  if (truncateAfter !== undefined) log = log.filter(({ index }) => index <= truncateAfter);
  if (floor) {
    const agrees = log.some((entry) => entry.index === floor.index && entry.term === floor.term);
    log = agrees ? log.filter(({ index }) => index > floor.index) : [];
    one.floor = floor;
  }
  one.log = [...log, ...entries];
  one.hardState = hardState;
  one.raft?.step({ kind: 'persisted', sequence, term: persist.term });
}

function apply(one: Machine, entry: LogEntry): void {
  assert(entry.index === one.state.index + 1, 'entries are applied in order');
  const { index, payload } = entry;
  const configuration = entry.kind === 'membership' ? { index, payload } : one.state.configuration;
  const applied = [...one.state.applied, textOf(entry)];
  one.state = { index, term: entry.term, configuration, applied };
}

function pull(one: Machine, source: Machine): void {
  one.pulls += 1;
  one.staged = source.state;
  const { index, term: atIndex, configuration } = source.state;
  one.raft?.step({ kind: 'snapshotReceived', index, term: atIndex, configuration });
}

function install(one: Machine): void {
  one.state = present(one.staged, 'a snapshot is staged');
  one.raft?.step({ kind: 'applied', index: one.state.index });
}

/** `n1 n2` as a list. */
export function nodes(names: string): readonly NodeId[] {
  return names.split(' ').filter(Boolean).map(nodeId);
}
