// The table of frames against a plain list, over so many frames that its columns grow, move and shrink.
import { expect, test } from 'vitest';
import { logIndex, term } from '../../../src/lib/ids.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { EntryMap } from '../../../src/storage/wal/entry-map.ts';

interface Placed {
  readonly index: number;
  readonly term: number;
  readonly sector: number;
}

test('thousands of frames appended, truncated, raised and restarted are found where they lie', () => {
  let most = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const random = seededRandom(seed);
    const map = new EntryMap({ index: logIndex(0), term: term(0) });
    let list: Placed[] = [];
    let floor = { index: logIndex(0), term: term(0) };
    // Beyond what 32 bits hold: a log that is trimmed passes 2 TiB in its time.
    let sector = 2 ** 32 - 5_000;
    let now = 1;
    const last = (): number => list.at(-1)?.index ?? floor.index;
    for (let step = 0; step < 2_000; step++) {
      const kind = random.next();
      if (kind < 0.94) {
        for (let count = random.integer(1, 4); count > 0; count--) {
          const entry = { index: last() + 1, term: now, sector };
          list.push(entry);
          map.append(logIndex(entry.index), term(now), { sector, sectors: 3 });
        }
        sector += 3;
      } else if (kind < 0.97) {
        const cut = random.next() < 0.1 ? list.length : random.integer(0, 20);
        const after = logIndex(Math.max(floor.index, last() - cut));
        list = list.filter(({ index }) => index <= after);
        map.truncate(after);
        now++;
      } else if (kind < 0.997 || list.length === 0) {
        const far = random.next() < 0.1 ? list.length : random.integer(0, 30);
        const at = list[Math.min(far, list.length) - 1];
        if (at !== undefined) floor = { index: logIndex(at.index), term: term(at.term) };
        list = list.filter(({ index }) => index > floor.index);
        map.raise(floor);
      } else {
        floor = { index: logIndex(last() + random.integer(1, 50)), term: term(++now) };
        list = [];
        map.restart(floor);
      }
      most = Math.max(most, list.length);
      expect(map.floor).toEqual(floor);
      expect(map.lastIndex).toBe(last());
      expect(map.firstSector).toBe(list[0]?.sector);
      if (step % 50 !== 0 || list.length === 0) continue;
      const frames = map.locate(logIndex(floor.index + 1), logIndex(last()), Infinity);
      const sectors = [...new Set(list.map((entry) => entry.sector))];
      expect(frames.map((frame) => frame.sector)).toEqual(sectors);
      expect(frames.map(({ lastIndex }) => lastIndex)).toEqual(
        sectors.map((one) => list.findLast((entry) => entry.sector === one)?.index),
      );
      const middle = list[random.integer(0, list.length)];
      const index = logIndex(middle?.index ?? 0);
      expect(map.locate(index, index, 1)).toMatchObject([{ sector: middle?.sector }]);
      expect(map.runs.has({ index, term: term(middle?.term ?? 0) })).toBe(true);
      expect(map.runs.has({ index, term: term((middle?.term ?? 0) + 1) })).toBe(false);
      expect(map.runs.has(floor)).toBe(true);
      expect(map.runs.has({ ...floor, term: term(floor.term + 1) })).toBe(false);
      expect(() => map.locate(floor.index, index, 1)).toThrow('after its floor');
    }
  }
  expect(most).toBeGreaterThan(500);
});
