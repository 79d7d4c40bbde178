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
  /** The newest durable batch that the core was not told of. */
  unreported: PersistBatch | undefined;
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
    unreported: undefined,
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
  if (write.batch) store(disk, owner, write.batch, write.chains);
  disk.unreleased.push(write);
}

function store(disk: Disk, owner: NodeId, batch: PersistBatch, chains: readonly number[]): void {
  const { hardState, truncateAfter, entries } = batch;
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
  if (truncateAfter !== undefined) cutAfter(disk.log, truncateAfter);
  entries.forEach((entry, at) => {
    pushEntry(disk.log, entry, present(chains[at], 'each entry has its chain'));
  });
  disk.unreported = batch;
}

/** The messages that the oldest durable write allows. */
export function releaseMessages(disk: Disk): readonly Envelope[] {
  return disk.unreleased.shift()?.messages ?? [];
}

/** What the core is told next; notes that its own vote was reported. */
export function takeReport(disk: Disk, owner: NodeId): PersistBatch | undefined {
  const batch = disk.unreported;
  disk.unreported = undefined;
  if (batch?.hardState.votedFor === owner) disk.reportedOwnVoteTerm = batch.hardState.term;
  return batch;
}

/** What a crash leaves. */
export function crashDisk(disk: Disk): void {
  disk.pending = [];
  disk.unreleased = [];
  disk.unreported = undefined;
  disk.reportedOwnVoteTerm = 0;
}

export function durableLog(disk: Disk): ChainLog {
  return copyLog(disk.log);
}
