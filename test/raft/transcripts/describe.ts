// How a transcript words what the core says: one short line for each message, batch and event.
import type {
  AppendEntriesResponse,
  LogEntry,
  Message,
  PersistBatch,
  RaftEvent,
  RaftView,
} from '../../../src/raft/index.ts';
import { membershipOf, textOf } from '../lone-node.ts';

/** `3@2 b`: index 3, term 2, command b. Entries that a script starts with have no command worth telling. */
function describeEntry(one: LogEntry): string {
  const place = `${one.index}@${one.term}`;
  const text = textOf(one);
  if (one.kind === 'membership') return `${place} members ${describeMembers(one.payload)}`;
  return text === place ? place : `${place} ${text}`;
}

/** `n1,n2/n3`: voters, then learners. */
function describeMembers(payload: Uint8Array): string {
  const { voters, learners } = membershipOf(payload);
  return learners.length === 0 ? voters.join(',') : `${voters.join(',')}/${learners.join(',')}`;
}

export function describeEntries(entries: readonly LogEntry[]): string {
  return entries.length === 0 ? 'nothing' : entries.map(describeEntry).join(', ');
}

/** Contexts are drawn from a seeded place; the transcript counts them from 1. */
export type NameContext = (context: number) => string;

export function describeMessage(message: Message, nameContext: NameContext): string {
  return `${message.kind} t${message.term}${describeBody(message, nameContext)}`;
}

function describeBody(message: Message, nameContext: NameContext): string {
  switch (message.kind) {
    case 'preVote':
    case 'requestVote':
      return `, last ${message.lastLogIndex}@${message.lastLogTerm}${describeTransfer(message)}`;
    case 'preVoteResponse':
    case 'requestVoteResponse':
      return message.voteGranted ? ', granted' : ', refused';
    case 'appendEntries': {
      const { session, prevLogIndex, prevLogTerm, entries, leaderCommit } = message;
      const after = `after ${prevLogIndex}@${prevLogTerm}: ${describeEntries(entries)}`;
      return ` s${session}, ${after}; commit ${leaderCommit}`;
    }
    case 'appendEntriesResponse':
      return ` s${message.session}, ${describeAnswer(message)}`;
    case 'heartbeat':
      return ` s${message.session}, commit ${message.leaderCommit}${describeRound(message.round)}`;
    case 'heartbeatResponse':
      return ` s${message.session}${describeRound(message.round)}`;
    case 'readIndexRequest':
      return `, ${nameContext(message.context)}`;
    case 'readIndexResponse':
      return `, ${nameContext(message.context)} ${message.readIndex === undefined ? 'refused' : `at ${message.readIndex}`}`;
    case 'installSnapshot':
      return ` s${message.session}`;
    case 'installSnapshotResponse':
      return ` s${message.session}, holds up to ${message.index}`;
    case 'snapshotWanted':
    case 'timeoutNow':
      return '';
  }
}

function describeTransfer(message: Message): string {
  return message.kind === 'requestVote' && message.transfer ? ', for its leader' : '';
}

function describeRound(round: number): string {
  return round === 0 ? '' : `, round ${round}`;
}

function describeAnswer(answer: AppendEntriesResponse): string {
  const { success, matchIndex, conflictIndex, conflictTerm } = answer;
  if (success) return `holds up to ${matchIndex}`;
  return `refused after ${matchIndex}, look at ${conflictIndex} (term ${conflictTerm} there)`;
}

export function describeBatch(batch: PersistBatch): string {
  const { hardState, truncateAfter, floor, entries } = batch;
  const parts = [`term ${hardState.term}`, `vote ${hardState.votedFor ?? 'none'}`];
  if (truncateAfter !== undefined) parts.push(`cut after ${truncateAfter}`);
  if (floor) parts.push(`begin after ${floor.index}@${floor.term}`);
  if (entries.length > 0) parts.push(describeEntries(entries));
  return parts.join(', ');
}

export function describeEvent(event: RaftEvent): string | undefined {
  switch (event.kind) {
    case 'roleChanged':
      return `becomes ${event.role} in term ${event.term}: ${event.reason}`;
    case 'leaderChanged':
      return event.leader === undefined ? 'knows no leader' : `knows ${event.leader} as leader`;
    case 'truncated':
      return `drops what follows ${event.after}`;
    case 'floorRaised':
      return `lets go what is up to ${event.index}`;
    case 'logReplaced':
      return `begins its log after ${event.index}, it ended at ${event.lastIndexBefore}`;
    case 'snapshotNeeded':
      return `has no entries left for ${event.peer}`;
    case 'transferStarted':
      return `hands over to ${event.target}`;
    case 'transferEnded':
      return `ends the transfer: ${event.reason}`;
    case 'staleReplyDropped':
      return `drops a stale reply of ${event.peer}`;
    case 'steppedDown':
      // The change of role that comes with it says the same.
      return undefined;
  }
}

export function describeView(view: RaftView): string {
  const { role, term, leader, lastIndex, commitIndex, persistedIndex } = view;
  return `${role} t${term}, leader ${leader ?? 'unknown'}, last ${lastIndex}, durable ${persistedIndex}, commit ${commitIndex}`;
}
