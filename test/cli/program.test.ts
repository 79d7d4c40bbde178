// Command lines: what is refused, how it is said, and with which exit code.
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { FakeContext } from '../support/cli-context.ts';
import { type Answer, type Asked, ScriptedRegistry } from '../support/scripted-registry.ts';
import { status } from '@grpc/grpc-js';

async function run(line: string, context = new FakeContext()) {
  const words = line.split(' ').filter((word) => word !== '');
  const exitCode = await runProgram(words, context, '1.2.3');
  return { exitCode, out: context.out.join('\n'), err: context.err.join('\n') };
}

describe('wrong usage ends with exit code 2 and one line', () => {
  test.for([
    ['', 'no command given, see rollcall --help'],
    ['servces', "unknown command 'servces' (Did you mean services?)"],
    ['services --nope', "unknown option '--nope'"],
    [
      'services --timeout-ms 0',
      "option '--timeout-ms <n>' argument '0' is invalid. It must be a whole number, 1 to 600000.",
    ],
    [
      'services --consistency eventual',
      "option '--consistency <level>' argument 'eventual' is invalid. Allowed choices are linearizable, bounded, stale.",
    ],
    ['services --endpoints nowhere', '--endpoints: "nowhere" is not host:port'],
    ['get', "missing required argument 'id'"],
    ['get a b', "too many arguments for 'get'. Expected 1 argument but got 2."],
    ['register', '--service: required, unless there is --file'],
    [
      'register --service s --host h --port 0',
      "option '--port <n>' argument '0' is invalid. It must be a whole number, 1 to 65535.",
    ],
    [
      'register --file f --zone z',
      '--zone: not together with --file, which states the whole instance',
    ],
    ['register --file gone', '--file: gone cannot be read: ENOENT: no such file'],
    [
      'register --service s --host h --port 1 --check tcp',
      '--check: active checks are not in this version',
    ],
    ['deregister i --drain-ms 5', '--drain-ms: waiting for watchers is not in this version'],
    [
      'deregister i --generation x',
      "option '--generation <n>' argument 'x' is invalid. It must be a whole number.",
    ],
    ['heartbeat a b --generation 1', '--generation: only with a single instance id'],
    [
      'set-status i unhealthy',
      "command-argument value 'unhealthy' is invalid for argument 'status'. Allowed choices are starting, healthy, draining.",
    ],
    [
      'maintenance maybe i',
      "command-argument value 'maybe' is invalid for argument 'switch'. Allowed choices are on, off.",
    ],
    [
      'server --node-id n1 --listen-http 127.0.0.1:7402',
      '--listen-http: the HTTP door is not in this version (got "127.0.0.1:7402")',
    ],
    [
      'server --node-id n1 --join a:1 --initial-members n1=a:1',
      '--join: not together with --initial-members: a node forms a new cluster or joins one that exists',
    ],
    [
      'server --node-id n1 --limit-tags 65',
      '--limit-tags: must be a whole number, 0 to 64 (got "65")',
    ],
    ['server --node-id n1 --limit-nonsense 1', "unknown option '--limit-nonsense'"],
    [
      'dev --nodes 8',
      "option '--nodes <n>' argument '8' is invalid. It must be a whole number, 1 to 7.",
    ],
    ['dev --base-port 65530', '--base-port: 65530 leaves no room for 3 nodes below 65536'],
    ['snapshot', 'no command given, see rollcall --help'],
    ['snapshot save', "missing required argument 'file'"],
    ['check-data', "required option '--data-dir <dir>' not specified"],
    ['member', 'no command given, see rollcall --help'],
    ['member ad', "unknown command 'ad' (Did you mean add?)"],
    ['member add n4 a:1', "missing required argument 'client_addr'"],
    ['member promote', "missing required argument 'id'"],
    [
      'member promote n4 --wait 0',
      "option '--wait <seconds>' argument '0' is invalid. It must be a whole number, 1 to 3600.",
    ],
    ['member remove', "missing required argument 'id'"],
    [
      'transfer-leader a b',
      "too many arguments for 'transfer-leader'. Expected 1 argument but got 2.",
    ],
  ] as const)('%s: %s', async ([line, problem]) => {
    expect(await run(line)).toEqual({ exitCode: 2, out: '', err: `rollcall: ${problem}` });
  });
});

describe('help and version', () => {
  test('are printed to standard output with exit code 0', async () => {
    expect(await run('--version')).toEqual({ exitCode: 0, out: '1.2.3', err: '' });
    const { exitCode, out, err } = await run('--help');
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    for (const command of [
      'dev',
      'server',
      'register',
      'watch',
      'status',
      'members',
      'member',
      'transfer-leader',
      'completion',
    ]) {
      expect(out).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    }
  });

  test('list no command and no flag that does not exist yet', async () => {
    const { out } = await run('--help');
    expect(out).not.toMatch(/explain|history|bench/);
    expect((await run('register --help')).out).not.toContain('--check');
  });

  test('of a group tell its commands, and each of those its arguments', async () => {
    const group = await run('member --help');
    expect(group.exitCode).toBe(0);
    for (const command of ['add', 'promote', 'remove']) {
      expect(group.out).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    }
    const add = await run('member add --help');
    expect(add.out).toContain('<id> <peer_addr> <client_addr>');
    expect(add.out).toContain('--json');
  });

  test('show every flag of a node with unit, range and default', async () => {
    const { out } = await run('server --help');
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toContain('--heartbeat-ms <n>');
    expect(text).toContain('(milliseconds, 10 to 5000; default: 50)');
    expect(text).toContain('--limit-record-bytes <n>');
    expect(text).toContain(
      '(one of trace, debug, info, warn, error, fatal, silent; default: info)',
    );
    expect(text).toContain('(n1=host:port,…, 1 to 7 members)');
  });
});

describe('completion', () => {
  test.for(['bash', 'zsh', 'fish'])('for %s knows every command and its flags', async (shell) => {
    const { exitCode, out } = await run(`completion ${shell}`);
    expect(exitCode).toBe(0);
    for (const word of ['register', 'set-status', 'consistency', 'limit-page-size']) {
      expect(out).toContain(word);
    }
    expect(out).not.toContain('drain-ms');
    for (const word of ['promote', 'wait']) expect(out).toContain(word);
  });
});

const ask = async (line: string, answer: (asked: Asked) => Answer) => {
  await using registry = await ScriptedRegistry.start(answer);
  const context = new FakeContext();
  context.environment['ROLLCALL_ENDPOINTS'] = registry.endpoint;
  return { ...(await run(line, context)), asked: registry.asked };
};
const error = (code: status, details: string) => (): Answer => ({ kind: 'error', code, details });

const page = (name: string, next_page_token: string): Answer => ({
  kind: 'ok',
  message: {
    revision: 9,
    services: [{ namespace: 'default', service_name: name, healthy: 1, total: 2 }],
    next_page_token,
  },
});

describe('an answer of the registry', () => {
  test('that refuses for good is one line and exit code 1', async () => {
    const { exitCode, out, err } = await ask(
      'get i',
      error(status.NOT_FOUND, 'not_found: no such instance'),
    );
    expect({ exitCode, out, err }).toEqual({
      exitCode: 1,
      out: '',
      err: 'rollcall: not_found: no such instance',
    });
  });

  test('that leaves a write’s fate open is exit code 3, after retries with the same request_id', async () => {
    const line = 'deregister i --timeout-ms 300';
    const { exitCode, err, asked } = await ask(
      line,
      error(status.ABORTED, 'outcome_unknown: appended'),
    );
    expect(exitCode).toBe(3);
    expect(err).toBe('rollcall: outcome_unknown: appended (it may have been done or not)');
    expect(asked.length).toBeGreaterThan(1);
    expect(new Set(asked.map(({ request }) => request['request_id'])).size).toBe(1);
    expect(asked[0]?.request['request_id']).toMatch(/^[0-9a-f]{32}$/);
  });

  test('that leaves a read’s fate open is exit code 1: a read changes nothing', async () => {
    const { exitCode } = await ask(
      'services --timeout-ms 300',
      error(status.INTERNAL, 'internal error'),
    );
    expect(exitCode).toBe(1);
  });

  test('with failed heartbeats is exit code 1 and names them', async () => {
    const failures = [
      { instance_id: 'b', reason: 'UNKNOWN' },
      { instance_id: 'c', reason: 'FENCED' },
    ];
    const message = { revision: 5, failures, heartbeat_interval_ms: 10_000 };
    const { exitCode, out, err } = await ask('heartbeat a b c', () => ({ kind: 'ok', message }));
    expect({ exitCode, out, err }).toEqual({
      exitCode: 1,
      out: 'renewed 1; next within 10000 ms',
      err: 'rollcall: b is unknown, c is fenced',
    });
  });

  test('in pages is put together, and asked for again when its revision is gone', async () => {
    let calls = 0;
    const { out, asked } = await ask('services --json', () => {
      calls++;
      if (calls === 1) return page('old', 'next');
      if (calls === 2)
        return { kind: 'error', code: status.FAILED_PRECONDITION, details: 'page_token' };
      return calls === 3 ? page('a', 'next') : page('b', '');
    });
    const printed = JSON.parse(out) as { services: { service_name: string }[]; revision: string };
    expect(printed.services.map((service) => service.service_name)).toEqual(['a', 'b']);
    expect(printed.revision).toBe('9');
    expect(asked.map(({ request }) => request['page_token'])).toEqual(['', 'next', '', 'next']);
  });

  test('of a register is the response message with --json, and the id for people', async () => {
    const message = { revision: 4, generation: 4, heartbeat_interval_ms: 10_000 };
    const line = 'register --service s --host 10.0.0.1 --port 80 --id s1';
    const json = await ask(`${line} --json`, () => ({ kind: 'ok', message }));
    expect(json.out).toBe('{"revision":"4","generation":"4","heartbeat_interval_ms":10000}');
    const people = await ask(line, () => ({ kind: 'ok', message }));
    expect(people.out).toBe('registered s1, generation 4; heartbeat every 10000 ms, or use --keep');
  });

  test('is not waited for when nobody listens', async () => {
    const { exitCode, err } = await run('services --endpoints 127.0.0.1:1 --timeout-ms 500');
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: 'rollcall: 127.0.0.1:1 refused the connection',
    });
  });
});
