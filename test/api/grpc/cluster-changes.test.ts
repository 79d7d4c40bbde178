// Calls that change the cluster, at the door: what is refused before the node hears of it, from where they are taken, and what
// reaches the node. What the node makes of it: test/node and test/cluster.
import { type ServerUnaryCall, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clusterHandlers } from '../../../src/api/grpc/cluster-service.ts';
import { OpenStreams } from '../../../src/api/grpc/open-streams.ts';
import type { CallFailure } from '../../../src/api/grpc/status.ts';
import { systemClock } from '../../../src/cli/system-clock.ts';
import { defaultLimits } from '../../../src/config/limits.ts';
import { nodeId } from '../../../src/lib/ids.ts';
import { RegistryError } from '../../../src/lib/registry-error.ts';
import type { Member, MemberChange } from '../../../src/node/peer-protocol.ts';
import type { RegistryNode } from '../../../src/node/registry-node.ts';
import { clientConstructors } from '../../../src/rpc/clients.ts';
import { decodeStatusDetails, STATUS_DETAILS_KEY } from '../../../src/rpc/status-details.ts';
import { type DoorWorld, startWorld } from './door-world.ts';

const incarnation = 'ab'.repeat(16);
const member = (name: string, parts: Partial<Member> = {}): Member => ({
  nodeId: nodeId(name),
  incarnation: name.slice(1).padStart(32, '0'),
  peerAddress: `${name}:7401`,
  clientAddress: `${name}:7400`,
  learner: false,
  ...parts,
});

let world: DoorWorld;
let logged: string[];
/** What reached the node, and what it answers. */
let changes: MemberChange[];
let members: readonly Member[];
let answer: () => Promise<readonly Member[]>;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  logged = [];
  changes = [];
  members = [member('n1'), member('n2')];
  answer = () => Promise.resolve(members);
});

type Method = 'AddMember' | 'PromoteMember' | 'RemoveMember' | 'TransferLeadership';
const loopback = '127.0.0.1:50000';
/** Reserved for documents (RFC 5737): no machine has it. */
const elsewhere = '192.0.2.9:50000';

interface Told {
  readonly response: Buffer | undefined;
  readonly code: status | undefined;
  readonly message: string;
  readonly field: string | undefined;
}

/** One call as grpc-js hands it over, from `peer`. */
async function send(
  method: Method,
  request: object,
  { peer = loopback, allowRemoteAdmin = false } = {},
): Promise<Told> {
  const { node } = world;
  const port: RegistryNode = Object.create(node, {
    // Whatever was asked for, n2 leads afterwards.
    status: {
      value: () => ({ ...node.status(), members, leaderId: changes.length > 0 ? 'n2' : 'n1' }),
    },
    changeMembers: {
      value: (change: MemberChange) => {
        changes.push(change);
        return answer();
      },
    },
  });
  const door = {
    node: port,
    clock: systemClock,
    log: pino({}, { write: (line) => logged.push(line) }),
    limits: defaultLimits,
    version: '9.9.9',
    allowRemoteAdmin,
  };
  const handlers = clusterHandlers(door, new OpenStreams());
  const { requestSerialize } = clientConstructors().Cluster.service[method];
  const call = {
    request: requestSerialize(request),
    cancelled: false,
    getDeadline: () => Number.POSITIVE_INFINITY,
    getPath: () => `/rollcall.v1.Cluster/${method}`,
    getPeer: () => peer,
    on: () => undefined,
  } as unknown as ServerUnaryCall<Buffer, Buffer>;
  return new Promise((resolve) => {
    handlers[method](call, (error, response) => {
      const failure = error as CallFailure | null;
      const [trailer] = failure?.metadata.get(STATUS_DETAILS_KEY) ?? [];
      const details = trailer instanceof Buffer ? decodeStatusDetails(trailer) : undefined;
      resolve({
        response: response ?? undefined,
        code: failure?.code,
        message: failure?.details ?? '',
        field: details?.violations?.[0]?.field,
      });
    });
  });
}

const n4 = { node_id: 'n4', peer_address: 'n4:7401', client_address: 'n4:7400' };
const label = 'is not a DNS label: lower-case letters, digits and inner hyphens only';
const long = `${'a'.repeat(253)}:${'1'.repeat(9)}`;
const refusedMembers: readonly (readonly [object, string, string])[] = [
  [{}, 'member', 'is missing'],
  [{ member: {} }, 'member.node_id', 'is empty'],
  [{ member: { ...n4, node_id: 'N4' } }, 'member.node_id', label],
  [{ member: { ...n4, node_id: 'a'.repeat(64) } }, 'member.node_id', '64 bytes, limit 63'],
  [{ member: { ...n4, peer_address: '' } }, 'member.peer_address', 'is empty'],
  [{ member: { ...n4, peer_address: 'n4' } }, 'member.peer_address', 'is not host:port'],
  [
    { member: { ...n4, peer_address: 'n4:0' } },
    'member.peer_address',
    'is 0 or missing, at least 1',
  ],
  [{ member: { ...n4, peer_address: 'n4:70000' } }, 'member.peer_address', 'is not host:port'],
  [{ member: { ...n4, peer_address: long } }, 'member.peer_address', '263 bytes, limit 261'],
  [
    { member: { ...n4, client_address: '[::]:1' } },
    'member.client_address',
    'is no address that others can dial',
  ],
  [
    { member: { ...n4, client_address: 'n4:7401' } },
    'member.client_address',
    'is the peer_address too',
  ],
  [
    { member: { ...n4, incarnation: 'AB'.repeat(16) } },
    'member.incarnation',
    'is not 32 hex digits in lower case',
  ],
];

describe('AddMember', () => {
  test.for(refusedMembers)('%j is refused: %s: %s', async ([request, field, problem]) => {
    const told = await send('AddMember', request);
    expect({ ...told, response: undefined }).toEqual({
      response: undefined,
      code: status.INVALID_ARGUMENT,
      message: `${field}: ${problem}`,
      field,
    });
    expect(changes).toEqual([]);
  });

  test('announces a learner, whatever the request says, in the one spelling of its addresses', async () => {
    const request = { member: { ...n4, peer_address: '[::1]:07401', learner: false } };
    const { response } = await send('AddMember', request);
    const added = member('n4', { incarnation: '', peerAddress: '[::1]:7401', learner: true });
    expect(changes).toEqual([{ kind: 'add', member: added }]);
    const { responseDeserialize } = clientConstructors().Cluster.service.AddMember;
    const decoded = responseDeserialize(response ?? Buffer.alloc(0));
    expect(decoded.members.map(({ node_id, learner }) => [node_id, learner])).toEqual([
      ['n1', false],
      ['n2', false],
    ]);
  });

  test('answers with learners and incarnations', async () => {
    answer = () => Promise.resolve([member('n4', { incarnation, learner: true })]);
    const { response } = await send('AddMember', { member: { ...n4, incarnation } });
    const { responseDeserialize } = clientConstructors().Cluster.service.AddMember;
    expect(responseDeserialize(response ?? Buffer.alloc(0))).toEqual({
      members: [{ ...n4, learner: true, incarnation }],
    });
  });
});

describe('a node id', () => {
  test.for(['PromoteMember', 'RemoveMember'] as const)('must be one in %s', async (method) => {
    const told = await send(method, {});
    expect(told).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: 'node_id: is empty',
      field: 'node_id',
    });
    expect(await send(method, { node_id: 'n_1' })).toMatchObject({ message: `node_id: ${label}` });
    expect(changes).toEqual([]);
  });

  test('may be left out in TransferLeadership only, and is checked where it is there', async () => {
    await send('TransferLeadership', {});
    await send('TransferLeadership', { node_id: 'n2' });
    expect(changes).toEqual([
      { kind: 'transfer', nodeId: '' },
      { kind: 'transfer', nodeId: 'n2' },
    ]);
    expect(await send('TransferLeadership', { node_id: '-' })).toMatchObject({ field: 'node_id' });
  });

  test('reaches the node with what is to be done', async () => {
    await send('PromoteMember', { node_id: 'n2' });
    await send('RemoveMember', { node_id: 'n2' });
    expect(changes).toEqual([
      { kind: 'promote', nodeId: 'n2' },
      { kind: 'remove', nodeId: 'n2' },
    ]);
  });
});

describe('a call from another host', () => {
  const calls: readonly (readonly [Method, object])[] = [
    ['AddMember', { member: n4 }],
    ['PromoteMember', { node_id: 'n2' }],
    ['RemoveMember', { node_id: 'n2' }],
    ['TransferLeadership', {}],
  ];

  test.for(calls)('%s is refused, unless the node allows it', async ([method, request]) => {
    const told = await send(method, request, { peer: elsewhere });
    expect(told.code).toBe(status.PERMISSION_DENIED);
    expect(told.message).toMatch(/^permission_denied: .*--allow-remote-admin$/);
    expect(changes).toEqual([]);
    // No defect of ours: nothing for an operator to look at.
    expect(logged).toEqual([]);
    const allowed = await send(method, request, { peer: elsewhere, allowRemoteAdmin: true });
    expect(allowed.code).toBeUndefined();
    expect(changes).toHaveLength(1);
  });

  test('of the very node that an operator announced is taken, also a second time', async () => {
    members = [member('n1'), member('n4', { incarnation: '', learner: true })];
    const request = { member: { ...n4, incarnation } };
    expect(await send('AddMember', request, { peer: elsewhere })).toMatchObject({ message: '' });
    members = [member('n1'), member('n4', { incarnation, learner: true })];
    expect(await send('AddMember', request, { peer: elsewhere })).toMatchObject({ message: '' });
    expect(changes).toHaveLength(2);
  });

  test.for([
    ['was not announced', 'n5', {}],
    ['was announced with another peer address', 'n4', { peerAddress: 'n4:1' }],
    ['was announced with another client address', 'n4', { clientAddress: 'n4:1' }],
    ['is bound to another data-dir (G14)', 'n4', { incarnation: '1'.repeat(32) }],
  ] as const)('of a node that %s is refused', async ([, name, parts]) => {
    members = [member('n1'), member(name, { incarnation: '', learner: true, ...parts })];
    const request = { member: { ...n4, incarnation } };
    const told = await send('AddMember', request, { peer: elsewhere });
    expect(told.code).toBe(status.PERMISSION_DENIED);
    expect(told.message).toContain('rollcall member add');
    expect(changes).toEqual([]);
  });
});

describe('a refusal of the node', () => {
  test.for([
    ['alreadyExists', status.ALREADY_EXISTS, 'already_exists'],
    ['notFound', status.NOT_FOUND, 'not_found'],
    ['failedPrecondition', status.FAILED_PRECONDITION, 'failed_precondition'],
    ['outcomeUnknown', status.ABORTED, 'outcome_unknown'],
    ['noQuorum', status.UNAVAILABLE, 'no_quorum'],
  ] as const)('%s keeps its sentence', async ([code, expected, word]) => {
    answer = () => Promise.reject(new RegistryError(code, 'a sentence'));
    expect(await send('RemoveMember', { node_id: 'n2' })).toMatchObject({
      code: expected,
      message: `${word}: a sentence`,
    });
  });
});
