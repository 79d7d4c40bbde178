// Positional arrays of the messages of consensus: [message number, term, ...]. Append-only; pinned by test/transport/golden.
import type { LogIndex, Term } from '../lib/ids.ts';
import type { EntryKind, LogEntry, Message } from '../raft/index.ts';
import {
  bytesAt,
  countAt,
  type Fields,
  fieldsOf,
  flagAt,
  indexAt,
  listOf,
  numbering,
  termAt,
} from './fields.ts';
import { WireError } from './msgpack.ts';

const messageKinds = numbering<Message['kind']>({
  preVote: 0,
  preVoteResponse: 1,
  requestVote: 2,
  requestVoteResponse: 3,
  appendEntries: 4,
  appendEntriesResponse: 5,
  heartbeat: 6,
  heartbeatResponse: 7,
  readIndexRequest: 8,
  readIndexResponse: 9,
  installSnapshot: 10,
  installSnapshotResponse: 11,
  snapshotWanted: 12,
  timeoutNow: 13,
});
const entryKinds = numbering<EntryKind>({ bootstrap: 0, noop: 1, command: 2, membership: 3 });

export function messageToArray(message: Message): unknown[] {
  const head = [messageKinds.numberOf(message.kind), message.term];
  switch (message.kind) {
    case 'preVote':
      return [...head, message.lastLogIndex, message.lastLogTerm];
    case 'requestVote': {
      // The field was added within protocol version 1: sent only where it says something.
      const transfer = message.transfer ? [true] : [];
      return [...head, message.lastLogIndex, message.lastLogTerm, ...transfer];
    }
    case 'preVoteResponse':
    case 'requestVoteResponse':
      return [...head, message.voteGranted];
    case 'appendEntries':
      return [
        ...head,
        message.session,
        message.prevLogIndex,
        message.prevLogTerm,
        message.entries.map(entryToArray),
        message.leaderCommit,
      ];
    case 'appendEntriesResponse':
      return [
        ...head,
        message.session,
        message.success,
        message.matchIndex,
        message.conflictTerm,
        message.conflictIndex,
      ];
    case 'heartbeat':
      return [...head, message.session, message.leaderCommit, message.round];
    case 'heartbeatResponse':
      return [...head, message.session, message.round];
    case 'readIndexRequest':
      return [...head, message.context];
    case 'readIndexResponse':
      return [...head, message.context, message.readIndex];
    case 'installSnapshot':
      return [...head, message.session];
    case 'installSnapshotResponse':
      return [...head, message.session, message.index];
    case 'snapshotWanted':
    case 'timeoutNow':
      return head;
  }
}

export function messageFromArray(value: unknown): Message {
  const fields = listOf(value, 'message');
  const kind = messageKinds.nameAt(fields, 0, 'message kind');
  const term = termAt(fields, 1, `${kind}.term`);
  switch (kind) {
    case 'preVote':
      fieldsOf(fields, 4, kind);
      return { kind, term, ...lastLogOf(fields, kind) };
    case 'requestVote': {
      const transfer = fields.length > 4;
      fieldsOf(fields, transfer ? 5 : 4, kind);
      return {
        kind,
        term,
        ...lastLogOf(fields, kind),
        transfer: transfer && flagAt(fields, 4, `${kind}.transfer`),
      };
    }
    case 'preVoteResponse':
    case 'requestVoteResponse':
      fieldsOf(fields, 3, kind);
      return { kind, term, voteGranted: flagAt(fields, 2, `${kind}.voteGranted`) };
    case 'appendEntries':
      return appendEntriesFromArray(fieldsOf(fields, 7, kind));
    case 'appendEntriesResponse':
      return appendEntriesResponseFromArray(fieldsOf(fields, 7, kind));
    case 'heartbeat':
      return heartbeatFromArray(fieldsOf(fields, 5, kind));
    case 'heartbeatResponse':
      fieldsOf(fields, 4, kind);
      return {
        kind,
        term,
        session: countAt(fields, 2, `${kind}.session`),
        round: countAt(fields, 3, `${kind}.round`),
      };
    case 'readIndexRequest':
      fieldsOf(fields, 3, kind);
      return { kind, term, context: countAt(fields, 2, `${kind}.context`) };
    case 'readIndexResponse':
      fieldsOf(fields, 4, kind);
      return {
        kind,
        term,
        context: countAt(fields, 2, `${kind}.context`),
        readIndex: fields[3] === null ? undefined : indexAt(fields, 3, `${kind}.readIndex`),
      };
    case 'installSnapshot':
      fieldsOf(fields, 3, kind);
      return { kind, term, session: countAt(fields, 2, `${kind}.session`) };
    case 'installSnapshotResponse':
      fieldsOf(fields, 4, kind);
      return {
        kind,
        term,
        session: countAt(fields, 2, `${kind}.session`),
        index: indexAt(fields, 3, `${kind}.index`),
      };
    case 'snapshotWanted':
    case 'timeoutNow':
      fieldsOf(fields, 2, kind);
      return { kind, term };
  }
}

const lastLogOf = (
  fields: Fields,
  kind: string,
): { readonly lastLogIndex: LogIndex; readonly lastLogTerm: Term } => ({
  lastLogIndex: indexAt(fields, 2, `${kind}.lastLogIndex`),
  lastLogTerm: termAt(fields, 3, `${kind}.lastLogTerm`),
});

function appendEntriesFromArray(fields: Fields): Message {
  const kind = 'appendEntries';
  const prevLogIndex = indexAt(fields, 3, `${kind}.prevLogIndex`);
  return {
    kind,
    term: termAt(fields, 1, `${kind}.term`),
    session: countAt(fields, 2, `${kind}.session`),
    prevLogIndex,
    prevLogTerm: termAt(fields, 4, `${kind}.prevLogTerm`),
    entries: entriesFromList(listOf(fields[5], `${kind}.entries`), prevLogIndex),
    leaderCommit: indexAt(fields, 6, `${kind}.leaderCommit`),
  };
}

function appendEntriesResponseFromArray(fields: Fields): Message {
  const kind = 'appendEntriesResponse';
  return {
    kind,
    term: termAt(fields, 1, `${kind}.term`),
    session: countAt(fields, 2, `${kind}.session`),
    success: flagAt(fields, 3, `${kind}.success`),
    matchIndex: indexAt(fields, 4, `${kind}.matchIndex`),
    conflictTerm: termAt(fields, 5, `${kind}.conflictTerm`),
    conflictIndex: indexAt(fields, 6, `${kind}.conflictIndex`),
  };
}

function heartbeatFromArray(fields: Fields): Message {
  const kind = 'heartbeat';
  return {
    kind,
    term: termAt(fields, 1, `${kind}.term`),
    session: countAt(fields, 2, `${kind}.session`),
    leaderCommit: indexAt(fields, 3, `${kind}.leaderCommit`),
    round: countAt(fields, 4, `${kind}.round`),
  };
}

const entryToArray = (entry: LogEntry): unknown[] => [
  entry.index,
  entry.term,
  entryKinds.numberOf(entry.kind),
  entry.payload,
];

/** Entries outlive the message by far, so their payloads move together into memory of exactly their size: none of them
 * keeps a receive buffer alive, and a batch of many small ones costs one allocation. */
function entriesFromList(list: Fields, prevLogIndex: number): LogEntry[] {
  const rows = list.map((row) => fieldsOf(row, 4, 'entry'));
  const sizes = rows.map((row) => bytesAt(row, 3, 'entry.payload').length);
  const memory = Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + size, 0));
  let offset = 0;
  return rows.map((row, position) => {
    const index = indexAt(row, 0, 'entry.index');
    if (index !== prevLogIndex + 1 + position) {
      throw new WireError('appendEntries.entries: indexes do not follow prevLogIndex');
    }
    const source = bytesAt(row, 3, 'entry.payload');
    const payload = new Uint8Array(memory.buffer, offset, source.length);
    payload.set(source);
    offset += source.length;
    return {
      index,
      term: termAt(row, 1, 'entry.term'),
      kind: entryKinds.nameAt(row, 2, 'entry.kind'),
      payload,
    };
  });
}
