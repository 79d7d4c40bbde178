// What must hold for everything a core hands out: batches, messages, committed entries, answers to tokens.
import { assert, present } from '../../../src/lib/assert.ts';
import type { NodeId } from '../../../src/lib/ids.ts';
import type { Envelope, PersistBatch, Ready } from '../../../src/raft/index.ts';
import { chainAt, cutAfter, EMPTY_CHAIN, lastIndexOf, pushEntry } from './chain-log.ts';
import { check } from './check.ts';
import type { Disk } from './disk.ts';
import { chainOf, committedChain, type Ledger, noteAppended, noteCommitted } from './ledger.ts';
import { type Member, viewOf } from './member.ts';
import { isDurableOnMajority } from './step-checks.ts';

/** Checks one Ready and brings the observer's copy of the log up to it. Returns the chain of each entry to be written. */
export function checkReady(
  ledger: Ledger,
  members: readonly Member[],
  member: Member,
  ready: Ready,
): readonly number[] {
  checkAnswers(ledger, members, member, ready);
  const chains = ready.persist ? takeInBatch(ledger, member, ready.persist) : [];
  checkLogAgrees(ledger, member);
  checkCommitted(ledger, members, member, ready);
  return chains;
}

function takeInBatch(ledger: Ledger, member: Member, batch: PersistBatch): readonly number[] {
  const { log } = member;
  check(batch.sequence === member.lastSequence + 1, 'batches are consecutive', () => {
    return `${member.id} handed out batch ${batch.sequence} after ${member.lastSequence}`;
  });
  member.lastSequence = batch.sequence;
  const { truncateAfter } = batch;
  if (truncateAfter !== undefined) {
    check(truncateAfter >= member.handedOutIndex, 'state machine safety', () => {
      return `${member.id} dropped committed entries after ${truncateAfter}`;
    });
    cutAfter(log, truncateAfter);
  }
  return batch.entries.map((entry) => {
    const before = chainAt(log, entry.index - 1);
    check(entry.index === lastIndexOf(log) + 1 && before !== undefined, 'log matching', () => {
      return `${member.id} wrote index ${entry.index} after ${lastIndexOf(log)}`;
    });
    const chain = chainOf(ledger, before, entry);
    pushEntry(log, entry, chain);
    return chain;
  });
}

/** The core's own figures against the observer's log and disk. */
function checkLogAgrees(ledger: Ledger, member: Member): void {
  const { log, disk, witness } = member;
  const view = viewOf(member);
  check(view.lastIndex === lastIndexOf(log), 'log matching', () => {
    return `${member.id} holds ${view.lastIndex} entries and handed out ${lastIndexOf(log)}`;
  });
  const { persistedIndex } = view;
  check(
    chainAt(disk.reported, persistedIndex) === chainAt(log, persistedIndex),
    'persisted index is durable',
    () => `${member.id} counts ${persistedIndex} as durable, which it was not told`,
  );
  const { mustHold } = witness;
  if (mustHold === undefined) return;
  witness.mustHold = undefined;
  const holds = chainAt(log, mustHold) === committedChain(ledger, mustHold);
  check(holds, 'leader completeness', () => {
    return `${member.id} leads term ${view.term} without the committed entry ${mustHold}`;
  });
}

function checkCommitted(
  ledger: Ledger,
  members: readonly Member[],
  member: Member,
  ready: Ready,
): void {
  if (ready.committed.length === 0) return;
  const { commitIndex, term } = viewOf(member);
  for (const entry of ready.committed) {
    check(entry.index === member.handedOutIndex + 1, 'handed out in order', () => {
      return `${member.id} handed out ${entry.index} after ${member.handedOutIndex}`;
    });
    member.handedOutIndex = entry.index;
    const before = present(chainAt(member.log, entry.index - 1), 'the log reaches that far');
    noteCommitted(ledger, entry, chainOf(ledger, before, entry), term);
  }
  check(commitIndex === member.handedOutIndex, 'handed out in order', () => {
    return `${member.id} kept ${commitIndex} back`;
  });
  check(isDurableOnMajority(members, member, commitIndex), 'durable majority', () => {
    return `${member.id} committed ${commitIndex}, which no majority has on disk`;
  });
}

/** "A vote speaks for the disk": looked at when the message really leaves. Later batches may be durable by then. */
export function checkEscape(member: Member, { to, message }: Envelope): void {
  const { disk } = member;
  const kept = (): string => `${message.kind} of term ${message.term} from ${member.id} to ${to}`;
  const name = 'a promise escapes only when durable';
  switch (message.kind) {
    case 'requestVote':
      check(isKept(disk, message.term, member.id), name, kept);
      return;
    case 'requestVoteResponse':
      check(!message.voteGranted || isKept(disk, message.term, to), name, kept);
      return;
    case 'appendEntriesResponse':
      if (!message.success) return;
      check(disk.hardState.term >= message.term, name, kept);
      check(
        disk.hardState.term > message.term || lastIndexOf(disk.log) >= message.matchIndex,
        name,
        kept,
      );
      return;
    case 'appendEntries':
      check(disk.votes.get(message.term) === member.id, name, kept);
      checkEntriesSent(member, message.prevLogIndex, message.entries.length);
      return;
    case 'installSnapshot':
    case 'timeoutNow':
    case 'heartbeat':
      check(disk.votes.get(message.term) === member.id, name, kept);
      return;
    case 'installSnapshotResponse':
    case 'snapshotWanted':
    case 'preVote':
    case 'preVoteResponse':
    case 'heartbeatResponse':
    case 'readIndexRequest':
    case 'readIndexResponse':
      return;
  }
}

/** The vote is durable. Or a later term is, which forbids any other vote in this one; then the promise counts as made. */
function isKept(disk: Disk, term: number, candidate: NodeId): boolean {
  const vote = disk.votes.get(term);
  if (vote !== undefined) return vote === candidate;
  disk.votes.set(term, candidate);
  return disk.hardState.term > term;
}

function checkEntriesSent(member: Member, prevLogIndex: number, count: number): void {
  check(prevLogIndex + count <= lastIndexOf(member.log), 'log matching', () => {
    return `${member.id} sent entries beyond its log`;
  });
}

function checkAnswers(
  ledger: Ledger,
  members: readonly Member[],
  member: Member,
  ready: Ready,
): void {
  for (const { token, index, term } of ready.appended) {
    const proposal = ledger.proposals.get(token);
    checkAnswer(member, token, proposal);
    proposal.answer = 'appended';
    proposal.index = index;
    proposal.term = term;
    noteAppended(ledger, token, index, term);
  }
  for (const { token } of ready.rejected) {
    const proposal = ledger.proposals.get(token);
    const record = proposal ?? ledger.reads.get(token);
    checkAnswer(member, token, record);
    record.answer = 'rejected';
    check(!proposal?.committed, 'a rejected proposal is never applied', () => {
      return `proposal ${token} was rejected and is committed`;
    });
  }
  for (const { token, index } of ready.reads) {
    const read = ledger.reads.get(token);
    checkAnswer(member, token, read);
    read.answer = 'confirmed';
    check(index >= read.floor, 'read safety', () => {
      return `${member.id} confirmed a read at ${index}; ${read.floor} was committed before it began`;
    });
    check(hadQuorum(ledger, members, read.began), 'read safety', () => {
      return `${member.id} confirmed a read that no majority of heartbeats stood behind`;
    });
  }
}

function checkAnswer<R extends { readonly member: number; readonly life: number; answer: string }>(
  member: Member,
  token: number,
  record: R | undefined,
): asserts record is R {
  const expected =
    record?.member === member.at && record.life === member.life && record.answer === 'none';
  check(expected, 'tokens are answered once', () => `${member.id} answered ${token} out of turn`);
}

/** Some leader's heartbeats of one term were taken in by a majority, itself included, since the step `began`. */
function hadQuorum(ledger: Ledger, members: readonly Member[], began: number): boolean {
  for (const [term, leader] of ledger.leaders) {
    const heard = members.filter(
      ({ id, heard: by }) => id === leader || (by.get(term) ?? EMPTY_CHAIN) > began,
    );
    if (heard.length * 2 > members.length) return true;
  }
  return false;
}

/** The state machine takes in one entry. */
export function checkApply(ledger: Ledger, member: Member, index: number): void {
  assert(member.appliedIndex + 1 === index, 'entries are applied one by one');
  check(committedChain(ledger, index) !== undefined, 'state machine safety', () => {
    return `${member.id} applied ${index}, which nobody committed`;
  });
}
