// One sample of every frame that nodes exchange, for the tests of the wire format and of the transports.
import { logIndex, nodeId, revision, term } from '../../src/lib/ids.ts';
import type { Hello, Member, PeerFrame } from '../../src/node/peer-protocol.ts';
import { PROTOCOL_VERSION } from '../../src/node/peer-protocol.ts';
import type { Message } from '../../src/raft/index.ts';
import type { CommandBody, RegisterItem } from '../../src/registry/index.ts';

/** The hello of a member of the sample cluster; `target` as the dialler would fill it in. */
export function sampleHello(self: string, target: string): Hello {
  return {
    nodeId: nodeId(self),
    incarnation: '0123456789abcdef0123456789abcdef',
    peerAddress: `${self}.example:7401`,
    clientAddress: `${self}.example:7400`,
    protocolVersion: PROTOCOL_VERSION,
    clusterId: 'sample',
    clusterUuid: 'fedcba9876543210fedcba9876543210',
    softwareVersion: '0.1.0',
    target: nodeId(target),
    configurationIndex: logIndex(0),
    lastTerm: term(0),
  };
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

const sampleMessages: readonly Message[] = [
  { kind: 'preVote', term: term(8), lastLogIndex: logIndex(41), lastLogTerm: term(7) },
  { kind: 'preVoteResponse', term: term(8), voteGranted: true },
  {
    kind: 'requestVote',
    term: term(8),
    lastLogIndex: logIndex(41),
    lastLogTerm: term(7),
    transfer: false,
  },
  { kind: 'requestVoteResponse', term: term(9), voteGranted: false },
  {
    kind: 'appendEntries',
    term: term(8),
    session: 3,
    prevLogIndex: logIndex(40),
    prevLogTerm: term(7),
    entries: [
      { index: logIndex(41), term: term(7), kind: 'bootstrap', payload: bytes(1, 2, 3) },
      { index: logIndex(42), term: term(8), kind: 'noop', payload: bytes() },
      { index: logIndex(43), term: term(8), kind: 'command', payload: bytes(0, 127, 128, 255) },
    ],
    leaderCommit: logIndex(39),
  },
  {
    kind: 'appendEntries',
    term: term(8),
    session: 4_503_599_627_370_496,
    prevLogIndex: logIndex(0),
    prevLogTerm: term(0),
    entries: [],
    leaderCommit: logIndex(9_007_199_254_740_991),
  },
  {
    kind: 'appendEntriesResponse',
    term: term(8),
    session: 3,
    success: false,
    matchIndex: logIndex(40),
    conflictTerm: term(6),
    conflictIndex: logIndex(33),
  },
  { kind: 'heartbeat', term: term(8), session: 3, leaderCommit: logIndex(43), round: 12 },
  { kind: 'heartbeatResponse', term: term(8), session: 3, round: 12 },
  { kind: 'readIndexRequest', term: term(8), context: 77 },
  { kind: 'readIndexResponse', term: term(8), context: 77, readIndex: logIndex(43) },
  { kind: 'readIndexResponse', term: term(8), context: 78, readIndex: undefined },
];

const item: RegisterItem = {
  namespace: 'default',
  serviceName: 'payments',
  instanceId: 'payments-1',
  lifecycle: 'serving',
  ttlMs: 10_000,
  body: bytes(10, 4, 20, 5),
};

const sampleBodies: readonly CommandBody[] = [
  { kind: 'register', item, ifGeneration: revision(0) },
  {
    kind: 'registerBatch',
    items: [item, { ...item, instanceId: 'payments-2', lifecycle: 'starting' }],
  },
  {
    kind: 'deregister',
    namespace: 'default',
    instanceId: 'payments-1',
    generation: revision(12),
    reason: 'scaled in',
  },
  {
    kind: 'setStatus',
    namespace: 'default',
    instanceId: 'payments-1',
    generation: revision(12),
    lifecycle: 'draining',
    maintenance: undefined,
    reason: '',
  },
  {
    kind: 'setStatus',
    namespace: 'default',
    instanceId: 'payments-1',
    generation: revision(0),
    lifecycle: undefined,
    maintenance: true,
    reason: 'disk swap',
  },
  {
    kind: 'expire',
    items: [{ namespace: 'default', instanceId: 'payments-1', generation: revision(12) }],
  },
];

const member = {
  nodeId: nodeId('n1'),
  incarnation: '00112233445566778899aabbccddeeff',
  peerAddress: '10.0.0.1:7401',
  clientAddress: '10.0.0.1:7400',
};

/** Announced by an operator, not come yet. */
const learner: Member = {
  nodeId: nodeId('n4'),
  incarnation: '',
  peerAddress: '10.0.0.4:7401',
  clientAddress: '',
  learner: true,
};

/** Added within protocol version 1. */
const laterMessages: readonly Message[] = [
  {
    kind: 'requestVote',
    term: term(8),
    lastLogIndex: logIndex(41),
    lastLogTerm: term(7),
    transfer: true,
  },
  { kind: 'installSnapshot', term: term(8), session: 3 },
  { kind: 'installSnapshotResponse', term: term(8), session: 3, index: logIndex(43) },
  { kind: 'snapshotWanted', term: term(8) },
  { kind: 'timeoutNow', term: term(8) },
  {
    kind: 'appendEntries',
    term: term(8),
    session: 3,
    prevLogIndex: logIndex(43),
    prevLogTerm: term(8),
    entries: [{ index: logIndex(44), term: term(8), kind: 'membership', payload: bytes(9) }],
    leaderCommit: logIndex(43),
  },
];

export const sampleFrames: readonly PeerFrame[] = [
  ...sampleMessages.map((message): PeerFrame => ({ kind: 'raft', message })),
  { kind: 'formation', known: [member], proposedUuid: '', formed: false },
  {
    kind: 'formation',
    known: [member, { ...member, nodeId: nodeId('n2') }],
    proposedUuid: 'fedcba9876543210fedcba9876543210',
    formed: true,
  },
  ...sampleBodies.map(
    (body, position): PeerFrame => ({
      kind: 'writeRequest',
      id: position + 1,
      body,
      requestId: position === 0 ? '' : `request-${position}`,
      fingerprint: '0123456789abcdef',
      actor: 'node n2',
    }),
  ),
  {
    kind: 'writeResponse',
    id: 1,
    outcome: {
      kind: 'applied',
      result: { kind: 'registered', revision: revision(9), generations: [revision(9)] },
    },
  },
  {
    kind: 'writeResponse',
    id: 2,
    outcome: {
      kind: 'applied',
      result: { kind: 'deregistered', revision: revision(10), existed: false },
    },
  },
  {
    kind: 'writeResponse',
    id: 3,
    outcome: { kind: 'failed', code: 'outcomeUnknown', message: 'leadership was lost' },
  },
  {
    kind: 'heartbeatRelay',
    id: 4,
    beats: [
      { namespace: 'default', instanceId: 'payments-1', generation: revision(12) },
      { namespace: 'default', instanceId: 'payments-2', generation: revision(0) },
    ],
  },
  {
    kind: 'heartbeatRelayResponse',
    id: 4,
    outcome: {
      kind: 'acknowledged',
      revision: revision(12),
      failures: [
        { position: 0, reason: 'fenced' },
        { position: 1, reason: 'unknown' },
      ],
      heartbeatIntervalMs: 3333,
    },
  },
  {
    kind: 'heartbeatRelayResponse',
    id: 5,
    outcome: { kind: 'failed', code: 'notLeader', message: 'n3 leads' },
  },
  {
    kind: 'lastHeartbeatRequest',
    id: 6,
    namespace: 'default',
    instanceId: 'payments-1',
  },
  { kind: 'lastHeartbeatResponse', id: 6, unixTimeMs: 1_795_000_000_123 },
  { kind: 'lastHeartbeatResponse', id: 7, unixTimeMs: undefined },
  { kind: 'stateHash', index: logIndex(1024), hash: '00ff00ff00ff00ff' },
  ...laterMessages.map((message): PeerFrame => ({ kind: 'raft', message })),
  { kind: 'snapshotRequest', id: 8, snapshotId: '', chunk: 0 },
  { kind: 'snapshotRequest', id: 9, snapshotId: '4711-2', chunk: 300 },
  {
    kind: 'snapshotChunk',
    id: 9,
    snapshotId: '4711-2',
    chunk: 300,
    crc: 4_294_967_295,
    data: bytes(0, 127, 128, 255),
    last: true,
  },
  { kind: 'snapshotChunk', id: 10, snapshotId: '', chunk: 0, crc: 0, data: bytes(), last: false },
  { kind: 'memberRequest', id: 11, change: { kind: 'add', member: learner } },
  { kind: 'memberRequest', id: 12, change: { kind: 'promote', nodeId: nodeId('n4') } },
  { kind: 'memberRequest', id: 13, change: { kind: 'remove', nodeId: nodeId('n1') } },
  { kind: 'memberRequest', id: 14, change: { kind: 'transfer', nodeId: nodeId('n2') } },
  { kind: 'memberRequest', id: 15, change: { kind: 'transfer', nodeId: '' } },
  {
    kind: 'memberResponse',
    id: 11,
    outcome: { kind: 'done', members: [{ ...member, learner: false }, learner] },
  },
  {
    kind: 'memberResponse',
    id: 12,
    outcome: { kind: 'failed', code: 'failedPrecondition', message: 'n4 lacks 2000 entries' },
  },
  {
    kind: 'memberRequest',
    id: 16,
    change: { kind: 'replace', lost: ['f'.repeat(32), 'e'.repeat(32)], member },
  },
  { kind: 'diskReport', freeBytes: 68_719_476_736, short: false },
  { kind: 'diskReport', freeBytes: 0, short: true },
  {
    kind: 'writeResponse',
    id: 17,
    outcome: {
      kind: 'failed',
      code: 'resourceExhausted',
      message: 'disk_reserve_bytes: n1 has less',
      lacks: 'diskSpace',
    },
  },
];
