// Random peer frames, for round trips and for mutation.
import * as fc from 'fast-check';
import { logIndex, nodeId, revision, term } from '../../src/lib/ids.ts';
import type { ErrorCode } from '../../src/lib/registry-error.ts';
import {
  MAX_LOST,
  type Member,
  type MemberChange,
  type MemberIdentity,
  type PeerFrame,
} from '../../src/node/peer-protocol.ts';
import type { EntryKind, Message } from '../../src/raft/index.ts';
import type {
  ApplyResult,
  CommandBody,
  Lifecycle,
  RegisterItem,
} from '../../src/registry/index.ts';

const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const index = count.map(logIndex);
const termNumber = count.map(term);
const revisionNumber = count.map(revision);
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 400 });
const flag = fc.boolean();

const vote = { term: termNumber, lastLogIndex: index, lastLogTerm: termNumber };
const appendEntries = fc
  .record({
    head: fc.record({
      term: termNumber,
      session: count,
      prevLogIndex: fc.oneof(fc.nat(300), fc.nat(2 ** 40)).map(logIndex),
      prevLogTerm: termNumber,
      leaderCommit: index,
    }),
    rows: fc.array(
      fc.record({
        term: termNumber,
        kind: fc.constantFrom<EntryKind>('bootstrap', 'noop', 'command', 'membership'),
        payload: bytes,
      }),
      { maxLength: 20 },
    ),
  })
  .map(({ head, rows }) => ({
    kind: 'appendEntries' as const,
    ...head,
    entries: rows.map((row, position) => ({
      ...row,
      index: logIndex(head.prevLogIndex + 1 + position),
    })),
  }));

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('preVote' as const), ...vote }),
  fc.record({ kind: fc.constant('requestVote' as const), ...vote, transfer: flag }),
  fc.record({
    kind: fc.constantFrom('preVoteResponse' as const, 'requestVoteResponse' as const),
    term: termNumber,
    voteGranted: flag,
  }),
  appendEntries,
  fc.record({
    kind: fc.constant('appendEntriesResponse' as const),
    term: termNumber,
    session: count,
    success: flag,
    matchIndex: index,
    conflictTerm: termNumber,
    conflictIndex: index,
  }),
  fc.record({
    kind: fc.constant('heartbeat' as const),
    term: termNumber,
    session: count,
    leaderCommit: index,
    round: count,
  }),
  fc.record({
    kind: fc.constant('heartbeatResponse' as const),
    term: termNumber,
    session: count,
    round: count,
  }),
  fc.record({
    kind: fc.constant('readIndexRequest' as const),
    term: termNumber,
    context: count,
  }),
  fc.record({
    kind: fc.constant('readIndexResponse' as const),
    term: termNumber,
    context: count,
    readIndex: fc.option(index, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('installSnapshot' as const), term: termNumber, session: count }),
  fc.record({
    kind: fc.constant('installSnapshotResponse' as const),
    term: termNumber,
    session: count,
    index,
  }),
  fc.record({
    kind: fc.constantFrom('snapshotWanted' as const, 'timeoutNow' as const),
    term: termNumber,
  }),
);

const lifecycle = fc.constantFrom<Lifecycle>('serving', 'starting', 'draining');
const item: fc.Arbitrary<RegisterItem> = fc.record({
  namespace: text,
  serviceName: text,
  instanceId: text,
  lifecycle,
  ttlMs: count,
  body: bytes,
});
const key = { namespace: text, instanceId: text, generation: revisionNumber };
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant('register' as const), item, ifGeneration: revisionNumber }),
  fc.record({
    kind: fc.constant('registerBatch' as const),
    items: fc.array(item, { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('deregister' as const), ...key, reason: text }),
  fc.record({
    kind: fc.constant('setStatus' as const),
    ...key,
    lifecycle: fc.option(lifecycle, { nil: undefined }),
    maintenance: fc.option(flag, { nil: undefined }),
    reason: text,
  }),
  fc.record({
    kind: fc.constant('expire' as const),
    items: fc.array(fc.record(key), { maxLength: 5 }),
  }),
);

const at = { revision: revisionNumber };
const result: fc.Arbitrary<ApplyResult> = fc.oneof(
  fc.record({
    kind: fc.constant('registered' as const),
    ...at,
    generations: fc.array(revisionNumber, { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('deregistered' as const), ...at, existed: flag }),
  fc.record({ kind: fc.constant('statusSet' as const), ...at }),
  fc.record({ kind: fc.constant('expired' as const), ...at, count }),
  fc.record({ kind: fc.constant('notFound' as const), ...at }),
  fc.record({
    kind: fc.constant('generationNotCurrent' as const),
    ...at,
    current: revisionNumber,
  }),
  fc.record({ kind: fc.constant('requestIdReused' as const), ...at }),
  fc.record({ kind: fc.constant('tooManyInstances' as const), ...at, limit: count }),
);

const failed = fc.record({
  kind: fc.constant('failed' as const),
  code: fc.constantFrom<ErrorCode>(
    'invalidArgument',
    'notFound',
    'alreadyExists',
    'failedPrecondition',
    'notLeader',
    'noQuorum',
    'behind',
    'shuttingDown',
    'outcomeUnknown',
    'resourceExhausted',
    'unimplemented',
  ),
  message: text,
});
const name = fc.string({ minLength: 1, maxLength: 63 }).map(nodeId);
const identity = { nodeId: name, incarnation: text, peerAddress: text, clientAddress: text };
const member: fc.Arbitrary<MemberIdentity> = fc.record(identity);
const changed: fc.Arbitrary<Member> = fc.record({ ...identity, learner: flag });
const change: fc.Arbitrary<MemberChange> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), member: changed }),
  fc.record({ kind: fc.constantFrom('promote' as const, 'remove' as const), nodeId: name }),
  fc.record({
    kind: fc.constant('transfer' as const),
    nodeId: fc.oneof(name, fc.constant('' as const)),
  }),
  fc.record({
    kind: fc.constant('replace' as const),
    lost: fc.array(text, { maxLength: MAX_LOST }),
    member,
  }),
);

export const peerFrame: fc.Arbitrary<PeerFrame> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('raft' as const), message }), weight: 4 },
  fc.record({
    kind: fc.constant('formation' as const),
    known: fc.array(member, { maxLength: 7 }),
    proposedUuid: text,
    formed: flag,
  }),
  fc.record({
    kind: fc.constant('writeRequest' as const),
    id: count,
    body,
    requestId: text,
    fingerprint: text,
    actor: text,
  }),
  fc.record({
    kind: fc.constant('writeResponse' as const),
    id: count,
    outcome: fc.oneof(
      fc.record({ kind: fc.constant('applied' as const), result }),
      failed,
      failed.map((outcome) => ({ ...outcome, lacks: 'diskSpace' as const })),
    ),
  }),
  fc.record({
    kind: fc.constant('heartbeatRelay' as const),
    id: count,
    beats: fc.array(fc.record(key), { maxLength: 10 }),
  }),
  fc.record({
    kind: fc.constant('heartbeatRelayResponse' as const),
    id: count,
    outcome: fc.oneof(
      fc.record({
        kind: fc.constant('acknowledged' as const),
        revision: revisionNumber,
        failures: fc.array(
          fc.record({
            position: count,
            reason: fc.constantFrom('unknown' as const, 'fenced' as const),
          }),
          { maxLength: 5 },
        ),
        heartbeatIntervalMs: count,
      }),
      failed,
    ),
  }),
  fc.record({
    kind: fc.constant('lastHeartbeatRequest' as const),
    id: count,
    namespace: text,
    instanceId: text,
  }),
  fc.record({
    kind: fc.constant('lastHeartbeatResponse' as const),
    id: count,
    unixTimeMs: fc.option(count, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('stateHash' as const), index, hash: text }),
  fc.record({
    kind: fc.constant('snapshotRequest' as const),
    id: count,
    snapshotId: text,
    chunk: count,
  }),
  fc.record({
    kind: fc.constant('snapshotChunk' as const),
    id: count,
    snapshotId: text,
    chunk: count,
    crc: count,
    data: bytes,
    last: flag,
  }),
  fc.record({ kind: fc.constant('memberRequest' as const), id: count, change }),
  fc.record({
    kind: fc.constant('memberResponse' as const),
    id: count,
    outcome: fc.oneof(
      fc.record({
        kind: fc.constant('done' as const),
        members: fc.array(changed, { maxLength: 7 }),
      }),
      failed,
    ),
  }),
  fc.record({ kind: fc.constant('diskReport' as const), freeBytes: count, short: flag }),
);
