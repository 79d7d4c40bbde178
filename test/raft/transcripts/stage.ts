// A cluster whose network, disks and clocks do nothing by themselves: a script moves each message, write and tick. What
// happens is told in lines, which is what a transcript compares.
import { assert, present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, term } from '../../../src/lib/ids.ts';
import {
  createRaft,
  type HardState,
  type Input,
  type LogEntry,
  type Message,
  type PersistBatch,
  type Raft,
  type RaftConfig,
  raftDefaults,
} from '../../../src/raft/index.ts';
import { floorOf, membershipOf, runsOf } from '../lone-node.ts';
import { describeBatch, describeEntries, describeEvent, describeMessage } from './describe.ts';

interface Disk {
  hardState: HardState;
  log: LogEntry[];
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
  const disk: Disk = { hardState, log: [...log] };
  const actor: Actor = {
    raft: open(stage, id, voters, disk, 0),
    disk,
    slowDisk: false,
    waiting: [],
    lives: 1,
  };
  stage.actors.set(id, actor);
}

function open(
  stage: Stage,
  id: NodeId,
  voters: readonly NodeId[],
  disk: Disk,
  lives: number,
): Raft {
  return createRaft({
    config: {
      ...raftDefaults,
      ...stage.config,
      id,
      membershipOf,
      seed: voters.indexOf(id) + 1 + 100 * lives,
    },
    hardState: disk.hardState,
    floor: floorOf({ voters, learners: [] }),
    configurations: [],
    runs: runsOf(disk.log),
    lastIndex: logIndex(disk.log.length),
    tail: disk.log,
    appliedIndex: logIndex(0),
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
    if (!actor.slowDisk) finishWrites(stage, id, actor);
    if (ready.committed.length > 0) {
      stage.tell(`${id} commits ${describeEntries(ready.committed)}`);
      actor.raft.step({ kind: 'applied', index: present(ready.committed.at(-1), 'one').index });
    }
    for (const { token, index } of ready.reads)
      stage.tell(`${id} may read ${token} once ${index} is applied`);
    for (const { token, reason } of ready.rejected) stage.tell(`${id} rejects ${token}: ${reason}`);
  }
}

/** Everything this node has begun to write becomes durable. */
export function finishWrites(stage: Stage, id: NodeId, actor: Actor): void {
  for (const { batch, messages } of actor.waiting.splice(0)) {
    if (batch) {
      stage.tell(`${id} has written ${describeBatch(batch)}`);
      actor.disk.hardState = batch.hardState;
      if (batch.truncateAfter !== undefined) actor.disk.log.length = batch.truncateAfter;
      actor.disk.log.push(...batch.entries);
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
  actor.raft = open(stage, id, [...stage.actors.keys()], actor.disk, actor.lives);
  actor.lives += 1;
  settle(stage, id, actor);
}

/** Forgets what is on the wire and matches. */
export function lose(stage: Stage, matches: (wire: Wire) => boolean): void {
  const rest = stage.wire.filter((one) => !matches(one));
  stage.tell(`${stage.wire.length - rest.length} messages are lost`);
  stage.wire.splice(0, stage.wire.length, ...rest);
}
