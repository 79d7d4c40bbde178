// Giving up a log, stopped at every step, as a kill would: the next start goes on, never as the former node again once the new
// identity is there, never with a part of what it had, and what was damaged is kept whole.
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import { type Identity, readIdentity, writeIdentity } from '../../src/storage/identity.ts';
import { dropDamaged, giveUpLog, setAside } from '../../src/storage/lost-data.ts';
import { CrashRecorder } from '../support/crash-recorder.ts';

let root: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-lost-'));
  path = join(root, 'n1');
  await fill(path, former, 'former');
});
afterEach(() => rm(root, { recursive: true }));

const former: Identity = {
  formatVersion: 1,
  nodeId: 'n1',
  clusterId: 'rollcall',
  incarnation: 'a'.repeat(32),
  clusterUuid: 'c0ffee',
};
const newOne = (letter: string): string => letter.repeat(32);
const damage = {
  found: 'The log is damaged: 1.wal, byte 512: rot',
  members: [{ nodeId: nodeId('n2'), peerAddress: 'b:7401' }],
};
const parts = ['state', 'state.old', 'state.sealed', 'wal'];

/** A data-dir with something of each kind in it. */
async function fill(directory: string, identity: Identity, word: string): Promise<void> {
  for (const part of ['wal', 'state', 'state.old']) {
    await mkdir(join(directory, part), { recursive: true });
    await writeFile(join(directory, part, 'file'), word);
  }
  await writeFile(join(directory, 'state.sealed'), word);
  await writeIdentity(directory, identity);
}

/** The parts in a directory and whose they are; undefined where there are none. */
async function partsIn(directory: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(directory).catch((): string[] => []);
  const found = names.filter((name) => parts.includes(name)).toSorted();
  const words = found.map(async (name): Promise<[string, string]> => {
    const file = name === 'state.sealed' ? name : join(name, 'file');
    return [name, await readFile(join(directory, file), 'utf8')];
  });
  return new Map(await Promise.all(words));
}
const allOf = (word: string): ReadonlyMap<string, string> =>
  new Map(parts.map((part) => [part, word]));

async function recorded(run: (recorder: CrashRecorder) => Promise<unknown>) {
  const copies = join(root, 'copies');
  await mkdir(copies);
  const recorder = new CrashRecorder(path, copies);
  await run(recorder);
  await recorder.keep('at the end');
  return recorder.copies;
}

const identityIn = async (directory: string): Promise<Identity> =>
  (await readIdentity(directory)) ?? expect.fail('there is an identity');

/** What a start does, by the identity that it finds. */
async function startAt(directory: string): Promise<Identity> {
  const found = await identityIn(directory);
  if (found.replaces === undefined) return giveUpLog(directory, found, damage, newOne('d'));
  return setAside(directory, found);
}

describe('giving up a log', () => {
  test('goes on after a crash at any step, and keeps what was damaged', async () => {
    const copies = await recorded((files) => giveUpLog(path, former, damage, newOne('b'), files));
    expect(copies.length).toBeGreaterThan(20);
    const seen = new Set<string>();
    for (const { label, directory } of copies) {
      const found = await identityIn(directory);
      const begun = found.replaces !== undefined;
      seen.add(found.incarnation);
      // As long as the former identity is there everything else is.
      if (!begun) expect(await partsIn(directory), label).toEqual(allOf('former'));
      if (found.replaces?.setAside === true) expect((await partsIn(directory)).size, label).toBe(0);
      const after = await startAt(directory);
      expect(after.replaces, label).toMatchObject({
        incarnations: [former.incarnation],
        clusterUuid: former.clusterUuid,
        setAside: true,
      });
      expect(after.incarnation, label).toBe(begun ? newOne('b') : newOne('d'));
      expect(await identityIn(directory), label).toEqual(after);
      expect((await partsIn(directory)).size, label).toBe(0);
      expect(await partsIn(join(directory, 'damaged-log')), label).toEqual(allOf('former'));
      expect(await identityIn(join(directory, 'damaged-log')), label).toEqual(former);
    }
    expect([...seen].toSorted()).toEqual([former.incarnation, newOne('b')]);
  });

  test('a second time, at any step, keeps the first log and names both incarnations', async () => {
    const first = await giveUpLog(path, former, damage, newOne('b'));
    await fill(path, first, 'second');
    const copies = await recorded((files) => giveUpLog(path, first, damage, newOne('e'), files));
    for (const { label, directory } of copies) {
      const before = await identityIn(directory);
      // Not begun yet: the damage is found again.
      const again = before.incarnation === first.incarnation;
      const after = again
        ? await giveUpLog(directory, before, damage, newOne('f'))
        : await setAside(directory, before);
      expect(after.replaces, label).toMatchObject({
        incarnations: [first.incarnation, former.incarnation],
        clusterUuid: former.clusterUuid,
        setAside: true,
      });
      expect((await partsIn(directory)).size, label).toBe(0);
      expect(await partsIn(join(directory, 'damaged-log')), label).toEqual(allOf('former'));
    }
  });

  test('after its vote was given back, at any step of the removal, keeps the newest one', async () => {
    const first = await giveUpLog(path, former, damage, newOne('b'));
    const member = { ...former, incarnation: first.incarnation };
    await fill(path, member, 'second');
    const copies = await recorded((files) => dropDamaged(path, files));
    for (const { label, directory } of copies) {
      const there = (await readdir(directory)).includes('damaged-log');
      const kept = there ? await readIdentity(join(directory, 'damaged-log')) : undefined;
      await giveUpLog(directory, member, damage, newOne('e'));
      // Once its removal has begun, the former one is no longer what is kept.
      const expected = kept === undefined ? 'second' : 'former';
      expect(await partsIn(join(directory, 'damaged-log')), label).toEqual(allOf(expected));
    }
  });

  test.for([['moved', rename] as const, ['copied', copyFile] as const])(
    'with what was given up half put back, its identity %s and its log not: nothing is removed',
    async ([, bring]) => {
      const first = await giveUpLog(path, former, damage, newOne('b'));
      await fill(path, first, 'second');
      const aside = join(path, 'damaged-log');
      await bring(join(aside, 'identity.json'), join(path, 'identity.json'));
      // A start finds the log of another incarnation beside the identity.
      await expect(giveUpLog(path, former, damage, newOne('e'))).rejects.toMatchObject({
        exitCode: 11,
        message: expect.stringMatching(/may be the whole one.*Nothing was changed/),
      });
      expect(await partsIn(aside)).toEqual(allOf('former'));
      expect(await partsIn(path)).toEqual(allOf('second'));
      expect(await identityIn(path)).toEqual(former);
    },
  );

  test('a second time, with the identity of the first one damaged, removes neither: it is for an operator to move', async () => {
    const first = await giveUpLog(path, former, damage, newOne('b'));
    const member = { ...former, incarnation: first.incarnation };
    await fill(path, member, 'second');
    const aside = join(path, 'damaged-log');
    await writeFile(join(aside, 'identity.json'), 'rot');
    await expect(giveUpLog(path, member, damage, newOne('e'))).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringMatching(/damaged-log .*Nothing was removed. Move that directory out/),
    });
    expect(await partsIn(path)).toEqual(allOf('second'));
    expect(await partsIn(aside)).toEqual(allOf('former'));
    expect(await identityIn(path)).toEqual(member);
    await rename(aside, join(root, 'moved out'));
    await giveUpLog(path, member, damage, newOne('e'));
    expect(await partsIn(aside)).toEqual(allOf('second'));
  });

  test('goes on after a crash at any step with the identity in damaged-log damaged since: nothing is removed', async () => {
    const first = await giveUpLog(path, former, damage, newOne('b'));
    await fill(path, first, 'second');
    const copies = await recorded((files) => giveUpLog(path, first, damage, newOne('e'), files));
    let refused = 0;
    for (const { label, directory } of copies) {
      const aside = join(directory, 'damaged-log');
      const left = await partsIn(directory);
      const before = await identityIn(directory);
      await writeFile(join(aside, 'identity.json'), 'rot');
      const begun = before.incarnation !== first.incarnation;
      const going = begun
        ? setAside(directory, before)
        : giveUpLog(directory, before, damage, newOne('f'));
      const error: unknown = await going.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      // Where nothing is left to be set aside the node may go on.
      if (left.size > 0) expect(error, label).toMatchObject({ exitCode: 11 });
      if (error !== undefined) refused++;
      expect(await partsIn(directory), label).toEqual(left);
      expect(await partsIn(aside), label).toEqual(allOf('former'));
    }
    expect(refused).toBeGreaterThan(5);
  });

  test('of a node that never belonged to a cluster, or knows nobody, changes nothing', async () => {
    const unformed = { ...former, clusterUuid: '' };
    const alone = { ...damage, members: [] };
    for (const [identity, what] of [
      [unformed, damage],
      [former, alone],
    ] as const) {
      await expect(giveUpLog(path, identity, what, newOne('b'))).rejects.toMatchObject({
        exitCode: 11,
        message: expect.stringContaining('Nothing was changed'),
      });
    }
    expect(await partsIn(path)).toEqual(allOf('former'));
    expect(await readdir(path)).not.toContain('damaged-log');
  });

  test('more than eight times before it could return is refused: the disk is no good', async () => {
    let identity = former;
    for (let time = 1; time <= 8; time++) {
      identity = await giveUpLog(path, identity, damage, newOne(`${time}`));
    }
    expect(identity.replaces?.incarnations).toHaveLength(8);
    await expect(giveUpLog(path, identity, damage, newOne('9'))).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringContaining('replace the disk'),
    });
  });
});

describe('an identity that replaces another', () => {
  test('is read as it was written, and refused with any byte changed', async () => {
    const identity = await giveUpLog(path, former, damage, newOne('b'));
    expect(await readIdentity(path)).toEqual(identity);
    const file = join(path, 'identity.json');
    const whole = await readFile(file);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed.writeUInt8(whole.readUInt8(at) ^ 2, at);
      await writeFile(file, changed);
      await expect(readIdentity(path)).rejects.toMatchObject({ exitCode: 11 });
    }
  });
});
