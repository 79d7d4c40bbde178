// One real core with everything around it played by the test: peers, disk and clock. The tests of Figure 2 use it.
import { assert, present } from '../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId, term } from '../../src/lib/ids.ts';
import {
  type AppendEntries,
  createRaft,
  type EntryKind,
  type Heartbeat,
  type Input,
  type LogEntry,
  type LogFloor,
  type Membership,
  type PersistBatch,
  type Message,
  type Raft,
  type RaftConfig,
  type Ready,
  raftDefaults,
  type TermRun,
} from '../../src/raft/index.ts';

export const n1 = nodeId('n1');
export const n2 = nodeId('n2');
export const n3 = nodeId('n3');

export { logIndex as at, term as inTerm } from '../../src/lib/ids.ts';

export type MessageOf<K extends Message['kind']> = Extract<Message, { kind: K }>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function entry(index: number, atTerm: number, text = `${index}@${atTerm}`): LogEntry {
  return {
    index: logIndex(index),
    term: term(atTerm),
    kind: 'command',
    payload: encoder.encode(text),
  };
}

export function textOf(one: { readonly kind: EntryKind; readonly payload: Uint8Array }): string {
  return one.kind === 'command' ? decoder.decode(one.payload) : one.kind;
}

/** Entries 1, 2, ... with these terms. */
export function entries(...terms: number[]): readonly LogEntry[] {
  return terms.map((one, at) => entry(at + 1, one));
}

export function runsOf(log: readonly LogEntry[]): readonly TermRun[] {
  return log
    .filter((one, at) => one.term !== log[at - 1]?.term)
    .map((one) => ({ firstIndex: one.index, term: one.term }));
}

/** A configuration as these tests write it: voters and learners by name. Nothing at all for no cluster. */
export function payloadOf(membership: Membership): Uint8Array {
  if (membership.voters.length + membership.learners.length === 0) return new Uint8Array(0);
  return encoder.encode([membership.voters.join(' '), membership.learners.join(' ')].join('/'));
}

export function membershipOf(payload: Uint8Array): Membership {
  const [voters = '', learners = ''] = decoder.decode(payload).split('/');
  return { voters: named(voters), learners: named(learners) };
}

function named(list: string): readonly NodeId[] {
  return list.split(' ').filter(Boolean).map(nodeId).toSorted();
}

/** A whole log whose configuration was there before its first entry, so that a test may do without a bootstrap entry. */
export function floorOf(membership: Membership): LogFloor {
  const configuration = { index: logIndex(0), payload: payloadOf(membership) };
  return { index: logIndex(0), term: term(0), configuration };
}

export interface LoneStart {
  readonly term?: number;
  readonly votedFor?: NodeId;
  readonly log?: readonly LogEntry[];
  readonly commitIndex?: number;
  readonly appliedIndex?: number;
  readonly voters?: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  /** Where the log begins; `log` holds the entries after it. */
  readonly floor?: readonly [index: number, term: number];
  readonly config?: Partial<RaftConfig>;
}

/** Everything one or several Readys asked for, in order. */
export interface Work {
  readonly sent: readonly { readonly to: NodeId; readonly message: Message }[];
  readonly readys: readonly Ready[];
}

export interface LoneNode {
  readonly raft: Raft;
  step(input: Input): void;
  receive(from: NodeId, message: Message): void;
  tick(count?: number): void;
  /** One Ready, with nothing done for it. */
  take(): Ready;
  /** Takes Readys until none is left, reports every batch durable at once and everything applied. */
  settle(): Work;
  /** What `settle` sends, of one kind. */
  answers<K extends Message['kind']>(kind: K): readonly MessageOf<K>[];
  /** The log as a disk would hold it, built from the batches handed out so far. */
  written(): readonly LogEntry[];
  /** Where that log begins. */
  writtenFloor(): number;
}

interface LoneDisk {
  floorIndex: number;
  floorTerm: number;
  log: LogEntry[];
}

function createLoneDisk(floorIndex: number, floorTerm: number, log: readonly LogEntry[]): LoneDisk {
  return { floorIndex, floorTerm, log: [...log] };
}

/** As the port of the log store says it: truncation, floor, entries. */
function write(disk: LoneDisk, { truncateAfter, floor, entries: added }: PersistBatch): void {
  if (truncateAfter !== undefined) {
    disk.log = disk.log.filter(({ index }) => index <= truncateAfter);
  }
  if (floor) {
    const agrees = disk.log.some(({ index, term: t }) => index === floor.index && t === floor.term);
    disk.log = agrees ? disk.log.filter(({ index }) => index > floor.index) : [];
    disk.floorIndex = floor.index;
    disk.floorTerm = floor.term;
  }
  for (const one of added) {
    assert(one.index === disk.floorIndex + disk.log.length + 1, 'the disk gets entries in order');
    disk.log.push(one);
  }
}

export function startNode(start: LoneStart = {}): LoneNode {
  const log = start.log ?? [];
  const [floorIndex, floorTerm] = start.floor ?? [0, 0];
  const applied = start.appliedIndex ?? floorIndex;
  const disk = createLoneDisk(floorIndex, floorTerm, log);
  const members = { voters: start.voters ?? [n1, n2, n3], learners: start.learners ?? [] };
  const raft = createRaft({
    config: {
      ...raftDefaults,
      id: n1,
      membershipOf,
      seed: 7,
      ...start.config,
    },
    hardState: {
      term: term(start.term ?? log.at(-1)?.term ?? floorTerm),
      votedFor: start.votedFor,
      commitIndex: logIndex(start.commitIndex ?? floorIndex),
    },
    floor: { ...floorOf(members), index: logIndex(floorIndex), term: term(floorTerm) },
    configurations: log.filter(({ kind }) => kind === 'membership' || kind === 'bootstrap'),
    runs: runsOf(log),
    lastIndex: logIndex(floorIndex + log.length),
    tail: log.slice(Math.max(0, applied - floorIndex)),
    appliedIndex: logIndex(applied),
  });
  const take = (): Ready => {
    const ready = raft.takeReady();
    if (ready.persist) write(disk, ready.persist);
    return ready;
  };
  const settle = (): Work => {
    const readys: Ready[] = [];
    while (raft.hasReady()) {
      const ready = take();
      readys.push(ready);
      const { persist } = ready;
      if (persist) raft.step({ kind: 'persisted', sequence: persist.sequence, term: persist.term });
      if (ready.install) raft.step({ kind: 'applied', index: ready.install.index });
      const last = ready.committed.at(-1);
      if (last) raft.step({ kind: 'applied', index: last.index });
    }
    return { readys, sent: readys.flatMap((one) => [...one.sendNow, ...one.sendAfterPersist]) };
  };
  return {
    raft,
    step: (input) => raft.step(input),
    receive: (from, message) => raft.step({ kind: 'message', from, message }),
    tick: (count = 1) => {
      for (let done = 0; done < count; done++) raft.step({ kind: 'tick' });
    },
    take,
    settle,
    answers: (kind) =>
      settle().sent.flatMap(({ message }) => (isOf(message, kind) ? [message] : [])),
    written: () => disk.log,
    writtenFloor: () => disk.floorIndex,
  };
}

function isOf<K extends Message['kind']>(message: Message, kind: K): message is MessageOf<K> {
  return message.kind === kind;
}

/** Lets the election timeout pass. */
export function timeOut(node: LoneNode): void {
  node.tick(2 * raftDefaults.electionTicks);
}

export function grantPreVotes(node: LoneNode, ...voters: NodeId[]): void {
  const asked = term(node.raft.view().term + 1);
  for (const voter of voters) {
    node.receive(voter, { kind: 'preVoteResponse', term: asked, voteGranted: true });
  }
}

export function vote(node: LoneNode, from: NodeId, voteGranted = true): void {
  node.receive(from, { kind: 'requestVoteResponse', term: node.raft.view().term, voteGranted });
}

/** A candidate whose own vote is durable and counted. */
export function becomeCandidate(node: LoneNode): Work {
  while (node.raft.view().role === 'follower') node.tick();
  node.settle();
  grantPreVotes(node, n2);
  return node.settle();
}

/** Elected with the vote of n2. What the election asked for is returned, the no-op's AppendEntries included. */
export function becomeLeader(node: LoneNode): Work {
  becomeCandidate(node);
  vote(node, n2);
  return node.settle();
}

export function appendEntries(
  atTerm: number,
  prev: readonly [index: number, term: number],
  brought: readonly LogEntry[],
  leaderCommit = 0,
): AppendEntries {
  return {
    kind: 'appendEntries',
    term: term(atTerm),
    session: 1,
    prevLogIndex: logIndex(prev[0]),
    prevLogTerm: term(prev[1]),
    entries: brought,
    leaderCommit: logIndex(leaderCommit),
  };
}

export function heartbeat(atTerm: number, leaderCommit = 0, round = 0): Heartbeat {
  return {
    kind: 'heartbeat',
    term: term(atTerm),
    session: 1,
    leaderCommit: logIndex(leaderCommit),
    round,
  };
}

export function requestVote(
  atTerm: number,
  last: readonly [index: number, term: number],
): MessageOf<'requestVote'> {
  return {
    kind: 'requestVote',
    term: term(atTerm),
    lastLogIndex: logIndex(last[0]),
    lastLogTerm: term(last[1]),
    transfer: false,
  };
}

/** A peer's success up to `matchIndex`, in the session its last AppendEntries came in. */
export function acknowledge(node: LoneNode, from: NodeId, work: Work, matchIndex: number): void {
  node.receive(from, {
    ...reply(node, from, work),
    success: true,
    matchIndex: logIndex(matchIndex),
  });
}

/** A peer's refusal of the AppendEntries after `refused`. */
export function refuse(
  node: LoneNode,
  from: NodeId,
  work: Work,
  refused: number,
  hint: readonly [conflictIndex: number, conflictTerm: number],
): void {
  node.receive(from, {
    ...reply(node, from, work),
    success: false,
    matchIndex: logIndex(refused),
    conflictIndex: logIndex(hint[0]),
    conflictTerm: term(hint[1]),
  });
}

function reply(node: LoneNode, from: NodeId, work: Work): MessageOf<'appendEntriesResponse'> {
  const { session } = present(sentTo(work, from, 'appendEntries').at(-1), 'something was sent');
  return {
    kind: 'appendEntriesResponse',
    term: node.raft.view().term,
    session,
    success: true,
    matchIndex: logIndex(0),
    conflictTerm: term(0),
    conflictIndex: logIndex(0),
  };
}

export function sentTo<K extends Message['kind']>(
  work: Work,
  to: NodeId,
  kind: K,
): readonly MessageOf<K>[] {
  return work.sent.flatMap(({ to: peer, message }) =>
    peer === to && isOf(message, kind) ? [message] : [],
  );
}

export function committedBy(work: Work): readonly number[] {
  return work.readys.flatMap((ready) => ready.committed.map((one) => one.index));
}

export function propose(node: LoneNode, ...texts: string[]): void {
  const proposals = texts.map((text, at) => ({ token: at + 1, payload: encoder.encode(text) }));
  node.step({ kind: 'propose', proposals });
}
