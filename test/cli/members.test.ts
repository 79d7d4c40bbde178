// The commands about members: what they ask of the cluster, what they print, and with which exit code they end.
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { FakeContext } from '../support/cli-context.ts';
import { type Answer, type Asked, ScriptedRegistry } from '../support/scripted-registry.ts';

const incarnation = 'a'.repeat(32);
const voter = {
  node_id: 'n1',
  peer_address: '10.0.0.1:7401',
  client_address: '10.0.0.1:7400',
  learner: false,
  incarnation,
};
const announced = {
  node_id: 'n4',
  peer_address: '10.0.0.4:7401',
  client_address: '10.0.0.4:7400',
  learner: true,
  incarnation: '',
};

const ok = (message: object): Answer => ({ kind: 'ok', message });
const error = (code: status, details: string): Answer => ({ kind: 'error', code, details });

/** Runs the command against one scripted node, `answer` for everything but Status. */
async function ask(line: string, answer: (asked: Asked) => Answer, nodeStatus: object = {}) {
  await using registry = await ScriptedRegistry.start((asked) =>
    asked.method === 'Status' ? ok(nodeStatus) : answer(asked),
  );
  const context = new FakeContext();
  context.environment['ROLLCALL_ENDPOINTS'] = registry.endpoint;
  const exitCode = await runProgram(line.split(' '), context, '1.2.3');
  const asked = registry.asked.filter(({ method }) => method !== 'Status');
  const { endpoint } = registry;
  return { exitCode, out: context.out.join('\n'), err: context.err.join('\n'), asked, endpoint };
}

describe('rollcall member', () => {
  test('add announces a node and says how to start it', async () => {
    const line = 'member add n4 10.0.0.4:7401 10.0.0.4:7400';
    const { exitCode, out, asked, endpoint } = await ask(line, () =>
      ok({ members: [voter, announced] }),
    );
    expect(exitCode).toBe(0);
    expect(asked).toEqual([
      { method: 'AddMember', request: { member: { ...announced, learner: false } } },
    ]);
    expect(out.split('\n')).toEqual([
      `n4 is announced: start it with an empty data directory and --join ${endpoint}; once it has caught up: rollcall member promote n4`,
      'NODE  CLIENT ADDRESS  PEER ADDRESS   VOTES  INCARNATION',
      `n1    10.0.0.1:7400   10.0.0.1:7401  yes    ${incarnation}`,
      'n4    10.0.0.4:7400   10.0.0.4:7401  no     has not come yet',
    ]);
  });

  test('promote and remove name the node, and --json is the response message', async () => {
    const promoted = await ask('member promote n4 --json', () => ok({ members: [voter] }));
    expect(promoted.asked).toEqual([{ method: 'PromoteMember', request: { node_id: 'n4' } }]);
    expect(JSON.parse(promoted.out)).toEqual({ members: [voter] });
    const removed = await ask('member remove n4', () => ok({ members: [voter] }));
    expect(removed.asked).toEqual([{ method: 'RemoveMember', request: { node_id: 'n4' } }]);
    expect(removed.out.split('\n')[0]).toBe('n4 is removed');
  });

  test('promote --wait tries again while the learner lacks entries, and no longer', async () => {
    let left = 3;
    const lacks = error(status.FAILED_PRECONDITION, 'failed_precondition: n4 lacks 900 entries');
    const { exitCode, out, asked } = await ask('member promote n4 --wait 60', () =>
      left-- > 0 ? lacks : ok({ members: [voter] }),
    );
    expect({ exitCode, tries: asked.length }).toEqual({ exitCode: 0, tries: 4 });
    expect(out.split('\n')[0]).toBe('n4 votes');
    const never = await ask('member promote n4 --wait 2', () => lacks);
    expect({ exitCode: never.exitCode, err: never.err }).toEqual({
      exitCode: 1,
      err: 'rollcall: failed_precondition: n4 lacks 900 entries',
    });
    expect(never.asked.length).toBeGreaterThan(2);
  });

  test('promote without --wait fails at once, exit code 1', async () => {
    const { exitCode, asked } = await ask('member promote n4', () =>
      error(status.FAILED_PRECONDITION, 'failed_precondition: n4 lacks 900 entries'),
    );
    expect({ exitCode, tries: asked.length }).toEqual({ exitCode: 1, tries: 1 });
  });

  test.for([
    [status.NOT_FOUND, 'not_found: n9 is no member', 1],
    [status.ALREADY_EXISTS, 'already_exists: n4 is a member', 1],
    [status.PERMISSION_DENIED, 'permission_denied: from this host only', 1],
    [status.INVALID_ARGUMENT, 'node_id: is not a DNS label', 2],
  ] as const)(
    'tells a refusal in one line and is not tried again: %i',
    async ([code, told, exit]) => {
      const { exitCode, err, asked } = await ask('member remove n9', () => error(code, told));
      expect({ exitCode, err, tries: asked.length }).toEqual({
        exitCode: exit,
        err: `rollcall: ${told}`,
        tries: 1,
      });
    },
  );

  test('is sent once when its fate is unknown, and ends with exit code 3 (G3)', async () => {
    const { exitCode, err, asked } = await ask('member remove n2', () =>
      error(status.ABORTED, 'outcome_unknown: the leader changed'),
    );
    expect({ exitCode, err, tries: asked.length }).toEqual({
      exitCode: 3,
      err: 'rollcall: outcome_unknown: the leader changed (it may have been done or not)',
      tries: 1,
    });
  });
});

describe('rollcall transfer-leader', () => {
  test('names the node, or none for the best follower, and tells who leads', async () => {
    const answer = ok({ leader_id: 'n2', term: 7 });
    const named = await ask('transfer-leader n2', () => answer);
    expect(named.asked).toEqual([{ method: 'TransferLeadership', request: { node_id: 'n2' } }]);
    expect({ exitCode: named.exitCode, out: named.out }).toEqual({
      exitCode: 0,
      out: 'n2 leads, term 7',
    });
    const best = await ask('transfer-leader --json', () => answer);
    expect(best.asked).toEqual([{ method: 'TransferLeadership', request: { node_id: '' } }]);
    expect(JSON.parse(best.out)).toMatchObject({ leader_id: 'n2', term: '7' });
  });
});

describe('rollcall members', () => {
  test('shows what the node that leads in the highest term knows', async () => {
    const nodes = [
      { role: 'FOLLOWER', term: 9, commit_index: 90, members: [voter, announced] },
      { role: 'LEADER', term: 9, commit_index: 90, members: [voter] },
      { role: 'LEADER', term: 8, commit_index: 99, members: [] },
    ];
    const servers = await Promise.all(nodes.map((node) => ScriptedRegistry.start(() => ok(node))));
    const context = new FakeContext();
    const endpoints = servers.map(({ endpoint }) => endpoint).join(',');
    const words = ['members', '--json', '--endpoints', endpoints];
    expect(await runProgram(words, context, '1.2.3')).toBe(0);
    expect(JSON.parse(context.out.join('\n'))).toEqual({ members: [voter] });
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  test('says that the cluster has not formed', async () => {
    const { exitCode, err } = await ask('members', () => ok({}), { members: [] });
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: 'rollcall: the cluster has not formed yet',
    });
  });
});

describe('rollcall status', () => {
  test('shows learners, where the log begins, and the sizes on disk', async () => {
    const learner = {
      node_id: 'n4',
      role: 'LEARNER',
      leader_id: 'n1',
      term: 3,
      commit_index: 1200,
      applied_index: 1190,
      first_index: 1001,
      log_bytes: 67_108_864,
      state_bytes: 1536,
      problems: ['waits for a snapshot'],
    };
    const { out, err } = await ask('status', () => ok({}), learner);
    const [head = '', row = ''] = out.split('\n');
    expect(head).toMatch(/ {2}LOG FROM {2}LOG {7}STATE$/);
    expect(row).toMatch(/^n4 .* learner .* 1001 {6}64\.0 MiB {2}1\.5 KiB$/);
    expect(err).toBe('n4: waits for a snapshot');
  });
});
