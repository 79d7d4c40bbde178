// Who may talk, who agrees on a first record, and who is heard on consensus.
import { describe, expect, test } from 'vitest';
import { pino } from 'pino';
import { logIndex, nodeId } from '../../src/lib/ids.ts';
import { admission, type AdmissionRules } from '../../src/node/admission.ts';
import {
  clusterRecordOf,
  decodeClusterRecord,
  encodeClusterRecord,
} from '../../src/node/cluster-record.ts';
import { createFormation } from '../../src/node/formation.ts';
import {
  type ClusterRecord,
  type FormationFrame,
  type Hello,
  type MemberIdentity,
  PROTOCOL_VERSION,
} from '../../src/node/peer-protocol.ts';
import { Peers } from '../../src/node/peers.ts';
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
    record: undefined,
  };
  const formed: AdmissionRules = { ...forming, record };

  test.for([
    ['another protocol', { protocolVersion: 2 }, 'protocolVersion', 'same version'],
    ['another cluster id', { clusterId: 'x' }, 'otherCluster', '--cluster-id'],
    ['another target', { target: nodeId('n7') }, 'wrongTarget', '--initial-members'],
    ['another uuid', { clusterUuid: 'f'.repeat(32) }, 'otherCluster', 'two different clusters'],
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
    expect(formation.problem()).toContain('n3 already belong');
    formation.broken(n2.nodeId);
    expect(formation.problem()).toContain('waiting for n2');
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

const peers = (current: () => ClusterRecord | undefined): Peers =>
  new Peers({
    options: {
      self: n1,
      clusterId: 'rollcall',
      softwareVersion: '0.1.0',
      initialMembers: [n1, n2, n3],
      clock: new FakeClock(),
      log: pino({ level: 'silent' }),
    },
    record: current,
    configurationIndex: () => logIndex(1),
  });

describe('trust (G14)', () => {
  test('ends with the incarnation: a node let in while forming is not heard once another one is the member', () => {
    let known: ClusterRecord | undefined;
    const seen = peers(() => known);
    expect(seen.admit(hello(member('n3', 'n3-2')))).toBeUndefined();
    expect(seen.trusted(n3.nodeId)).toBe(false);
    known = record;
    expect(seen.trusted(n3.nodeId)).toBe(false);
    expect(seen.admit(hello(n3))).toBeUndefined();
    expect(seen.trusted(n3.nodeId)).toBe(true);
  });

  test('forgets a refusal that is not told again', async () => {
    const seen = peers(() => record);
    seen.refused(n3.nodeId, { reason: 'otherIncarnation', message: 'start it with its old disk' });
    expect(seen.problems()).toEqual(['start it with its old disk']);
    seen.connected(hello(n3));
    expect(seen.problems()).toEqual([]);
  });
});
