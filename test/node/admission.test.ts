// Who may talk, who agrees on a first record, and who is heard on consensus.
import { describe, expect, test } from 'vitest';
import { pino } from 'pino';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { admission, type AdmissionRules, knowsMore } from '../../src/node/admission.ts';
import {
  clusterRecordOf,
  decodeClusterRecord,
  encodeClusterRecord,
  encodeMembership,
  withMembers,
} from '../../src/node/cluster-record.ts';
import { createFormation } from '../../src/node/formation.ts';
import {
  type ClusterRecord,
  type FormationFrame,
  type Hello,
  type Member,
  type MemberIdentity,
  PROTOCOL_VERSION,
} from '../../src/node/peer-protocol.ts';
import { Peers } from '../../src/node/peers.ts';
import { Roster } from '../../src/node/roster.ts';
import type { Configuration } from '../../src/raft/index.ts';
import { FakeClock } from '../support/fake-clock.ts';

const member = (name: string, incarnation = `${name}-1`): MemberIdentity => ({
  nodeId: nodeId(name),
  incarnation: incarnation.padEnd(32, '0'),
  peerAddress: `${name}:7401`,
  clientAddress: `${name}:7400`,
});
const hello = (from: MemberIdentity, more: Partial<Hello> = {}): Hello => ({
  ...from,
  protocolVersion: PROTOCOL_VERSION,
  clusterId: 'rollcall',
  clusterUuid: '',
  softwareVersion: '0.1.0',
  target: nodeId('n1'),
  configurationIndex: logIndex(0),
  lastTerm: term(0),
  ...more,
});
const [n1, n2, n3] = [member('n1'), member('n2'), member('n3')];
const record = clusterRecordOf('rollcall', [n3, n1, n2]);

describe('the cluster record', () => {
  test('has the same bytes in whatever order the members are given, and reads back', () => {
    const other = clusterRecordOf('rollcall', [n1, n2, n3]);
    expect(encodeClusterRecord(other)).toEqual(encodeClusterRecord(record));
    expect(decodeClusterRecord(encodeClusterRecord(record))).toEqual(record);
  });

  test('has another uuid for another incarnation, address or cluster id', () => {
    const others = [
      clusterRecordOf('other', [n1, n2, n3]),
      clusterRecordOf('rollcall', [n1, n2, member('n3', 'n3-2')]),
      clusterRecordOf('rollcall', [n1, n2, { ...n3, peerAddress: 'elsewhere:1' }]),
      clusterRecordOf('rollcall', [n1, n2]),
    ];
    const uuids = new Set([record, ...others].map(({ clusterUuid }) => clusterUuid));
    expect(uuids.size).toBe(5);
  });

  test('is refused when any byte of it has changed', () => {
    const bytes = encodeClusterRecord(record);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(() => decodeClusterRecord(damaged), `byte ${at}`).toThrow();
    }
  });
});

describe('admission', () => {
  const forming: AdmissionRules = {
    self: n1,
    clusterId: 'rollcall',
    listed: [n1.nodeId, n2.nodeId],
    records: [],
    configurationIndex: logIndex(0),
    lastTerm: term(0),
    joining: undefined,
  };
  const formed: AdmissionRules = { ...forming, records: [record], configurationIndex: logIndex(1) };

  test.for([
    ['another protocol', { protocolVersion: 2 }, 'protocolVersion', 'same version'],
    ['another cluster id', { clusterId: 'x' }, 'otherCluster', '--cluster-id'],
    ['another target', { target: nodeId('n7') }, 'wrongTarget', '--initial-members'],
    [
      'another uuid',
      { clusterUuid: 'f'.repeat(32) },
      'otherCluster',
      'n2 (uuid ffffffff) hold data',
    ],
    ['no member', { nodeId: nodeId('n9') }, 'notAMember', 'not a member'],
    ['an empty disk', { incarnation: 'e'.repeat(32) }, 'otherIncarnation', 'old data directory'],
  ] as const)(
    'of %s is refused with a sentence that says what to do',
    ([, more, reason, words]) => {
      const refusal = admission(hello(n2, more), formed);
      expect(refusal?.reason).toBe(reason);
      expect(refusal?.message).toContain(words);
    },
  );

  test('takes members with their incarnation, formed or not yet', () => {
    expect(admission(hello(n2), formed)).toBeUndefined();
    expect(admission(hello(n2, { clusterUuid: record.clusterUuid }), formed)).toBeUndefined();
  });

  test('of a node that looks for its place in a former epoch names both, and what to do (G14)', () => {
    const joining = { members: [], clusterUuid: 'a'.repeat(32) };
    const refusal = admission(hello(n2, { clusterUuid: 'b'.repeat(32) }), { ...forming, joining });
    expect(refusal?.reason).toBe('otherCluster');
    expect(refusal?.message).toMatch(
      /^n2 belongs to a cluster with the uuid bbbbbbbb, .* aaaaaaaa: /,
    );
    expect(refusal?.message).toContain('rollcall snapshot restore or recover');
    expect(refusal?.message).toContain('with an empty data directory and --join');
  });

  test('while forming takes listed nodes only', () => {
    expect(admission(hello(n2), forming)).toBeUndefined();
    expect(admission(hello(n3), forming)?.reason).toBe('notAMember');
  });
});

const begin = () =>
  createFormation({ self: n1, clusterId: 'rollcall', listed: ['n1', 'n2', 'n3'].map(nodeId) });
const says = (proposedUuid: string, more: Partial<FormationFrame> = {}): FormationFrame => ({
  kind: 'formation',
  known: [n1, n2, n3],
  proposedUuid,
  formed: false,
  ...more,
});

describe('formation', () => {
  test('gives the record only when every other member has named it', () => {
    const formation = begin();
    formation.connected(hello(n2));
    expect(formation.problem()).toContain('waiting for n3 to be reached');
    formation.connected(hello(n3));
    expect(formation.frame().proposedUuid).toBe(record.clusterUuid);
    expect(formation.record()).toBeUndefined();
    formation.heard(n2.nodeId, says(record.clusterUuid));
    expect(formation.record()).toBeUndefined();
    expect(formation.problem()).toContain('waiting for n3 to reach every member');
    formation.heard(n3.nodeId, says(record.clusterUuid));
    expect(formation.record()).toEqual(record);
  });

  test('forgets what a node said in an earlier incarnation', () => {
    const formation = begin();
    formation.connected(hello(n2));
    formation.connected(hello(n3));
    formation.heard(n2.nodeId, says(record.clusterUuid));
    formation.heard(n3.nodeId, says(record.clusterUuid));
    formation.connected(hello(member('n3', 'n3-2')));
    expect(formation.record()).toBeUndefined();
  });

  test('proposes nothing while a member is away or belongs to a cluster', () => {
    const formation = begin();
    formation.connected(hello(n2));
    formation.connected(hello(n3, { clusterUuid: 'f'.repeat(32) }));
    expect(formation.frame().proposedUuid).toBe('');
    expect(formation.problem()).toContain('n3 already belongs to one');
    formation.broken(n2.nodeId);
    // Whoever is away, no cluster will form here: what there is to do comes first.
    expect(formation.problem()).toContain('start it with --join');
    formation.broken(n3.nodeId);
    expect(formation.problem()).toContain('waiting for n2 and n3');
  });

  test('takes a formed record over only if it names this node in this incarnation and is what it says', () => {
    const stranger = clusterRecordOf('rollcall', [member('n1', 'n1-0'), n2, n3]);
    const frames: [FormationFrame, ClusterRecord | undefined][] = [
      [says(record.clusterUuid, { formed: true }), record],
      [says('f'.repeat(32), { formed: true }), undefined],
      [says(stranger.clusterUuid, { formed: true, known: stranger.members }), undefined],
    ];
    for (const [frame, expected] of frames) {
      const formation = begin();
      formation.heard(n2.nodeId, frame);
      expect(formation.record()).toEqual(expected);
    }
  });
});

const bootstrap = { index: logIndex(1), payload: encodeClusterRecord(record) };
const nothing = { index: logIndex(0), payload: new Uint8Array() };
const at = (index: number, members: readonly Member[]): Configuration => ({
  index: logIndex(index),
  payload: encodeMembership(withMembers(record, members)),
});

/** n1 as it sees the others, its log empty. */
function begun(self: MemberIdentity = n1): { readonly seen: Peers; readonly roster: Roster } {
  const hardState = { term: term(1), votedFor: undefined, commitIndex: logIndex(0) };
  const floor = { index: logIndex(0), term: term(0), configuration: nothing };
  const roster = new Roster(self, { hardState, floor, configurations: [] });
  const seen = new Peers({
    options: {
      self,
      clusterId: 'rollcall',
      softwareVersion: '0.1.0',
      initialMembers: [n1, n2, n3],
      clock: new FakeClock(),
      log: pino({ level: 'silent' }),
    },
    roster,
    lastTerm: () => term(0),
  });
  return { seen, roster };
}

describe('trust (G14)', () => {
  test('ends with the incarnation: a node let in while forming is not heard once another one is the member', () => {
    const { seen, roster } = begun();
    expect(seen.admit(hello(member('n3', 'n3-2')))).toBeUndefined();
    expect(seen.trusted(n3.nodeId, undefined)).toBe(false);
    roster.inEffect(bootstrap);
    expect(seen.trusted(n3.nodeId, undefined)).toBe(false);
    expect(seen.admit(hello(n3))).toBeUndefined();
    expect(seen.trusted(n3.nodeId, undefined)).toBe(true);
  });

  test('lasts for a removed member until its removal is settled, and for the leader until another leads', () => {
    const { seen, roster } = begun();
    roster.inEffect(bootstrap);
    roster.settle(bootstrap);
    seen.admit(hello(n3, { clusterUuid: record.clusterUuid }));
    const without = at(9, record.members.slice(0, 2));
    roster.inEffect(without);
    expect(seen.trusted(n3.nodeId, undefined)).toBe(true);
    roster.settle(without);
    expect(seen.trusted(n3.nodeId, n3.nodeId)).toBe(true);
    expect(seen.takeUnwelcome(n3.nodeId)).toEqual([]);
    expect(seen.trusted(n3.nodeId, n2.nodeId)).toBe(false);
    expect(seen.takeUnwelcome(n2.nodeId)).toEqual([n3.nodeId]);
    expect(seen.takeUnwelcome(n2.nodeId)).toEqual([]);
    expect(seen.admit(hello(n3, { clusterUuid: record.clusterUuid }))?.reason).toBe('removed');
  });

  test('is not given to another data-dir under the name of the leader', () => {
    const { seen, roster } = begun();
    roster.inEffect(bootstrap);
    seen.admit(
      hello(member('n3', 'n3-2'), {
        clusterUuid: record.clusterUuid,
        configurationIndex: logIndex(20),
      }),
    );
    expect(seen.trusted(n3.nodeId, undefined)).toBe(true);
    const back = at(20, record.members);
    roster.inEffect(back);
    roster.settle(back);
    expect(seen.trusted(n3.nodeId, n3.nodeId)).toBe(false);
  });

  test('is given to a stranger who knows a newer configuration, until it is known here', () => {
    const { seen, roster } = begun();
    roster.inEffect(bootstrap);
    const n7 = member('n7');
    const greeting = hello(n7, {
      clusterUuid: record.clusterUuid,
      configurationIndex: logIndex(9),
    });
    expect(seen.admit({ ...greeting, configurationIndex: logIndex(1) })?.reason).toBe('removed');
    expect(seen.admit(greeting)).toBeUndefined();
    expect(seen.trusted(n7.nodeId, undefined)).toBe(true);
    expect(seen.others(undefined)).toContainEqual({ nodeId: n7.nodeId, address: n7.peerAddress });
    const known = at(9, [...record.members, { ...n7, learner: false }]);
    roster.inEffect(known);
    roster.settle(known);
    expect(seen.trusted(n7.nodeId, undefined)).toBe(true);
    const gone = at(12, record.members);
    roster.inEffect(gone);
    roster.settle(gone);
    expect(seen.trusted(n7.nodeId, undefined)).toBe(false);
    expect(seen.others(undefined).map(({ nodeId: id }) => id)).toEqual([n2.nodeId, n3.nodeId]);
  });

  test('is given by the last term before the index, which a change that came to nothing may have raised', () => {
    const own = { configurationIndex: logIndex(63), lastTerm: term(2) };
    const later = { clusterUuid: record.clusterUuid, configurationIndex: logIndex(6) };
    expect(knowsMore(hello(n2, { ...later, lastTerm: term(3) }), own)).toBe(true);
    expect(knowsMore(hello(n2, { ...later, lastTerm: term(2) }), own)).toBe(false);
    const higher = { ...later, configurationIndex: logIndex(64) };
    expect(knowsMore(hello(n2, { ...higher, lastTerm: term(2) }), own)).toBe(true);
    expect(knowsMore(hello(n2, { ...higher, lastTerm: term(1) }), own)).toBe(false);
    expect(knowsMore(hello(n2, { ...higher, lastTerm: term(3), clusterUuid: '' }), own)).toBe(
      false,
    );
  });

  test('to count is the member of the configuration in effect, whoever else is heard (G14)', () => {
    const { seen, roster } = begun();
    roster.inEffect(bootstrap);
    roster.settle(bootstrap);
    const uuid = { clusterUuid: record.clusterUuid };
    const impostor = hello(member('n3', 'n3-0'), { ...uuid, lastTerm: term(9) });
    expect(seen.admit(impostor)).toBeUndefined();
    seen.connected(impostor);
    expect(seen.trusted(n3.nodeId, undefined)).toBe(true);
    expect(seen.answersAsMember(n3.nodeId)).toBe(false);
    expect(seen.reachesMember(n3.nodeId)).toBe(false);
    seen.admit(hello(n3, uuid));
    seen.connected(hello(n3, uuid));
    expect(seen.answersAsMember(n3.nodeId)).toBe(true);
    expect(seen.reachesMember(n3.nodeId)).toBe(true);
    roster.inEffect(at(9, record.members.slice(0, 2)));
    expect(seen.trusted(n3.nodeId, undefined)).toBe(true);
    expect(seen.answersAsMember(n3.nodeId)).toBe(false);
  });

  test('to lead is not put in a node of the version before, which would not understand', () => {
    const { seen } = begun();
    expect(seen.canTakeOver(n2.nodeId)).toBe(false);
    seen.connected(hello(n2, { clusterUuid: record.clusterUuid }));
    expect(seen.canTakeOver(n2.nodeId)).toBe(false);
    seen.connected(hello(n2, { clusterUuid: record.clusterUuid, configurationIndex: logIndex(1) }));
    expect(seen.canTakeOver(n2.nodeId)).toBe(true);
    // Not yet formed when the stream began.
    seen.connected(hello(n2));
    expect(seen.canTakeOver(n2.nodeId)).toBe(true);
  });

  test('forgets a refusal that is not told again', async () => {
    const { seen } = begun();
    seen.refused(n3.nodeId, { reason: 'otherIncarnation', message: 'start it with its old disk' });
    expect(seen.problems()).toEqual(['start it with its old disk']);
    seen.connected(hello(n3));
    expect(seen.problems()).toEqual([]);
  });
});
