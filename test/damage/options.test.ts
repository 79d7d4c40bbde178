// The command line of the damage matrix: which cells it takes, and what it refuses.
import { expect, test } from 'vitest';
import { nameOfCell } from './cells.ts';
import { parseOptions } from './options.ts';

test('without options all cells are taken; each option leaves some of them', () => {
  const { length } = parseOptions([]).cells;
  const flips = parseOptions(['--damage', 'flip', 'zero', '--role', 'leader']).cells;
  expect(flips.length).toBeLessThan(length / 3);
  for (const { damage, role } of flips) {
    expect([damage, role]).toEqual([expect.stringMatching(/flip|zero/), 'leader']);
  }
  const [one, ...others] = parseOptions(['--quick', '--only', 'identity']).cells;
  expect(others).toEqual([]);
  expect(nameOfCell(one ?? expect.fail('no cell'))).toMatch(/^identity /);
});

test('numbers are taken in the units of the code', () => {
  const options = parseOptions(['--seed', '7', '--patience', '5', '--json']);
  expect(options).toMatchObject({ seed: 7, patienceMs: 5000, json: true, record: false });
});

test.for([
  [['--only', 'wal'], /--only.*segment-oldest/],
  [['--damage', 'burn'], /--damage.*flip, truncate/],
  [['--role', 'learner'], /--role.*follower, leader, away/],
  [['--seed', 'x'], /--seed.*whole number/],
  [['--seed', ''], /--seed.*whole number/],
  [['--patience', '0'], /--patience.*whole number, 1 to/],
  [['--only', 'staged', '--role', 'leader'], /no such cell/],
  [['--fast'], /--fast/],
  [['--json', 'identity'], /too many arguments/],
] as const)('%s is wrong usage', ([words, what]) => {
  expect(() => parseOptions(words)).toThrow(what);
});
