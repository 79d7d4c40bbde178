// One node, one directory, one process: what openDataDir refuses, and with which exit code.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDir, type DataDir } from '../../src/storage/data-dir.ts';
import { DataDirError } from '../../src/storage/errors.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import { LogModel, payload } from '../support/log-batches.ts';

let root: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-dir-'));
  path = join(root, 'data', 'n1');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true });
});

const open = (nodeId = 'n1', clusterId = 'test'): Promise<DataDir> =>
  openDataDir(path, { nodeId, clusterId });
const identityFile = (): string => join(path, 'identity.json');

const filledWith =
  (byte: number) =>
  (bytes: number): Uint8Array =>
    new Uint8Array(bytes).fill(byte);

const locks = async (): Promise<string[]> =>
  (await readdir(path)).filter((name) => name.startsWith('lock-'));

async function refusal(opened: Promise<DataDir>): Promise<DataDirError> {
  const outcome = await opened.then(
    (dataDir) => dataDir.release(),
    (error: unknown) => error,
  );
  if (outcome instanceof DataDirError) return outcome;
  throw new Error(`the data-dir was not refused: ${String(outcome)}`);
}

/** A directory with a log of one entry, formed or not. */
async function writeLog(formed: boolean): Promise<void> {
  const dataDir = await open();
  const wal = await openWal(dataDir.walPath, { segmentBytes: 4096 });
  await wal.append(new LogModel().next({ payloads: [payload(10)] }));
  await wal.close();
  if (formed) await dataDir.markFormed('c0ffee');
  await dataDir.release();
}

describe('the identity', () => {
  test('is made once, from the entropy given, and found again', async () => {
    let calls = 0;
    const entropy = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(++calls);
    const first = await openDataDir(path, { nodeId: 'n1', clusterId: 'test', entropy });
    const made = {
      formatVersion: 1,
      nodeId: 'n1',
      clusterId: 'test',
      incarnation: '02'.repeat(16),
      clusterUuid: '',
    };
    expect(first.identity).toEqual(made);
    await first.release();
    const second = await open();
    expect(second.identity).toEqual(made);
    await second.release();
  });

  test('another directory gets another incarnation', async () => {
    const first = await open();
    const second = await openDataDir(join(root, 'other'), { nodeId: 'n1', clusterId: 'test' });
    expect(second.identity.incarnation).toMatch(/^[0-9a-f]{32}$/);
    expect(second.identity.incarnation).not.toBe(first.identity.incarnation);
    await first.release();
    await second.release();
  });

  test('format 1 is the golden text', async () => {
    const entropy = filledWith(0xab);
    const dataDir = await openDataDir(path, { nodeId: 'n1', clusterId: 'test', entropy });
    await dataDir.markFormed('c0ffee');
    await dataDir.release();
    const golden = await readFile(new URL('golden/identity-1.json', import.meta.url), 'utf8');
    expect(await readFile(identityFile(), 'utf8')).toBe(golden);
  });

  test('remembers the cluster, and keeps to it', async () => {
    await writeLog(false);
    const dataDir = await open();
    await dataDir.markFormed('c0ffee');
    await dataDir.markFormed('c0ffee');
    expect(dataDir.identity.clusterUuid).toBe('c0ffee');
    await expect(dataDir.markFormed('decaf')).rejects.toMatchObject({ exitCode: 14 });
    await dataDir.release();
    const again = await open();
    expect(again.identity.clusterUuid).toBe('c0ffee');
    await again.release();
  });

  test('of another node or cluster is refused with exit 14', async () => {
    await (await open()).release();
    const otherNode = await refusal(open('n2'));
    expect(otherNode).toMatchObject({ exitCode: 14 });
    expect(otherNode.message).toContain('belongs to node n1, not to n2');
    expect(otherNode.message).toContain('Start it with a data-dir of its own');
    const otherCluster = await refusal(open('n1', 'production'));
    expect(otherCluster).toMatchObject({ exitCode: 14 });
    expect(otherCluster.message).toContain('belongs to cluster test, not to production');
  });

  test('with any byte changed is refused with exit 11', async () => {
    await (await open()).release();
    const whole = await readFile(identityFile());
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 2;
      await writeFile(identityFile(), damaged);
      expect((await refusal(open())).exitCode).toBe(11);
    }
    await writeFile(identityFile(), whole.subarray(0, 20));
    expect((await refusal(open())).exitCode).toBe(11);
  });

  test('missing while there is a log, or a state, is refused with exit 11 and not made anew', async () => {
    await writeLog(false);
    await rm(identityFile());
    expect((await refusal(open())).exitCode).toBe(11);
    expect(await readdir(path)).not.toContain('identity.json');
    await rm(join(path, 'wal'), { recursive: true });
    for (const state of ['state', 'state.incoming', 'state.old', 'damaged-log']) {
      await mkdir(join(path, state));
      await writeFile(join(path, state, 'CURRENT'), '');
      expect((await refusal(open())).exitCode).toBe(11);
      await rm(join(path, state), { recursive: true });
    }
    await (await open()).release();
  });
});

test('a directory that cannot be made is a disk error', async () => {
  await writeFile(join(root, 'data'), 'a file');
  await expect(open()).rejects.toMatchObject({ name: 'DiskError', exitCode: 10 });
});

test('before it has joined one, an empty log is what it has', async () => {
  await writeLog(false);
  await rm(join(path, 'wal'), { recursive: true });
  await (await open()).release();
});

/** A process that binds a socket at a name, says so, and stays until it is killed. */
async function holderProcess(name: string, answer: string): Promise<ChildProcess> {
  const script = `require('node:net').createServer((s) => s.end(process.argv[2])).listen(process.argv[1], () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script, join(path, name), answer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout ?? child, 'data');
  return child;
}

describe('the lock', () => {
  test('a second opening is refused with exit 14 and says who holds it', async () => {
    const first = await open();
    const error = await refusal(open());
    expect(error.exitCode).toBe(14);
    expect(error.message).toContain(`process ${process.pid}`);
    await first.release();
    await (await open()).release();
    expect(await locks()).toEqual([]);
  });

  test('a holder killed with SIGKILL holds no more, and leaves nothing behind for long', async () => {
    await mkdir(path, { recursive: true });
    const child = await holderProcess('lock-0123456789abcdef.sock', 'holding process 1 on a\n');
    expect((await refusal(open())).message).toContain('process 1 on a');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await locks()).toHaveLength(1);
    const dataDir = await open();
    expect(await locks()).toHaveLength(1);
    await dataDir.release();
    expect(await locks()).toEqual([]);
  });

  test('a holder that is stopped and does not answer still holds', async () => {
    await mkdir(path, { recursive: true });
    const child = await holderProcess('lock-0123456789abcdef.sock', 'holding process 1 on a\n');
    child.kill('SIGSTOP');
    expect((await refusal(open())).exitCode).toBe(14);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await open()).release();
  });

  test.for([false, true])(
    'of 20 simultaneous starters exactly one gets it; dead sockets around: %s',
    async (withDead) => {
      await mkdir(path, { recursive: true });
      for (let round = 0; round < 8; round++) {
        if (withDead) {
          const child = await holderProcess(`lock-${'0'.repeat(15)}${round}.sock`, '');
          child.kill('SIGKILL');
          await once(child, 'exit');
        }
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => open()));
        const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
        expect(won).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ exitCode: 14 });
        }
        for (const { value } of won) await value.release();
        expect(await locks()).toEqual([]);
      }
    },
  );

  test('a claimant gives way to one with a lower name, and outlasts one with a higher name', async () => {
    await mkdir(path, { recursive: true });
    const claim = async (name: string): Promise<() => Promise<void>> => {
      const server = createServer((socket) => socket.end('claiming process 2 on b\n'));
      server.listen(join(path, name));
      await once(server, 'listening');
      return async () => {
        server.close();
        await once(server, 'close');
      };
    };
    const entropy = filledWith(0x55);
    const attempt = (): Promise<DataDir> =>
      openDataDir(path, { nodeId: 'n1', clusterId: 'test', entropy });
    const endLow = await claim('lock-0000000000000000.sock');
    expect((await refusal(attempt())).message).toContain('process 2 on b');
    await endLow();
    const endHigh = await claim('lock-ffffffffffffffff.sock');
    const opened = attempt();
    await endHigh();
    await (await opened).release();
  });

  test('a path longer than a socket address allows works', async () => {
    path = join(root, 'x'.repeat(120), 'y'.repeat(120));
    const first = await open();
    expect((await refusal(open())).message).toContain(`process ${process.pid}`);
    expect(await locks()).toHaveLength(1);
    await first.release();
    expect(await locks()).toEqual([]);
  });

  test('is not a reason for the process to stay alive', async () => {
    const first = await open();
    const handles = process
      .getActiveResourcesInfo()
      .filter((name) => name === 'PipeServerWrap' || name === 'PipeWrap');
    await first.release();
    const without = process
      .getActiveResourcesInfo()
      .filter((name) => name === 'PipeServerWrap' || name === 'PipeWrap');
    expect(handles).toEqual(without);
  });
});
