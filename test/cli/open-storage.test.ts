// What a start makes of a data-dir whose log is lost: it is given up, set aside, and replaced by an empty one that knows whose
// place it is to take; or it is refused, and nothing has changed.
import { cp, mkdir, mkdtemp, readdir, rename, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStorage, type Storage } from '../../src/cli/server/open-storage.ts';
import { codeAtRun, inFull } from '../../src/cli/server/process-end.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { DamagedLogError } from '../../src/storage/errors.ts';
import type { Identity } from '../../src/storage/identity.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import { makeDataDir } from '../support/data-dirs.ts';

let root: string;
let path: string;
beforeEach(async () => {
  lines.length = 0;
  root = await mkdtemp(join(tmpdir(), 'rollcall-storage-'));
  path = join(root, 'n1');
  await makeDataDir(path, { instances: 30, flushedAt: 20 });
});
afterEach(() => rm(root, { recursive: true }));

const lines: string[] = [];
const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
function open(flags: Readonly<Record<string, string>> = {}): Promise<Storage> {
  const given = { 'node-id': 'n1', 'data-dir': path, ...flags };
  const { config } = loadConfig({
    flags: new Map(Object.entries(given)),
    environment: {},
    readFile: () => '',
  });
  return openStorage(config, logger);
}

/** The identity that a start goes on with. */
async function opened(flags?: Readonly<Record<string, string>>): Promise<Identity> {
  const storage = await open(flags);
  const { dataDir, logStore, stateStore } = storage;
  expect(logStore.image.lastIndex).toBe(0);
  expect(stateStore.image.appliedIndex).toBe(0);
  await Promise.all([logStore.close(), stateStore.close()]);
  await storage.release();
  return dataDir.identity;
}

const segment = (): string => join(path, 'wal', '0000000001.wal');
async function flipBit(): Promise<void> {
  const bytes = await readFile(segment());
  const at = bytes.findLastIndex((byte) => byte !== 0) >>> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(segment(), bytes);
}
/** Every file with its bytes. */
async function content(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name);
    found.set(file.slice(path.length + 1), (await readFile(file)).toString('base64'));
  }
  return found;
}

const losses: readonly (readonly [string, () => Promise<void>])[] = [
  ['a bit has flipped', flipBit],
  ['its directory is missing', () => rm(join(path, 'wal'), { recursive: true })],
  ['its segment is missing', () => rm(segment())],
  ['it is zeroed', () => writeFile(segment(), new Uint8Array(4096))],
  [
    'it is cut short',
    async () => writeFile(segment(), (await readFile(segment())).subarray(0, 4096)),
  ],
  ['it is that of another node', ofAnotherNode],
  ['it is an older copy than the state', olderThanTheState],
];

test('damage found by a running node ends it so that it is started again, unless an operator wants to look', () => {
  const damage = new DamagedLogError('1.wal', 512, 'rot');
  expect(codeAtRun(11, damage, 'auto')).toBe(10);
  expect(codeAtRun(11, damage, 'never')).toBe(11);
  expect(codeAtRun(11, new Error('the state store cannot be read back'), 'auto')).toBe(11);
  expect(codeAtRun(13, damage, 'auto')).toBe(13);
});

test('the mark of a failed disk says why, also where damage has no cause but a hash', () => {
  expect(inFull('the state on disk is damaged', undefined)).toBe('the state on disk is damaged');
  expect(inFull('the log could not be written', new Error('EIO'))).toBe(
    'the log could not be written: EIO',
  );
});

/** What a start says of the state that is missing. */
async function warned(flags?: Readonly<Record<string, string>>): Promise<readonly string[]> {
  lines.length = 0;
  const storage = await open(flags);
  await Promise.all([storage.logStore.close(), storage.stateStore.close()]);
  await storage.release();
  return lines.filter((line) => line.includes('"event":"state_missing"'));
}

describe('the directory of the state', () => {
  test.for(['deleted', 'emptied'])(
    'that was %s beside a whole log is made again, and that is said once',
    async (how) => {
      expect(await warned()).toEqual([]);
      await rm(join(path, 'state'), { recursive: true });
      if (how === 'emptied') await mkdir(join(path, 'state'));
      const [line = '', ...more] = await warned();
      expect(JSON.parse(line)).toMatchObject({ level: 40, first_index: 1, last_index: 31 });
      expect(line).toContain('the state is made again from the log');
      expect(more).toEqual([]);
      expect(await warned()).toEqual([]);
    },
  );

  test('that an interrupted exchange had moved aside is put back, and is not missing', async () => {
    await rename(join(path, 'state'), join(path, 'state.old'));
    expect(await warned()).toEqual([]);
    expect(await readdir(path)).not.toContain('state.old');
  });

  test('that a new node has yet to make is nothing to speak of', async () => {
    await rm(path, { recursive: true });
    expect(await warned({ 'initial-members': 'n1=localhost:7401' })).toEqual([]);
  });
});

describe('G14: a log that is lost', () => {
  test.for(losses)(
    'because %s is given up for a new incarnation, with whom to ask',
    async ([, lose]) => {
      const former = await readIdentity(path);
      await lose();
      const identity = await opened();
      expect(identity).toMatchObject({
        formatVersion: 2,
        nodeId: 'n1',
        clusterUuid: '',
        replaces: {
          incarnations: [former?.incarnation],
          clusterUuid: former?.clusterUuid,
          members: [
            { nodeId: 'n2', peerAddress: '10.0.0.2:7401' },
            { nodeId: 'n3', peerAddress: '10.0.0.3:7401' },
          ],
          setAside: true,
        },
      });
      expect(identity.incarnation).not.toBe(former?.incarnation);
      expect(identity.replaces?.found).toMatch(/^The log is damaged: .*wal.*, byte \d+: /);
      // What was there is whole, as a data-dir of its own.
      expect(await readIdentity(join(path, 'damaged-log'))).toEqual(former);
      expect((await readdir(join(path, 'damaged-log'))).filter((name) => name === 'state')).toEqual(
        ['state'],
      );
      // The next start is the same one.
      expect(await opened()).toEqual(identity);
    },
  );

  test.for(losses)(
    'because %s is refused with --repair never, and nothing has changed',
    async ([, lose]) => {
      await lose();
      const before = await content();
      await expect(open({ repair: 'never' })).rejects.toMatchObject({ exitCode: 11 });
      const after = await content();
      for (const [file, bytes] of before)
        if (!file.startsWith('state/')) expect(after.get(file)).toBe(bytes);
      expect(after.has('damaged-log/identity.json')).toBe(false);
    },
  );

  test('of the only member is refused, with what to do, and nothing has changed', async () => {
    await rm(join(path, 'wal'), { recursive: true });
    await rm(join(path, 'state'), { recursive: true });
    const before = await content();
    await expect(open()).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringMatching(
        /no other member is known.*Nothing was changed.*docs\/operations.md/,
      ),
    });
    expect(await content()).toEqual(before);
  });

  test('asks those of --initial-members too, and each once', async () => {
    await rm(join(path, 'state'), { recursive: true });
    await rm(join(path, 'wal'), { recursive: true });
    const members = 'n1=10.0.0.1:7401,n2=elsewhere:7401,n4=10.0.0.4:7401';
    const { replaces } = await opened({ 'initial-members': members });
    expect(replaces?.members).toEqual([
      { nodeId: 'n2', peerAddress: 'elsewhere:7401' },
      { nodeId: 'n4', peerAddress: '10.0.0.4:7401' },
    ]);
  });

  test('again, before the new one is a member, names both, and keeps what was set aside first', async () => {
    const former = await readIdentity(path);
    await flipBit();
    const first = await opened();
    expect(await opened()).toEqual(first);
    await writeFile(segment(), new Uint8Array(4096).fill(7));
    const second = await opened();
    expect(second.replaces?.incarnations).toEqual([first.incarnation, former?.incarnation]);
    expect(second.replaces?.clusterUuid).toBe(former?.clusterUuid);
    expect(await readIdentity(join(path, 'damaged-log'))).toEqual(former);
  });

  test('is forgotten once the new one is a member, and what was set aside goes when it has its vote', async () => {
    const former = await readIdentity(path);
    await flipBit();
    const { incarnation } = await opened();
    const storage = await open();
    const { dataDir, logStore, stateStore } = storage;
    await expect(dataDir.markFormed('another')).rejects.toMatchObject({ exitCode: 14 });
    await dataDir.markFormed(former?.clusterUuid ?? '');
    expect(await readIdentity(path)).toEqual({ ...former, incarnation });
    expect(await readdir(path)).toContain('damaged-log');
    await dataDir.dropDamaged();
    await dataDir.dropDamaged();
    expect(await readdir(path)).not.toContain('damaged-log');
    await Promise.all([logStore.close(), stateStore.close()]);
    await storage.release();
  });
});

async function ofAnotherNode(): Promise<void> {
  const other = join(root, 'other');
  await makeDataDir(other, { instances: 30, flushedAt: 20 });
  await cp(join(other, 'wal'), join(path, 'wal'), { recursive: true, force: true });
}

async function olderThanTheState(): Promise<void> {
  const whole = await readFile(segment());
  // The frames of the last entries were never written, as in a copy from before them.
  const end = whole.findLastIndex((byte) => byte !== 0);
  const frames: number[] = [];
  for (let at = 512; at <= end; at += 512)
    if (whole.readUInt32LE(at + 20) > 0 || at === 512) frames.push(at);
  const cut = frames[Math.floor(frames.length / 3)] ?? 512;
  whole.fill(0, cut);
  await writeFile(segment(), whole);
}
