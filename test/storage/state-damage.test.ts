// LevelDB's files damaged, one kind at a time: the state is exact, as of some batch, or it is discarded (G13).
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { openStateStore } from '../../src/storage/state-store.ts';
import { contentOf, StateModel, testHasher } from '../support/state-batches.ts';

let root: string;
let pristine: string;
/** What each batch left, by its applied index. */
const states = new Map<number, Readonly<Record<string, string>>>([[0, {}]]);

const open = (directory: string) => openStateStore(directory, { imageHasher: testHasher });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-damage-'));
  pristine = join(root, 'pristine');
  const model = new StateModel();
  const random = seededRandom(7);
  const write = async (count: number): Promise<void> => {
    const store = await open(pristine);
    for (let batch = 0; batch < count; batch++) {
      const put = Object.fromEntries(
        Array.from({ length: 20 }, () => [
          `k${random.integer(0, 200)}`,
          `${random.next()}`.repeat(8),
        ]),
      );
      await store.write(model.next({ put, remove: [`k${random.integer(0, 200)}`] }));
      states.set(model.last?.appliedIndex ?? 0, contentOf(model.stored()));
    }
    await store.close();
  };
  await write(30);
  // Moves what was written into a table, as LevelDB does by itself once its log is long enough.
  const level = new ClassicLevel(pristine);
  await level.open();
  await level.compactRange('', '\u{10ffff}');
  await level.close();
  await write(10);
});
afterAll(() => rm(root, { recursive: true }));

const kinds = [
  ['log', /^\d+\.log$/],
  ['table', /^\d+\.ldb$/],
  ['MANIFEST', /^MANIFEST/],
  ['CURRENT', /^CURRENT$/],
] as const;
type Damage = (path: string, bytes: Buffer) => Promise<void>;

/** Damages a copy and opens it. */
async function outcomeOf(
  pattern: RegExp,
  damage: Damage,
): Promise<'exact' | 'older' | 'discarded'> {
  const directory = await mkdtemp(join(root, 'copy-'));
  await cp(pristine, directory, { recursive: true });
  const name = (await readdir(directory)).find((file) => pattern.test(file));
  expect(name).toBeDefined();
  const path = join(directory, name ?? '');
  await damage(path, await readFile(path));
  const store = await open(directory);
  const { appliedIndex } = store.image;
  expect(contentOf(store.image.records)).toEqual(states.get(appliedIndex));
  if (store.discarded !== undefined) expect(appliedIndex).toBe(0);
  await store.close();
  await rm(directory, { recursive: true });
  if (store.discarded !== undefined) return 'discarded';
  return appliedIndex === Math.max(...states.keys()) ? 'exact' : 'older';
}

describe('a damaged file of LevelDB', () => {
  test('an undamaged copy is exact', async () => {
    expect(await outcomeOf(/^CURRENT$/, () => Promise.resolve())).toBe('exact');
  });

  test.for(kinds)(
    '%s with a flipped bit: exact, older and whole, or discarded',
    async ([, pattern]) => {
      const outcomes = new Set<string>();
      const random = seededRandom(11);
      for (let round = 0; round < 8; round++) {
        const outcome = await outcomeOf(pattern, async (path, bytes) => {
          const at = random.integer(0, bytes.length);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 8));
          await writeFile(path, bytes);
        });
        outcomes.add(outcome);
      }
      // The damage is felt: not every flip can leave everything as it was.
      expect(outcomes).not.toEqual(new Set(['exact']));
    },
  );

  test.for(kinds)('%s cut short: exact, older and whole, or discarded', async ([, pattern]) => {
    const outcomes = new Set<string>();
    const random = seededRandom(13);
    for (let round = 0; round < 5; round++) {
      const share = round === 0 ? 0 : random.next();
      outcomes.add(
        await outcomeOf(pattern, (path, bytes) => truncate(path, Math.floor(bytes.length * share))),
      );
    }
    expect(outcomes).not.toEqual(new Set(['exact']));
  });

  test.for(kinds)('%s deleted: older and whole, or discarded', async ([, pattern]) => {
    expect(await outcomeOf(pattern, (path) => rm(path))).not.toBe('exact');
  });

  test('CURRENT deleted is said, also where LevelDB would find no record and begin anew', async () => {
    const directory = await mkdtemp(join(root, 'copy-'));
    await cp(pristine, directory, { recursive: true });
    const level = new ClassicLevel(directory);
    await level.open();
    await level.compactRange('', '\u{10ffff}');
    await level.close();
    await rm(join(directory, 'CURRENT'));
    const store = await open(directory);
    expect(store.discarded).toBe('its CURRENT is missing');
    expect(contentOf(store.image.records)).toEqual({});
    await store.close();
    await rm(directory, { recursive: true });
  });

  test('LOCK deleted: exact', async () => {
    expect(await outcomeOf(/^LOCK$/, (path) => rm(path))).toBe('exact');
  });
});
