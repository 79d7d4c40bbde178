// check-data, snapshot restore and recover at the command line: what they print, what they ask, and with which exit code they end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { writeBackup } from '../../src/storage/backup-file.ts';
import { backupParts, contentOf } from '../support/backups.ts';
import { FakeContext } from '../support/cli-context.ts';
import { makeDataDir } from '../support/data-dirs.ts';

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-cli-'));
  directory = join(root, 'n1');
});
afterEach(() => rmSync(root, { recursive: true }));

async function run(words: readonly string[], answers: readonly string[] = []) {
  const context = new FakeContext();
  context.answers.push(...answers);
  const exitCode = await runProgram(words, context, '1.2.3');
  const { questions } = context;
  return { exitCode, out: context.out.join('\n'), err: context.err.join('\n'), questions };
}

const identityOf = (): string => readFileSync(join(directory, 'identity.json'), 'utf8');

describe('check-data', () => {
  test('prints a line for each finding, or all of it as JSON', async () => {
    await makeDataDir(directory, { instances: 5, flushedAt: 3 });
    const table = await run(['check-data', '--data-dir', directory]);
    expect(table).toMatchObject({ exitCode: 0, err: '' });
    expect(table.out).toContain('n1');
    expect(table.out.split('\n').at(-1)).toBe(`${directory} is sound.`);
    const json = await run(['check-data', '--data-dir', directory, '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      sound: true,
      node_id: 'n1',
      first_index: '1',
      last_index: '6',
      applied_index: '4',
      revision: '5',
      instances: '5',
    });
  });

  test('counts in words that fit one and many', async () => {
    await makeDataDir(directory, { instances: 2, flushedAt: 1, uncommitted: 1 });
    const { out } = await run(['check-data', '--data-dir', directory]);
    expect(out).toContain('with that it is revision 1 with 1 instance.');
    const { err } = await run(['recover', '--data-dir', directory]);
    expect(err).toContain('It has 2 instances at revision 2,');
    expect(err).toContain('Its last entry is not known here to be committed; it is kept:');
  });

  test('ends with 11 when something is damaged', async () => {
    await makeDataDir(directory, { instances: 5, flushedAt: 3 });
    writeFileSync(join(directory, 'identity.json'), '{}\n');
    const { exitCode, out, err } = await run(['check-data', '--data-dir', directory]);
    expect({ exitCode, err }).toEqual({ exitCode: 11, err: '' });
    expect(out).toMatch(/^damaged {2}identity/m);
    expect(out).toContain(`${directory} is damaged.`);
  });
});

const words = () => ['recover', '--data-dir', directory];

describe('recover', () => {
  test('says what the survivor has and what may be lost, and does nothing without the name of the node', async () => {
    await makeDataDir(directory, { instances: 5, flushedAt: 3, uncommitted: 2 });
    const before = identityOf();
    for (const answers of [[], ['yes'], ['n2']]) {
      const { exitCode, err, out, questions } = await run(words(), answers);
      expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
      expect(questions).toEqual(['Type n1 to go on: ']);
      expect(err).toContain('It has 5 instances at revision 5, entry 6 of term 2');
      expect(err).toContain('2 of its last entries are not known here to be committed');
      expect(err).toContain('Registered by such an entry: default/i4, default/i5. Another process');
      expect(err).toContain('The old data of n2, n3 must never be started again');
      expect(err).toMatch(/not confirmed: nothing was changed$/);
    }
    expect(identityOf()).toBe(before);
  });

  test('goes on when the name is typed, or with the flag that accepts the loss', async () => {
    await makeDataDir(directory, { instances: 5, flushedAt: 3 });
    const before = identityOf();
    const { exitCode, out } = await run(words(), ['n1']);
    expect(exitCode).toBe(0);
    expect(out).toContain('n1 is now the only member of a new cluster rollcall');
    const after = identityOf();
    expect(after).not.toBe(before);
    const again = await run([...words(), '--yes-i-accept-data-loss', '--json']);
    expect(again).toMatchObject({ exitCode: 0, questions: [] });
    expect(JSON.parse(again.out)).toMatchObject({ data_dir: directory, instances: '5' });
    expect(identityOf()).not.toBe(after);
  });
});

const flags = () => ['--data-dir', directory, '--node-id', 'n1', '--listen-peer', '10.0.0.1:7401'];

describe('snapshot restore', () => {
  test('takes the flags of the server, and its complaints', async () => {
    const file = join(root, 'backup');
    await writeBackup(file, backupParts({ ...contentOf(4), savedAtMs: 5 }), 'x');
    const missing = await run(['snapshot', 'restore', file, '--data-dir', directory]);
    expect(missing.exitCode).toBe(2);
    expect(missing.err).toContain('--node-id');
    const free = await run([
      'snapshot',
      'restore',
      file,
      ...flags(),
      '--listen-client',
      '127.0.0.1:0',
    ]);
    expect(free).toMatchObject({ exitCode: 2 });
    expect(free.err).toContain('--advertise-client');
    const done = await run(['snapshot', 'restore', file, ...flags(), '--json']);
    expect(done).toMatchObject({ exitCode: 0, err: '' });
    const { nodeId, clusterId, clusterUuid, incarnation } = JSON.parse(identityOf());
    expect(nodeId).toBe('n1');
    const printed = JSON.parse(done.out);
    expect(printed).toMatchObject({ data_dir: directory, node_id: 'n1', cluster_id: clusterId });
    expect(printed).toMatchObject({ cluster_uuid: clusterUuid, incarnation, records: '8' });
    expect(printed.former_cluster_uuid).not.toBe(clusterUuid);
    expect(Number(printed.revision)).toBeGreaterThan(Number(printed.former_revision));
    const twice = await run(['snapshot', 'restore', file, ...flags()]);
    expect(twice).toMatchObject({ exitCode: 14 });
    expect(twice.err).toContain('is not empty');
  });

  test('refuses a file that is no backup with 11', async () => {
    const file = join(root, 'backup');
    writeFileSync(file, 'rollcall backup, perhaps');
    const { exitCode, err } = await run(['snapshot', 'restore', file, ...flags()]);
    expect(exitCode).toBe(11);
    expect(err).toContain('is no whole backup');
  });
});
