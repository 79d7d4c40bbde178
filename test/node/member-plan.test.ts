// What each change of the members comes to, for each state a member can be in.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import {
  clusterRecordOf,
  decodeClusterRecord,
  encodeClusterRecord,
  encodeMembership,
  membershipOf,
  withMembers,
} from '../../src/node/cluster-record.ts';
import { type MemberPlan, planChange } from '../../src/node/member-plan.ts';
import type { Member } from '../../src/node/peer-protocol.ts';

const member = (id: string, more: Partial<Member> = {}): Member => ({
  nodeId: nodeId(id),
  incarnation: `${id}-1`.padEnd(32, '0'),
  peerAddress: `${id}:7401`,
  clientAddress: `${id}:7400`,
  learner: false,
  ...more,
});
const first = clusterRecordOf('rollcall', [member('n1'), member('n2')]);
const record = withMembers(first, [
  ...first.members,
  member('n3', { learner: true }),
  member('n4', { learner: true, incarnation: '' }),
]);
const add = (added: Member) => planChange(record, { kind: 'add', member: added });
const promote = (id: string) => planChange(record, { kind: 'promote', nodeId: nodeId(id) });
const remove = (id: string) => planChange(record, { kind: 'remove', nodeId: nodeId(id) });
/** `n1 n2 n3? n4?`, or what was refused. */
const summary = (plan: MemberPlan): string => {
  if (plan.kind === 'refused') return `${plan.code}: ${plan.message}`;
  if (plan.kind === 'done') return 'done';
  const names = plan.record.members.map(({ nodeId: id, learner }) => `${id}${learner ? '?' : ''}`);
  return names.join(' ');
};

describe('add', () => {
  test('takes a newcomer as a learner, whatever it asks to be', () => {
    expect(summary(add(member('n5')))).toBe('n1 n2 n3? n4? n5?');
    expect(summary(add(member('n0', { incarnation: '' })))).toBe('n0? n1 n2 n3? n4?');
  });

  test('of the very same data-dir is done already, and tells where it has moved to', () => {
    expect(summary(add(member('n2', { learner: true })))).toBe('done');
    expect(summary(add(member('n4', { incarnation: '' })))).toBe('done');
    const moved = add(member('n2', { peerAddress: 'elsewhere:7401' }));
    expect(moved.kind === 'propose' && moved.record.members[1]).toEqual(
      member('n2', { peerAddress: 'elsewhere:7401' }),
    );
  });

  test('binds the name that was announced to the data-dir that comes', () => {
    const bound = add(member('n4'));
    expect(bound.kind === 'propose' && bound.record.members[3]).toEqual(
      member('n4', { learner: true }),
    );
  });

  test.for([
    [
      'a name in use',
      member('n2', { incarnation: 'f'.repeat(32) }),
      'alreadyExists: n2 is a member already',
    ],
    ['a name in use, without a data-dir', member('n2', { incarnation: '' }), 'alreadyExists: n2'],
    [
      'an address in use',
      member('n5', { peerAddress: 'n1:7401' }),
      'alreadyExists: the peer address n1:7401',
    ],
  ] as const)('of %s is refused', ([, added, words]) => {
    expect(summary(add(added))).toContain(words);
  });

  test('keeps to a number of members', () => {
    const names = Array.from({ length: 32 }, (_, at) => `m${at}`);
    const many = withMembers(
      first,
      names.map((name) => member(name)),
    );
    const plan = planChange(many, { kind: 'add', member: member('n1') });
    expect(summary(plan)).toContain('limit 32');
  });
});

describe('promote', () => {
  test('makes a learner a voter', () => {
    expect(summary(promote('n3'))).toBe('n1 n2 n3 n4?');
    expect(summary(promote('n1'))).toBe('done');
  });

  test('is refused for who is not there', () => {
    expect(summary(promote('n4'))).toContain(
      'failedPrecondition: n4 was announced and has not come',
    );
    expect(summary(promote('n9'))).toBe('notFound: n9 is not a member of the cluster');
  });
});

describe('remove', () => {
  test('takes out voters, learners and names that were only announced', () => {
    expect(summary(remove('n1'))).toBe('n2 n3? n4?');
    expect(summary(remove('n3'))).toBe('n1 n2 n4?');
    expect(summary(remove('n4'))).toBe('n1 n2 n3?');
  });

  test('leaves at least one vote', () => {
    const alone = withMembers(record, record.members.slice(1));
    const plan = planChange(alone, { kind: 'remove', nodeId: nodeId('n2') });
    expect(summary(plan)).toContain('failedPrecondition: n2 is the only member with a vote');
    expect(summary(remove('n9'))).toContain('notFound');
  });
});

describe('the record of a membership entry', () => {
  test('keeps the uuid of the first one and says who votes', () => {
    const read = decodeClusterRecord(encodeMembership(record));
    expect(read).toEqual(record);
    expect(read.clusterUuid).toBe(first.clusterUuid);
    const self = { nodeId: nodeId('n9'), incarnation: '' };
    expect(membershipOf(encodeMembership(record), self)).toEqual({
      voters: ['n1', 'n2'],
      learners: ['n3', 'n4'],
    });
    expect(membershipOf(encodeClusterRecord(first), self)).toEqual({
      voters: ['n1', 'n2'],
      learners: [],
    });
  });

  test('names another data-dir of this node as nobody, and takes no vote away (G14)', () => {
    const payload = encodeMembership(record);
    const [n1] = record.members;
    expect(membershipOf(payload, n1 ?? expect.fail())).toEqual(
      membershipOf(payload, { nodeId: nodeId('n9'), incarnation: '' }),
    );
    const { voters, learners } = membershipOf(payload, { nodeId: nodeId('n1'), incarnation: 'x' });
    expect(voters).toHaveLength(2);
    expect(voters).not.toContain('n1');
    expect(voters.toSorted()).toEqual(voters);
    expect(learners).toEqual(['n3', 'n4']);
  });
});
