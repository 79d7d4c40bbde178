// What check-data says of data-dirs that are sound, damaged in each part, or in use, and that it changes none of them.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rename, truncate, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import { checkData, isSound } from '../../src/storage/data-check.ts';
import { DataDirError } from '../../src/storage/errors.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { readIdentity, writeIdentity } from '../../src/storage/identity.ts';
import { copyDataDir, makeDataDir, options, writeMore } from '../support/data-dirs.ts';

let root: string;
let pristine: string;
let directory: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rollcall-check-'));
  pristine = join(root, 'pristine');
  await makeDataDir(pristine, { instances: 40, flushedAt: 30 });
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  directory = copyDataDir(pristine, root);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Every file below with its bytes and the time it was changed. */
function fingerprint(path: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true }).toSorted(
    (a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1),
  )) {
    const name = join(entry.parentPath, entry.name);
    hash.update(name);
    if (entry.isFile()) hash.update(String(statSync(name).mtimeMs)).update(readFileSync(name));
  }
  return hash.digest('hex');
}

const damagedParts = (check: Awaited<ReturnType<typeof checkData>>): readonly string[] =>
  check.findings.filter(({ verdict }) => verdict === 'damaged').map(({ part }) => part);

describe('check-data', () => {
  test('finds a whole data-dir sound, says how far it goes, and leaves every byte as it is', async () => {
    const before = fingerprint(directory);
    const check = await checkData(directory);
    expect(check.findings.map(({ verdict }) => verdict)).toEqual(check.findings.map(() => 'sound'));
    expect(isSound(check)).toBe(true);
    expect(check.rebuilt?.registry.instanceCount).toBe(40);
    expect(check.rebuilt?.applied).toBe(10);
    expect(fingerprint(directory)).toBe(before);
  });

  test('leaves a damaged one as it is, too', async () => {
    flip(join(directory, 'wal', '0000000001.wal'), 600);
    flip(join(directory, 'state', tableOf(directory)), 10);
    const before = fingerprint(directory);
    expect(isSound(await checkData(directory))).toBe(false);
    expect(fingerprint(directory)).toBe(before);
  });

  test('a flipped bit in the log is damage of the log, named by file and byte', async () => {
    flip(join(directory, 'wal', '0000000001.wal'), 600);
    const check = await checkData(directory);
    expect(damagedParts(check)).toContain('log');
    const [finding] = check.findings.filter(
      ({ part, verdict }) => part === 'log' && verdict === 'damaged',
    );
    expect(finding?.text).toMatch(/0000000001\.wal, byte 512/);
    expect(finding?.advice).toMatch(/Do not delete anything. Start the node/);
  });

  test('passes over the lines of a node that `rollcall dev` keeps beside its data, and names what it does not know', async () => {
    writeFileSync(join(directory, 'node.log'), '');
    writeFileSync(join(directory, 'node.log.1'), '');
    writeFileSync(join(directory, 'strange'), '');
    const { findings } = await checkData(directory);
    const [note, ...others] = findings.filter(({ verdict }) => verdict === 'note');
    expect(note?.text).toMatch(/passed over: strange\.$/);
    expect(others).toEqual([]);
  });

  test('a lost segment, a lost log and a damaged identity are damage', async () => {
    await unlink(join(directory, 'wal', '0000000001.wal'));
    expect(damagedParts(await checkData(directory))).toContain('log');
    rmSync(join(directory, 'wal'), { recursive: true });
    expect(damagedParts(await checkData(directory))).toContain('log');
    flip(join(directory, 'identity.json'), 20);
    expect(damagedParts(await checkData(directory))).toContain('identity');
    await unlink(join(directory, 'identity.json'));
    expect(damagedParts(await checkData(directory))).toContain('identity');
  });

  test('a damaged state is damage that the next start repairs from a whole log', async () => {
    await truncate(join(directory, 'state', tableOf(directory)), 5);
    const check = await checkData(directory);
    const [finding] = check.findings.filter(({ verdict }) => verdict === 'damaged');
    // LevelDB drops the end of its log: the state may also just be older.
    if (finding !== undefined) expect(finding.advice).toMatch(/from the log/);
    else expect(check.rebuilt?.applied).toBeGreaterThan(10);
    expect(check.rebuilt?.registry.instanceCount).toBe(40);
  });

  test('a state of another node is damage', async () => {
    const other = join(root, 'other');
    await makeDataDir(other, { instances: 3, flushedAt: 3 });
    rmSync(join(directory, 'state'), { recursive: true });
    copyDataDir(join(other, 'state'), directory, 'state');
    const check = await checkData(directory);
    expect(damagedParts(check)).toEqual(['state']);
    rmSync(other, { recursive: true });
  });

  test('a state that is ahead of its log is damage: the log has lost what was acknowledged', async () => {
    const older = copyDataDir(directory, root);
    await writeMore(directory, 5);
    rmSync(join(directory, 'wal'), { recursive: true });
    copyDataDir(join(older, 'wal'), directory, 'wal');
    const check = await checkData(directory);
    expect(damagedParts(check)).toEqual(['state']);
    expect(check.findings.find(({ verdict }) => verdict === 'damaged')?.text).toMatch(
      /lost acknowledged/,
    );
    rmSync(older, { recursive: true });
  });

  test('a torn last write is a note, not damage', async () => {
    const path = join(directory, 'wal', '0000000001.wal');
    const bytes = readFileSync(path);
    let last = bytes.length - 512;
    while (bytes.subarray(last, last + 512).every((byte) => byte === 0)) last -= 512;
    // Two sectors of which the first never came.
    const mark = bytes.subarray(last, last + 4);
    const next = Buffer.alloc(512, 7);
    mark.copy(next);
    next.writeUInt16LE((mark.readUInt16LE(2) + 1) % 0x10000, 2);
    next.copy(bytes, last + 1024);
    writeFileSync(path, bytes);
    const check = await checkData(directory);
    expect(isSound(check)).toBe(true);
    expect(check.findings.find(({ verdict }) => verdict === 'note')?.text).toMatch(/torn/);
  });

  test('a directory in use is refused with 14, one that is not there is no directory', async () => {
    const held = await openDataDir(directory, options);
    await expect(checkData(directory)).rejects.toMatchObject({
      exitCode: 14,
      name: DataDirError.name,
    });
    await held.release();
    await expect(checkData(join(root, 'nowhere'))).rejects.toThrow('is no directory');
  });

  describe('where a log was given up', () => {
    const members = [{ nodeId: nodeId('n2'), peerAddress: '10.0.0.2:7401' }];
    const found = 'The log is damaged: 1.wal, byte 512: rot';
    const giveUp = async (): Promise<void> => {
      const held = await openDataDir(directory, options);
      await held.giveUpLog({ found, members });
      await held.release();
    };

    test('says why, what damaged-log is for, and how to look into it', async () => {
      await giveUp();
      const before = fingerprint(directory);
      const check = await checkData(directory);
      expect(isSound(check)).toBe(true);
      const [note, ...others] = check.findings.filter(({ verdict }) => verdict === 'note');
      expect(others).toEqual([]);
      expect(note?.text).toContain(`is on its way back. What was found: ${found}.`);
      expect(note?.advice).toMatch(/Start the node .* removes damaged-log once it has its vote/);
      const [path = ''] = /(?<=--data-dir )[^`]+/.exec(note?.advice ?? '') ?? [];
      expect((await checkData(path)).rebuilt?.registry.instanceCount).toBe(40);
      expect(fingerprint(directory)).toBe(before);
    });

    test('takes nothing of the former incarnation for damage while it is not set aside yet', async () => {
      const former = copyDataDir(directory, root);
      await giveUp();
      const identity = (await readIdentity(directory)) ?? expect.fail('there is one');
      const { replaces } = identity;
      if (replaces === undefined) expect.fail('it replaces the former one');
      // As a crash leaves it before log and state are moved.
      await writeIdentity(directory, { ...identity, replaces: { ...replaces, setAside: false } });
      for (const part of ['wal', 'state']) copyDataDir(join(former, part), directory, part);
      const check = await checkData(directory);
      expect(damagedParts(check)).toEqual([]);
      expect(check.log).toBeUndefined();
      const note = check.findings.find(({ verdict }) => verdict === 'note');
      expect(note?.text).toMatch(/interrupted while it gave up its log/);
      rmSync(former, { recursive: true });
    });

    test('says until when damaged-log stays once the node is a member again', async () => {
      const clusterUuid = (await readIdentity(directory))?.clusterUuid ?? expect.fail('it has one');
      await giveUp();
      const held = await openDataDir(directory, options);
      await held.markFormed(clusterUuid);
      await held.release();
      const note = async () =>
        (await checkData(directory)).findings.find(({ verdict }) => verdict === 'note');
      expect((await note())?.advice).toMatch(/^Start the node .* Do not delete damaged-log;/);
      // The identity loses its name first when it is removed.
      const aside = join(directory, 'damaged-log');
      await rename(join(aside, 'identity.json'), join(aside, 'dropped.json'));
      expect((await note())?.text).toMatch(/the beginning or the rest of a log/);
      await unlink(join(aside, 'dropped.json'));
      const moved = await note();
      expect(moved?.text).toMatch(/moved by hand/);
      expect(moved?.advice).toMatch(/^Do not delete it/);
    });

    test('half put back by copying its identity: does not say that a start goes on, which refuses', async () => {
      await giveUp();
      const aside = join(directory, 'damaged-log');
      copyDataDir(join(aside, 'wal'), directory, 'wal');
      copyFileSync(join(aside, 'identity.json'), join(directory, 'identity.json'));
      const whole = await checkData(directory);
      expect(isSound(whole)).toBe(true);
      const note = whole.findings.find(({ verdict }) => verdict === 'note');
      expect(note?.text).toMatch(/copied out of it by hand/);
      expect(note?.advice).toMatch(/^Do not delete it: see/);
      flip(join(directory, 'wal', '0000000001.wal'), 600);
      const { findings } = await checkData(directory);
      expect(findings.filter(({ advice }) => /Start the node/.test(advice))).toEqual([]);
      const log = findings.find(({ part, verdict }) => part === 'log' && verdict === 'damaged');
      expect(log?.advice).toMatch(/does not start while damaged-log is as it is/);
      const held = await openDataDir(directory, options);
      await expect(held.giveUpLog({ found, members })).rejects.toMatchObject({ exitCode: 11 });
      await held.release();
      // A crash before the new identity was written: the damage is found again, and nothing was moved by anybody.
      for (const part of ['wal', 'state']) rmSync(join(aside, part), { recursive: true });
      const begun = (await checkData(directory)).findings;
      expect(begun.find(({ verdict }) => verdict === 'note')?.text).toMatch(/the beginning or the/);
    });

    test('a damaged-log without an identity beside it is the data of somebody', async () => {
      await giveUp();
      await unlink(join(directory, 'identity.json'));
      expect(damagedParts(await checkData(directory))).toEqual(['identity']);
    });
  });

  test('an empty directory is a new node', async () => {
    const empty = mkdtempSync(join(root, 'empty-'));
    const check = await checkData(empty);
    expect(isSound(check)).toBe(true);
    expect(check.findings).toHaveLength(1);
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** The largest file with records. */
function tableOf(path: string): string {
  const state = join(path, 'state');
  const names = readdirSync(state).filter((name) => /\.(log|ldb)$/.test(name));
  const [largest = ''] = names.toSorted(
    (a, b) => statSync(join(state, b)).size - statSync(join(state, a)).size,
  );
  return largest;
}
