// A snapshot on its way into the state store, with the process killed or the power cut at each step: what is opened next is
// the old content or the new one, whole, and nothing else is left (G3, G13).
import { EventEmitter, once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { logIndex } from '../../src/lib/ids.ts';
import type { StateStore } from '../../src/node/ports.ts';
import { stateFiles, type StateFiles } from '../../src/storage/state-files.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { CrashRecorder } from '../support/crash-recorder.ts';
import { contentOf, headerOf, StateModel, testHasher } from '../support/state-batches.ts';

const owner = 'mine';
const mine = new StateModel();
const theirs = new StateModel();
/** Where the log begins before and after the snapshot. */
let oldFloor = 0;
let newFloor = 0;
let root: string;

const open = (directory: string, floor: number, more: object = {}): Promise<StateStore> =>
  openStateStore(join(directory, 'state'), {
    imageHasher: testHasher,
    // The files that crashes leave are read by this process alone; hundreds of others would take minutes.
    crashOf: () => Promise.resolve(undefined),
    owner,
    floorIndex: logIndex(floor),
    ...more,
  });

/** Which content it is; undefined for neither. */
function contentName(store: StateStore): 'old' | 'new' | undefined {
  const { appliedIndex, records } = store.image;
  const content = JSON.stringify(contentOf(records));
  for (const [name, model] of [
    ['old', mine],
    ['new', theirs],
  ] as const) {
    const expected = JSON.stringify(contentOf(model.stored()));
    if (appliedIndex === model.last?.appliedIndex && content === expected) return name;
  }
  return undefined;
}

/** Opens it as a process would, twice: the second time nothing is left to put in order. */
async function openedAs(directory: string, floor: number): Promise<'old' | 'new' | undefined> {
  const first = await open(directory, floor);
  const name = contentName(first);
  expect(first.discarded).toBeUndefined();
  await first.close();
  expect(await readdir(directory)).toEqual(['state']);
  const second = await open(directory, floor);
  expect(contentName(second)).toBe(name);
  await second.close();
  return name;
}

async function copied(directory: string): Promise<string> {
  const copy = await mkdtemp(join(root, 'opened-'));
  await cp(directory, copy, { recursive: true });
  return copy;
}

/** The old content with the new one sealed beside it, in a directory of its own. */
let sealedDirectory: string;
let recorder: CrashRecorder;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-install-'));
  const directory = await mkdtemp(join(root, 'original-'));
  recorder = new CrashRecorder(directory, root);
  const first = await open(directory, 0);
  const put = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`old${at}`, `${at}`]));
  await first.write(mine.next({ put }));
  await first.close();
  theirs.next({});
  theirs.next({
    put: Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`k${n}`, `v${n}`])),
  });
  theirs.next({ put: { more: 'records' }, remove: ['k7'] });
  const header = headerOf(present(theirs.last, 'it has a state'));
  newFloor = header.index;
  oldFloor = present(mine.last, 'it has a state').appliedIndex;

  const store = await open(directory, oldFloor, { files: recorder });
  recorder.copies.length = 0;
  recorder.phase = 'staging';
  const stage = await store.stage(header);
  for (let at = 0; at < theirs.records.size; at += 30) {
    await stage.add(theirs.stored().slice(at, at + 30));
    await recorder.keep(`after part ${at}`);
  }
  recorder.phase = 'sealing';
  await stage.seal();
  recorder.phase = 'sealed';
  await recorder.keep('sealed');
  sealedDirectory = present(recorder.copies.at(-1), 'it was kept').directory;
  recorder.phase = 'installing';
  await stage.install();
  recorder.phase = 'installed';
  await recorder.keep('installed');
  await store.close();
}, 60_000);
afterAll(() => rm(root, { recursive: true }));

describe('a crash at any step', () => {
  test('of which there are many, each with a power cut too', () => {
    const phases = new Map<string, number>();
    for (const { phase } of recorder.copies) phases.set(phase, (phases.get(phase) ?? 0) + 1);
    expect([...phases.keys()]).toEqual(['staging', 'sealing', 'sealed', 'installing', 'installed']);
    expect(recorder.copies.length).toBeGreaterThan(30);
  });

  test('before the log begins at the snapshot leaves the old content', async () => {
    for (const { directory, phase, label } of recorder.copies) {
      if (phase === 'installing' || phase === 'installed') continue;
      expect(await openedAs(await copied(directory), oldFloor), label).toBe('old');
    }
  }, 120_000);

  test('once the log begins at the snapshot leaves the new content', async () => {
    for (const { directory, phase, label } of recorder.copies) {
      const name = await openedAs(await copied(directory), newFloor);
      // While it is sealed it may be one or the other; the log begins there only after that.
      if (phase === 'sealing') expect(['old', 'new'], label).toContain(name);
      else expect(name, `${phase}: ${label}`).toBe(phase === 'staging' ? 'old' : 'new');
    }
  }, 120_000);

  test('leaves a store that goes on', async () => {
    for (const { directory, phase } of recorder.copies.filter((_, at) => at % 5 === 0)) {
      const copy = await copied(directory);
      const store = await open(copy, phase === 'installing' ? newFloor : oldFloor);
      const model = new StateModel();
      await store.write({ ...model.next({ put: { after: 'crash' } }), appliedIndex: logIndex(99) });
      const view = await store.snapshot();
      const { records } = await view.read('', 1_000_000);
      expect(contentOf(records)).toMatchObject({ after: 'crash' });
      await view.close();
      await store.close();
    }
  }, 120_000);
});

describe('what is left over', () => {
  let directory: string;
  const inside = (name: string): string => join(directory, name);
  beforeEach(async () => {
    directory = await copied(sealedDirectory);
  });

  test('the sealed copy itself opens as the log says', async () => {
    expect(await openedAs(await copied(directory), oldFloor)).toBe('old');
    expect(await openedAs(await copied(directory), newFloor - 1)).toBe('old');
    expect(await openedAs(await copied(directory), newFloor)).toBe('new');
  });

  test('a marker with any byte changed counts for nothing', async () => {
    const marker = await readFile(inside('state.sealed'));
    for (const at of [0, 1, 3, 8, Math.floor(marker.length / 2), marker.length - 3]) {
      const copy = await copied(directory);
      const damaged = Buffer.from(marker);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(join(copy, 'state.sealed'), damaged);
      expect(await openedAs(copy, newFloor)).toBe('old');
    }
    await writeFile(inside('state.sealed'), marker.subarray(0, marker.length - 4));
    expect(await openedAs(directory, newFloor)).toBe('old');
  });

  test('a snapshot that another node received counts for nothing', async () => {
    const store = await open(directory, newFloor, { owner: 'other' });
    expect(store.discarded).toMatch('another node');
    expect(contentOf(store.image.records)).toEqual({});
    await store.close();
    expect(await readdir(directory)).toEqual(['state']);
  });

  test('a snapshot that another node received does not cost this one its own content', async () => {
    await rm(inside('state'), { recursive: true });
    await mkdir(join(directory, 'elsewhere'));
    const before = await open(join(directory, 'elsewhere'), 0, { owner: 'other' });
    await before.write(present(mine.last, 'it has a state'));
    await before.close();
    await cp(join(directory, 'elsewhere', 'state'), inside('state'), { recursive: true });
    const store = await open(directory, newFloor, { owner: 'other' });
    expect(store.discarded).toBeUndefined();
    expect(contentName(store)).toBe('old');
    await store.close();
  });

  test('a marker without a snapshot, and a snapshot without a marker, count for nothing', async () => {
    const other = await copied(directory);
    await rm(inside('state.incoming'), { recursive: true });
    expect(await openedAs(directory, newFloor)).toBe('old');
    await rm(join(other, 'state.sealed'));
    expect(await openedAs(other, newFloor)).toBe('old');
  });

  test('died between the renames: forward with the marker, back without it', async () => {
    await cp(inside('state'), inside('state.old'), { recursive: true });
    await rm(inside('state'), { recursive: true });
    const other = await copied(directory);
    expect(await openedAs(directory, newFloor)).toBe('new');
    expect(await openedAs(await copied(other), oldFloor)).toBe('old');
    await rm(join(other, 'state.sealed'));
    expect(await openedAs(other, newFloor)).toBe('old');
  });

  test('an old state beside the one in use is removed', async () => {
    await cp(inside('state'), inside('state.old'), { recursive: true });
    expect(await openedAs(directory, oldFloor)).toBe('old');
  });

  test('with state, old state and snapshot gone it is empty, whatever the marker says', async () => {
    await rm(inside('state'), { recursive: true });
    await rm(inside('state.incoming'), { recursive: true });
    const store = await open(directory, newFloor);
    expect(store.discarded).toBeUndefined();
    expect(store.image).toMatchObject({ appliedIndex: 0, appliedTerm: 0 });
    expect(contentOf(store.image.records)).toEqual({});
    await store.close();
    expect(await readdir(directory)).toEqual(['state']);
  });

  test('damaged content in use does not keep a sealed snapshot from its place', async () => {
    const level = new ClassicLevel(inside('state'));
    await level.put('r/old1', 'changed');
    await level.close();
    expect(await openedAs(directory, newFloor)).toBe('new');
  });

  test.each(['an older copy', 'a newer one', 'an empty directory'])(
    'G13: %s in the place of the sealed snapshot is not taken for it',
    async (kind) => {
      const batches = kind === 'an older copy' ? 2 : kind === 'a newer one' ? 5 : 0;
      await rm(inside('state.incoming'), { recursive: true });
      const other = new StateModel();
      const before = await open(inside('elsewhere'), 0);
      for (let at = 0; at < batches; at++) {
        await before.write(other.next({ put: { [`o${at}`]: 'whole' } }));
      }
      await before.close();
      if (batches === 0) await rm(inside('elsewhere'), { recursive: true });
      await mkdir(join(directory, 'elsewhere', 'state'), { recursive: true });
      await cp(join(directory, 'elsewhere', 'state'), inside('state.incoming'), {
        recursive: true,
      });
      await rm(inside('elsewhere'), { recursive: true });
      const store = await open(directory, newFloor);
      expect(store.discarded).toMatch(/of entry \d+, term .* the one that was sealed of entry 9, /);
      expect(store.image.appliedIndex).toBe(0);
      expect(contentOf(store.image.records)).toEqual({});
      await store.close();
      expect(await readdir(directory)).toEqual(['state']);
    },
  );

  test('a sealed snapshot that is damaged leaves an empty store that says why', async () => {
    const level = new ClassicLevel(inside('state.incoming'));
    await level.put('r/k1', 'changed');
    await level.close();
    const store = await open(directory, newFloor);
    expect(store.discarded).toMatch(/90 records have the hash/);
    expect(store.image.appliedIndex).toBe(0);
    await store.close();
    expect(await readdir(directory)).toEqual(['state']);
  });
});

test('a settle that is under way is finished before the content is exchanged, and one that comes then waits', async () => {
  const directory = await mkdtemp(join(root, 'settle-'));
  const state = join(directory, 'state');
  const gate = new EventEmitter();
  const held = once(gate, 'open');
  const steps: string[] = [];
  let holding = false;
  const files: StateFiles = {
    ...stateFiles,
    async syncDirectory(path) {
      if (holding && path === state) {
        steps.push('settling');
        await held;
      }
      await stateFiles.syncDirectory(path);
      if (holding && path === state) steps.push('settled');
    },
    async rename(from, to) {
      steps.push(`rename ${from.slice(directory.length + 1)}`);
      await stateFiles.rename(from, to);
    },
  };
  const store = await open(directory, 0, { files });
  await store.write(present(mine.last, 'it has a state'));
  const stage = await store.stage(headerOf(present(theirs.last, 'it has a state')));
  await stage.add(theirs.stored());
  await stage.seal();
  steps.length = 0;
  holding = true;
  const first = store.settle();
  const installing = stage.install();
  const second = store.settle();
  await store.bytes();
  expect(steps).toEqual(['settling']);
  gate.emit('open');
  expect(await first).toBe(oldFloor);
  await installing;
  expect(await second).toBe(newFloor);
  expect(steps.slice(0, 4)).toEqual([
    'settling',
    'settled',
    'rename state',
    'rename state.incoming',
  ]);
  await store.close();
});
