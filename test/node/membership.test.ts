// The members of a cluster change while it lives: adding, promoting, removing, replacing.
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import type { Member } from '../../src/node/peer-protocol.ts';
import { selectorOf } from '../registry/fixtures.ts';
import { simWatchFormat } from '../sim/record-text.ts';
import { LINEARIZABLE, MemoryCluster, registration } from '../support/memory-cluster.ts';

const announced = (id: string, more: Partial<Member> = {}): Member => ({
  nodeId: nodeId(id),
  incarnation: '',
  peerAddress: `memory:${id}`,
  clientAddress: `client:${id}`,
  learner: true,
  ...more,
});
const promote = (id: string) => ({ kind: 'promote', nodeId: nodeId(id) }) as const;
const remove = (id: string) => ({ kind: 'remove', nodeId: nodeId(id) }) as const;

/** A leader, and the followers in order. */
function roles(cluster: MemoryCluster): readonly [string, ...string[]] {
  const leader = cluster.leader();
  if (leader === undefined) throw new Error('nobody leads');
  return [leader, ...cluster.followers()];
}

/** Every node has the instance, and the same state. */
async function expectEqualStates(cluster: MemoryCluster): Promise<void> {
  await cluster.level();
  const states = new Set(cluster.ids.map((id) => cluster.node(id).status().stateHash));
  expect(states.size).toBe(1);
  expect(cluster.fatals).toEqual([]);
}

describe('a node that joins', () => {
  test('is added as a learner, gets the log, counts for nothing, and votes once promoted', async () => {
    const cluster = await MemoryCluster.elected();
    for (let i = 0; i < 50; i++) await cluster.register('n1', `before-${i}`);
    const node = await cluster.join('n4');
    expect(cluster.members('n4')).toBe('n1 n2 n3 n4?');
    expect(node.status()).toMatchObject({ learner: true, problems: [], instances: 50 });
    await cluster.read('n4');
    // Two of three voters are gone: the learner makes no majority.
    const [leader, one = '', other = ''] = roles(cluster).filter((id) => id !== 'n4');
    await cluster.crash(one);
    await cluster.register('n4', 'with one gone');
    await cluster.startNode(one);
    await cluster.settled();
    expect(await cluster.change(other, promote('n4'))).toEqual(['n1', 'n2', 'n3', 'n4']);
    expect(cluster.node('n4').status().learner).toBe(false);
    // Three of four voters are enough, the new one among them.
    await cluster.crash(other);
    await cluster.register('n4', 'as a voter');
    expect(leader).toBeDefined();
    await cluster.startNode(other);
    await expectEqualStates(cluster);
  });

  test('does not let a majority of members without votes commit', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.join('n4');
    await cluster.join('n5');
    const voters = roles(cluster).filter((id) => id !== 'n4' && id !== 'n5');
    await cluster.crash(voters[1] ?? '');
    await cluster.crash(voters[2] ?? '');
    const outcome = await cluster.outcome(cluster.write(voters[0] ?? '', registration('lonely')));
    expect('error' in outcome && outcome.error.code).toMatch(/noQuorum|outcomeUnknown/);
  });

  test('is in the data-dir as formed only once its log says that it is a member', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.join('n4');
    await cluster.clock.advance(100);
    expect(cluster.disk('n4').formed).toBe(cluster.node('n1').status().clusterUuid);
    expect(cluster.disk('n4').log.entries[0]?.kind).toBe('bootstrap');
  });

  test('starts again in the middle and is the same member', async () => {
    const cluster = await MemoryCluster.elected();
    for (const id of ['n1', 'n2', 'n3']) cluster.network.cut(id, 'n4');
    await cluster.startNode('n4', { join: true });
    await cluster.clock.until(() => cluster.members('n1') === 'n1 n2 n3 n4?', 'n4 added');
    expect(cluster.node('n4').status().problems[0]).toContain('waits for the leader');
    expect(cluster.node('n4').status().caughtUp).toBe(false);
    await cluster.crash('n4');
    cluster.network.heal();
    await cluster.join('n4');
    expect(cluster.members('n1')).toBe('n1 n2 n3 n4?');
    await expectEqualStates(cluster);
  });

  test('that has only entries from before its time is not formed, and begins again with them', async () => {
    const clock: { after?: (ms: number, then: () => void) => unknown } = {};
    const slowly = (): Promise<void> =>
      new Promise((resolve) => clock.after?.(20, () => resolve()));
    const cluster = await MemoryCluster.elected({
      raftLimits: { maxAppendBytes: 200, maxInflightMessages: 1 },
      log: (id) => (id === 'n3' && clock.after !== undefined ? { beforeDurable: slowly } : {}),
    });
    clock.after = (ms, then) => cluster.clock.after(ms, then);
    for (let i = 0; i < 50; i++) await cluster.register('n1', `i-${i}`);
    // The name is that of a former member, so the log tells first of another data-dir.
    await cluster.crash('n3');
    cluster.wipe('n3');
    await cluster.settled();
    await cluster.change('n1', remove('n3'));
    await cluster.startNode('n3', { join: true });
    const { log } = cluster.disk('n3');
    await cluster.clock.until(() => log.entries.length > 5, 'a part of the log');
    expect(log.entries.some(({ kind }) => kind === 'membership')).toBe(false);
    expect(cluster.disk('n3').formed).toBeUndefined();
    await cluster.crash('n3');
    await cluster.startNode('n3', { join: true });
    await expectEqualStates(cluster);
    await cluster.clock.advance(200);
    expect(cluster.disk('n3').formed).toBeDefined();
    expect(cluster.members('n3')).toBe('n1 n2 n3?');
  });

  test('waits, serves nothing and says why while nobody takes it in', async () => {
    const cluster = await MemoryCluster.start({ started: [] });
    await cluster.startNode('n4', { join: true });
    await cluster.clock.advance(5000);
    const { problems, caughtUp } = cluster.node('n4').status();
    expect(problems[0]).toContain('asks the cluster to add it');
    expect(problems[0]).toContain('nobody is there');
    expect(caughtUp).toBe(false);
    const stale = { ...LINEARIZABLE, consistency: 'stale' } as const;
    const outcome = await cluster.outcome(cluster.node('n4').read(stale));
    expect('error' in outcome && outcome.error.code).toBe('noQuorum');
  });

  test('may be announced first, and is bound to the data-dir that comes', async () => {
    const cluster = await MemoryCluster.elected();
    const add = { kind: 'add', member: announced('n4') } as const;
    await cluster.change('n1', add);
    const promotion = await cluster.outcome(cluster.node('n2').changeMembers(promote('n4'), {}));
    expect('error' in promotion && promotion.error).toMatchObject({
      code: 'failedPrecondition',
      message: expect.stringContaining('has not come yet'),
    });
    await cluster.join('n4');
    const member = cluster
      .node('n1')
      .status()
      .members.find((one) => one.nodeId === 'n4');
    expect(member?.incarnation).toBe(cluster.disk('n4').incarnation);
    await cluster.change('n4', promote('n4'));
    await expectEqualStates(cluster);
  });
});

describe('a removed member', () => {
  test('that follows is told, disturbs nobody, and answers stale reads only', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'kept');
    const [leader, gone, other = ''] = roles(cluster);
    const { term } = cluster.node(leader).status();
    const left = cluster.node(gone ?? '');
    const ends: string[] = [];
    left.watches.open({
      selector: selectorOf({ namespace: 'default' }),
      resumeToken: '',
      format: simWatchFormat,
      sink: { write: () => true, end: ({ message }) => ends.push(message) },
      acknowledges: false,
    });
    expect(await cluster.change(other, remove(gone ?? ''))).toHaveLength(2);
    await cluster.clock.until(
      () => left.status().problems.some((problem) => problem.includes('was removed')),
      'the removed node says so',
      10_000,
      () => cluster.picture(),
    );
    await cluster.clock.advance(10_000);
    // Nothing new comes there any more: its readers are sent elsewhere (G6).
    expect(ends).toEqual([expect.stringContaining('was removed')]);
    expect(cluster.node(leader).status()).toMatchObject({ role: 'leader', term });
    await cluster.register(other, 'without it');
    expect(left.registry.get('default', 'kept')).toBeDefined();
    await cluster.read(gone ?? '', { consistency: 'stale' });
    const read = await cluster.outcome(cluster.read(gone ?? ''));
    expect('error' in read && read.error.message).toContain('was removed');
    // Its writers are told at once: they need not wait as they do for a leader.
    const askedMs = cluster.clock.now();
    const write = await cluster.outcome(cluster.write(gone ?? '', registration('there')));
    expect('error' in write && write.error.message).toContain('was removed');
    expect(cluster.clock.now() - askedMs).toBeLessThan(1100);
    expect(left.status().problems[0]).toContain('--join');
    // It stays so when it starts again.
    await cluster.crash(gone ?? '');
    await cluster.startNode(gone ?? '');
    await cluster.clock.advance(5000);
    expect(cluster.node(leader).status()).toMatchObject({ role: 'leader', term });
    expect(
      cluster
        .node(gone ?? '')
        .status()
        .problems.join(),
    ).toContain('was removed');
  });

  test('that leads hands over once it is committed, and the rest go on', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'kept');
    const [leader, one = '', other = ''] = roles(cluster);
    const startMs = cluster.clock.now();
    expect(await cluster.change(leader, remove(leader))).toEqual([one, other].toSorted());
    await cluster.register(one, 'after');
    expect(cluster.clock.now() - startMs).toBeLessThan(300);
    await cluster.clock.until(
      () =>
        cluster
          .node(leader)
          .status()
          .problems.some((problem) => problem.includes('was removed')),
      'the removed leader says so',
    );
    expect(cluster.members(one)).toBe([one, other].toSorted().join(' '));
    await cluster.clock.advance(5000);
    expect(cluster.node(one).status().term).toBe(cluster.node(other).status().term);
    expect(cluster.fatals).toEqual([]);
  });

  test('that leads under load hands over as fast, although the others have applied its removal', async () => {
    const clock: { after?: (ms: number, then: () => void) => unknown } = {};
    const slowly = (): Promise<void> =>
      new Promise((resolve) => {
        if (clock.after === undefined) resolve();
        else clock.after(25, () => resolve());
      });
    const cluster = await MemoryCluster.elected({ log: () => ({ beforeDurable: slowly }) });
    const [leader, one = ''] = roles(cluster);
    clock.after = (ms, then) => cluster.clock.after(ms, then);
    const removal = cluster.outcome(cluster.node(leader).changeMembers(remove(leader), {}));
    let writes = 0;
    const startMs = cluster.clock.now();
    const leads = (id: string): boolean => cluster.node(id).status().role === 'leader';
    while (!cluster.ids.some((id) => id !== leader && leads(id))) {
      void cluster.outcome(cluster.write(one, registration(`load-${++writes}`)));
      await cluster.clock.advance(3);
      expect(cluster.clock.now() - startMs).toBeLessThan(280);
    }
    expect('value' in (await removal)).toBe(true);
    await cluster.clock.advance(2000);
    await cluster.read(one);
    expect(cluster.node(one).registry.instanceCount).toBe(writes);
  });

  test('that lost its disk comes back as another incarnation and votes again', async () => {
    const cluster = await MemoryCluster.elected();
    await cluster.register('n1', 'precious');
    const [leader, lost = ''] = roles(cluster);
    await cluster.crash(lost);
    cluster.wipe(lost);
    await cluster.startNode(lost, { join: true });
    await cluster.clock.until(
      () => cluster.node(lost).status().problems.join().includes('is a member already'),
      'the old name is refused',
    );
    await cluster.change(leader, remove(lost));
    await cluster.level();
    expect(cluster.node(lost).registry.get('default', 'precious')).toBeDefined();
    await cluster.change(leader, promote(lost));
    expect(cluster.members(lost)).toBe('n1 n2 n3');
    const member = cluster
      .node(leader)
      .status()
      .members.find((one) => one.nodeId === lost);
    expect(member?.incarnation).toBe(cluster.disk(lost).incarnation);
    // It counts: with it, one of the other two may be away.
    await cluster.crash(leader);
    await cluster.settled();
    await cluster.register(lost, 'with two of three');
    // And it reads of its former self in its log without taking itself for a stranger.
    await cluster.crash(lost);
    await cluster.startNode(lost);
    await cluster.startNode(leader);
    await expectEqualStates(cluster);
  });
});

describe('a node that was away', () => {
  test('during three changes catches up from a leader it never knew', async () => {
    const cluster = await MemoryCluster.elected();
    const [away = ''] = cluster.followers();
    await cluster.crash(away);
    const rest = cluster.ids;
    for (const id of ['n4', 'n5']) {
      await cluster.join(id);
      await cluster.change(id, promote(id));
    }
    // The members it knew are both gone.
    for (const id of rest) {
      await cluster.change('n4', remove(id));
      await cluster.crash(id);
      await cluster.settled();
    }
    await cluster.register('n5', 'news');
    await cluster.startNode(away);
    await expectEqualStates(cluster);
    expect(cluster.node(away).registry.get('default', 'news')).toBeDefined();
    expect(cluster.members(away)).toBe([away, 'n4', 'n5'].toSorted().join(' '));
    expect(cluster.node(away).status().problems).toEqual([]);
  });
});
