// What becomes, step by step, of a member whose data-dir lost its log and took a new incarnation.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import {
  clusterRecordOf,
  decodeClusterRecord,
  encodeMembership,
  withMembers,
} from '../../src/node/cluster-record.ts';
import { type MemberPlan, planChange, planReturn } from '../../src/node/member-plan.ts';
import type { ClusterRecord, MemberIdentity } from '../../src/node/peer-protocol.ts';

/** The data-dir number `life` of a name. */
const dataDir = (id: string, life = 1): MemberIdentity => ({
  nodeId: nodeId(id),
  incarnation: `${id}-${life}`.padEnd(32, '0'),
  peerAddress: `${id}:7401`,
  clientAddress: `${id}:7400`,
});
const lives = (id: string, ...numbers: number[]): readonly string[] =>
  numbers.map((life) => dataDir(id, life).incarnation);
const three = clusterRecordOf('rollcall', [dataDir('n1'), dataDir('n2'), dataDir('n3')]);

const replace = (record: ClusterRecord, member: MemberIdentity, lost: readonly string[]) =>
  planChange(record, { kind: 'replace', member, lost });
const proposed = (plan: MemberPlan): ClusterRecord =>
  plan.kind === 'propose' ? plan.record : expect.fail(JSON.stringify(plan));
const refusal = (plan: MemberPlan): string =>
  plan.kind === 'refused' ? `${plan.code}: ${plan.message}` : expect.fail(JSON.stringify(plan));
const back = (record: ClusterRecord): MemberPlan =>
  planReturn(record, record.replacing?.[0] ?? expect.fail());
const brief = ({ incarnation }: MemberIdentity): string => incarnation.replace(/0+$/, '');
/** `n1-1 n3-1 | n2-2`: members, learners with a question mark, and who is on the way back. */
function picture({ members, replacing = [] }: ClusterRecord): string {
  const there = members.map((member) => `${brief(member)}${member.learner ? '?' : ''}`);
  const coming = replacing.map(({ member, voter }) => `${brief(member)}${voter ? '' : '?'}`);
  return [...there, ...(coming.length > 0 ? ['|', ...coming] : [])].join(' ');
}

describe('a member whose log is lost', () => {
  test('is removed, added as a learner, and given its vote, one step at a time', () => {
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    expect(picture(removed)).toBe('n1-1 n3-1 | n2-2');
    const added = proposed(back(removed));
    expect(picture(added)).toBe('n1-1 n2-2? n3-1 | n2-2');
    expect(picture(proposed(back(added)))).toBe('n1-1 n2-2 n3-1');
  });

  test('asks again at any step without effect', () => {
    const ask = (record: ClusterRecord) => replace(record, dataDir('n2', 2), lives('n2', 1)).kind;
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    const added = proposed(back(removed));
    expect(ask(removed)).toBe('done');
    expect(ask(added)).toBe('done');
    expect(ask(proposed(back(added)))).toBe('done');
  });

  test('stays a learner if it was one', () => {
    const [n1, n2, n3] = three.members.map((member) => ({
      ...member,
      learner: member.nodeId === 'n2',
    }));
    const learning = withMembers(
      three,
      [n1, n2, n3].flatMap((one) => one ?? []),
    );
    const removed = proposed(replace(learning, dataDir('n2', 2), lives('n2', 1)));
    expect(picture(removed)).toBe('n1-1 n3-1 | n2-2?');
    expect(picture(proposed(back(removed)))).toBe('n1-1 n2-2? n3-1');
  });

  test('that loses its log again, at any step, is replaced by the newest, and keeps its claim to a vote', () => {
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    const again = proposed(replace(removed, dataDir('n2', 3), lives('n2', 2, 1)));
    expect(picture(again)).toBe('n1-1 n3-1 | n2-3');
    const added = proposed(back(removed));
    const later = proposed(replace(added, dataDir('n2', 3), lives('n2', 2)));
    expect(picture(later)).toBe('n1-1 n3-1 | n2-3');
  });

  test.for([
    ['with another data directory under its name', three, ['f'.repeat(32)], 'alreadyExists: n2 is'],
    ['that was announced anew', announcedAnew(), lives('n2', 1), 'alreadyExists: n2 is a member'],
    ['that an operator removed', without('n2'), lives('n2', 1), 'notFound: n2 was removed'],
    ['that is the only voter', without('n1', 'n3'), lives('n2', 1), 'failedPrecondition: n2 is'],
  ] as const)('%s is refused', ([, record, lost, words]) => {
    expect(refusal(replace(record, dataDir('n2', 2), lost))).toContain(words);
  });

  test('is refused at the address of another, before anything is removed', () => {
    const member = { ...dataDir('n2', 2), peerAddress: 'n3:7401' };
    expect(refusal(replace(three, member, lives('n2', 1)))).toContain('that of n3');
  });

  test('can be taken out by an operator at any step', () => {
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    const remove = { kind: 'remove', nodeId: nodeId('n2') } as const;
    expect(picture(proposed(planChange(removed, remove)))).toBe('n1-1 n3-1');
    const added = proposed(back(removed));
    expect(picture(proposed(planChange(added, remove)))).toBe('n1-1 n3-1');
  });

  test('keeps its name and its address while it is on the way', () => {
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    const namesake = { ...dataDir('n2', 9), learner: true };
    expect(refusal(planChange(removed, { kind: 'add', member: namesake }))).toContain('n2 is a');
    const neighbour = { ...dataDir('n4'), peerAddress: 'n2:7401', learner: true };
    expect(refusal(planChange(removed, { kind: 'add', member: neighbour }))).toContain('of n2');
  });
});

describe('the record of a cluster that takes a member back', () => {
  test('says who is on the way, and a version before reads the rest of it', () => {
    const removed = proposed(replace(three, dataDir('n2', 2), lives('n2', 1)));
    const read = decodeClusterRecord(encodeMembership(removed));
    expect(read).toEqual(removed);
    expect(read.replacing).toEqual([
      { member: dataDir('n2', 2), lost: dataDir('n2').incarnation, voter: true },
    ]);
    expect(decodeClusterRecord(encodeMembership(three))).toEqual(three);
  });

  test('keeps more than one, sorted by name', () => {
    const one = proposed(replace(three, dataDir('n3', 2), lives('n3', 1)));
    const two = proposed(replace(one, dataDir('n2', 2), lives('n2', 1)));
    expect(picture(two)).toBe('n1-1 | n2-2 n3-2');
  });
});

function without(...ids: readonly string[]): ClusterRecord {
  return withMembers(
    three,
    three.members.filter(({ nodeId: id }) => !ids.includes(id)),
  );
}

function announcedAnew(): ClusterRecord {
  const members = three.members.map((member) =>
    member.nodeId === 'n2' ? { ...member, incarnation: '', learner: true } : member,
  );
  return withMembers(three, members);
}
