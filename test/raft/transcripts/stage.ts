// A cluster whose network, disks and clocks do nothing by themselves: a script moves each message, write and tick. What
// happens is told in lines, which is what a transcript compares.
import { assert, present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, term } from '../../../src/lib/ids.ts';
import {
  type Configuration,
  createRaft,
  type HardState,
  type Input,
  type LogEntry,
  type LogFloor,
  type Message,
  type PersistBatch,
  type Raft,
  type RaftConfig,
  raftDefaults,
  type SnapshotInstall,
} from '../../../src/raft/index.ts';
import { floorOf, membershipOf, runsOf } from '../lone-node.ts';
import { describeBatch, describeEntries, describeEvent, describeMessage } from './describe.ts';

interface Disk {
  hardState: HardState;
  floor: LogFloor;
  log: LogEntry[];
  /** What the state machine holds; as durable as the log. */
  applied: SnapshotInstall & { readonly configuration: Configuration };
}

interface Waiting {
  readonly batch: PersistBatch | undefined;
  readonly messages: readonly { readonly to: NodeId; readonly message: Message }[];
}

interface Actor {
  raft: Raft;
  readonly disk: Disk;
  slowDisk: boolean;
  /** Batches handed out and not durable, with the messages that wait for each. */
  waiting: Waiting[];
  lives: number;
}

export interface Stage {
  config: Partial<RaftConfig>;
  tell: (line: string) => void;
  readonly actors: Map<NodeId, Actor>;
  readonly wire: Wire[];
  /** Links that lose everything. */
  readonly cut: Set<string>;
  readonly contexts: Map<number, string>;
}

interface Wire {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

export function createStage(tell: (line: string) => void): Stage {
  return {
    config: {},
    tell,
    actors: new Map(),
    wire: [],
    cut: new Set(),
    contexts: new Map(),
  };
}

export function addActor(
  stage: Stage,
  id: NodeId,
  voters: readonly NodeId[],
  log: readonly LogEntry[],
  startTerm: number,
): void {
  const hardState = {
    term: term(startTerm),
    votedFor: undefined,
    commitIndex: logIndex(0),
  };
  const floor = floorOf({ voters, learners: [] });
  const disk: Disk = { hardState, floor, log: [...log], applied: floor };
  const actor: Actor = {
    raft: open(stage, id, seedOf(stage, id, voters), disk),
    disk,
    slowDisk: false,
    waiting: [],
    lives: 1,
  };
  stage.actors.set(id, actor);
}

function seedOf(stage: Stage, id: NodeId, voters: readonly NodeId[]): number {
  return voters.includes(id) ? voters.indexOf(id) + 1 : stage.actors.size + 1;
}

function open(stage: Stage, id: NodeId, seed: number, disk: Disk): Raft {
  const { hardState, floor, log, applied } = disk;
  return createRaft({
    config: {
      ...raftDefaults,
      ...stage.config,
      id,
      membershipOf,
      seed,
    },
    hardState,
    floor,
    configurations: log.filter(({ kind }) => kind === 'membership'),
    runs: runsOf(log),
    lastIndex: logIndex(floor.index + log.length),
    tail: log.filter(({ index }) => index > applied.index),
    appliedIndex: applied.index,
  });
}

export function actorOf(stage: Stage, id: NodeId): Actor {
  return present(stage.actors.get(id), `there is a node ${id}`);
}

/** One input, and everything the node wants done for it. */
export function play(stage: Stage, id: NodeId, input: Input): void {
  const actor = actorOf(stage, id);
  actor.raft.step(input);
  settle(stage, id, actor);
}

function settle(stage: Stage, id: NodeId, actor: Actor): void {
  while (actor.raft.hasReady()) {
    const ready = actor.raft.takeReady();
    for (const event of ready.events) {
      const line = describeEvent(event);
      if (line !== undefined) stage.tell(`${id} ${line}`);
    }
    for (const { token, index, term: atTerm } of ready.appended) {
      stage.tell(`${id} appends proposal ${token} as ${index}@${atTerm}`);
    }
    post(stage, id, ready.sendNow);
    actor.waiting.push({ batch: ready.persist, messages: ready.sendAfterPersist });
    if (ready.persist && actor.slowDisk) {
      stage.tell(`${id} begins to write ${describeBatch(ready.persist)}`);
    }
    if (ready.pullSnapshotFrom !== undefined) {
      stage.tell(`${id} is to pull a snapshot from ${ready.pullSnapshotFrom}`);
    }
    if (!actor.slowDisk) finishWrites(stage, id, actor);
    if (ready.install) {
      stage.tell(
        `${id} puts the snapshot up to ${ready.install.index}@${ready.install.term} in place`,
      );
      const configuration = actor.disk.floor.configuration;
      actor.disk.applied = { ...ready.install, configuration };
      actor.raft.step({ kind: 'applied', index: ready.install.index });
    }
    if (ready.committed.length > 0) {
      stage.tell(`${id} commits ${describeEntries(ready.committed)}`);
      for (const entry of ready.committed) apply(actor.disk, entry);
      actor.raft.step({ kind: 'applied', index: actor.disk.applied.index });
    }
    for (const { token, index } of ready.reads)
      stage.tell(`${id} may read ${token} once ${index} is applied`);
    for (const { token, reason } of ready.rejected) stage.tell(`${id} rejects ${token}: ${reason}`);
  }
}

function write(disk: Disk, { truncateAfter, floor, entries }: PersistBatch): void {
  if (truncateAfter !== undefined) disk.log.length = truncateAfter - disk.floor.index;
  if (floor) {
    const agrees = disk.log.some((one) => one.index === floor.index && one.term === floor.term);
    disk.log = agrees ? disk.log.filter(({ index }) => index > floor.index) : [];
    disk.floor = floor;
  }
  disk.log.push(...entries);
}

function apply(disk: Disk, entry: LogEntry): void {
  const { index, term: atTerm, payload } = entry;
  const brought = entry.kind === 'membership' ? { index, payload } : disk.applied.configuration;
  disk.applied = { index, term: atTerm, configuration: brought };
}

/** The process starts again without what it had applied. */
export function forgetState(stage: Stage, id: NodeId): void {
  const { disk } = actorOf(stage, id);
  const { configuration } = floorOf({ voters: [], learners: [] });
  disk.applied = { index: logIndex(0), term: term(0), configuration };
  restart(stage, id);
}

/** The host of `id` has pulled what `source` has applied. */
export function bring(stage: Stage, id: NodeId, source: NodeId): void {
  play(stage, id, { kind: 'snapshotReceived', ...actorOf(stage, source).disk.applied });
}

/** Everything this node has begun to write becomes durable. */
export function finishWrites(stage: Stage, id: NodeId, actor: Actor): void {
  for (const { batch, messages } of actor.waiting.splice(0)) {
    if (batch) {
      stage.tell(`${id} has written ${describeBatch(batch)}`);
      actor.disk.hardState = batch.hardState;
      write(actor.disk, batch);
    }
    post(stage, id, messages);
    if (batch) {
      actor.raft.step({ kind: 'persisted', sequence: batch.sequence, term: batch.term });
    }
  }
  if (actor.raft.hasReady()) settle(stage, id, actor);
}

function post(stage: Stage, from: NodeId, envelopes: Waiting['messages']): void {
  for (const { to, message } of envelopes) stage.wire.push({ from, to, message });
}

/** Delivers what is on the wire and matches, what it causes included unless `once`. */
export function deliver(
  stage: Stage,
  matches: (wire: Wire) => boolean,
  { once }: { readonly once: boolean },
): void {
  for (let turn = 0; turn < 100; turn++) {
    const found = stage.wire.filter(matches);
    if (found.length === 0) return;
    const rest = stage.wire.filter((one) => !matches(one));
    stage.wire.splice(0, stage.wire.length, ...rest);
    for (const wire of found) deliverOne(stage, wire);
    if (once) return;
  }
  assert(false, 'a script comes to rest within 100 turns');
}

function deliverOne(stage: Stage, { from, to, message }: Wire): void {
  const text = describeMessage(message, (context) => nameContext(stage, context));
  const lost = stage.cut.has(`${from} ${to}`);
  stage.tell(`${from} -> ${to} ${text}${lost ? ' (lost)' : ''}`);
  if (!lost) play(stage, to, { kind: 'message', from, message });
}

function nameContext(stage: Stage, context: number): string {
  const name = stage.contexts.get(context) ?? `question ${stage.contexts.size + 1}`;
  stage.contexts.set(context, name);
  return name;
}

/** The process ends: what was not durable is gone, and so is what was still to be sent. */
export function restart(stage: Stage, id: NodeId): void {
  const actor = actorOf(stage, id);
  actor.waiting = [];
  actor.slowDisk = false;
  const seed = [...stage.actors.keys()].indexOf(id) + 1 + 100 * actor.lives;
  actor.raft = open(stage, id, seed, actor.disk);
  actor.lives += 1;
  settle(stage, id, actor);
}

/** Forgets what is on the wire and matches. */
export function lose(stage: Stage, matches: (wire: Wire) => boolean): void {
  const rest = stage.wire.filter((one) => !matches(one));
  stage.tell(`${stage.wire.length - rest.length} messages are lost`);
  stage.wire.splice(0, stage.wire.length, ...rest);
}
