// The disk of one node: batches become durable in order, some time after they were handed out. A crash loses those that
// were not durable, with the messages that waited for them; a durable one may be reported late or, after a crash, never.
import { present } from '../../../src/lib/assert.ts';
import type { NodeId } from '../../../src/lib/ids.ts';
import { logIndex, term } from '../../../src/lib/ids.ts';
import type { Envelope, HardState, PersistBatch } from '../../../src/raft/index.ts';
import { type ChainLog, copyLog, createChainLog, cutAfter, pushEntry } from './chain-log.ts';
import { check } from './check.ts';

interface Write {
  /** undefined: messages alone, which wait for the batches before them. */
  readonly batch: PersistBatch | undefined;
  /** Chain number of each entry of the batch. */
  readonly chains: readonly number[];
  readonly messages: readonly Envelope[];
}

export interface Disk {
  hardState: HardState;
  readonly log: ChainLog;
  /** Handed out, not durable. */
  pending: Write[];
  /** Durable; the messages have not left yet. */
  unreleased: Write[];
  /** Durable; the core was not told. */
  unreported: Write[];
  /** The log as far as the core was told that it is durable. */
  readonly reported: ChainLog;
  /** Every vote that was ever durable here or rightly promised, by term. */
  readonly votes: Map<number, NodeId>;
  /** The newest batch of this life that carried the node's vote for itself and was reported: its term. */
  reportedOwnVoteTerm: number;
}

export function createDisk(): Disk {
  return {
    hardState: { term: term(0), votedFor: undefined, commitIndex: logIndex(0) },
    log: createChainLog(),
    pending: [],
    unreleased: [],
    unreported: [],
    reported: createChainLog(),
    votes: new Map(),
    reportedOwnVoteTerm: 0,
  };
}

export function queueWrite(disk: Disk, write: Write): void {
  disk.pending.push(write);
}

/** The oldest write becomes durable. */
export function completeWrite(disk: Disk, owner: NodeId): void {
  const write = disk.pending.shift();
  if (!write) return;
  if (write.batch) {
    store(disk, owner, write.batch, write.chains);
    disk.unreported.push(write);
  }
  disk.unreleased.push(write);
}

function store(disk: Disk, owner: NodeId, batch: PersistBatch, chains: readonly number[]): void {
  const { hardState } = batch;
  check(hardState.term >= disk.hardState.term, 'terms and commit index never fall', () => {
    return `${owner} wrote term ${hardState.term} over ${disk.hardState.term}`;
  });
  disk.hardState = hardState;
  if (hardState.votedFor !== undefined) {
    const before = disk.votes.get(hardState.term) ?? hardState.votedFor;
    check(before === hardState.votedFor, 'one durable vote per term', () => {
      return `${owner} voted for ${before} and ${hardState.votedFor} in term ${hardState.term}`;
    });
    disk.votes.set(hardState.term, hardState.votedFor);
  }
  extend(disk.log, batch, chains);
}

function extend(log: ChainLog, batch: PersistBatch, chains: readonly number[]): void {
  if (batch.truncateAfter !== undefined) cutAfter(log, batch.truncateAfter);
  batch.entries.forEach((entry, at) => {
    pushEntry(log, entry, present(chains[at], 'each entry has its chain'));
  });
}

/** The messages that the oldest durable write allows. */
export function releaseMessages(disk: Disk): readonly Envelope[] {
  return disk.unreleased.shift()?.messages ?? [];
}

/** The last of the oldest `count` batches that the core was not told of: to be told of it is to be told of all before it. */
export function takeReport(disk: Disk, owner: NodeId, count: number): PersistBatch | undefined {
  let last: PersistBatch | undefined;
  for (const { batch, chains } of disk.unreported.splice(0, count)) {
    if (!batch) continue;
    extend(disk.reported, batch, chains);
    if (batch.hardState.votedFor === owner) disk.reportedOwnVoteTerm = batch.hardState.term;
    last = batch;
  }
  return last;
}

/** What a crash leaves. */
export function crashDisk(disk: Disk): void {
  disk.pending = [];
  disk.unreleased = [];
  disk.unreported = [];
  disk.reportedOwnVoteTerm = 0;
}

/** The log that a new life begins with, and knows to be durable. */
export function readLog(disk: Disk): ChainLog {
  cutAfter(disk.reported, 0);
  for (const [at, entry] of disk.log.entries.entries()) {
    pushEntry(disk.reported, entry, present(disk.log.chains[at], 'each entry has its chain'));
  }
  return copyLog(disk.log);
}
