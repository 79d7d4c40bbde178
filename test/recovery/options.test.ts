// The command line of test:recovery: what is wrong is named, with what is allowed.
import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';

test('without options every story is told; one is told alone by its name', () => {
  expect(parseOptions([])).toEqual({});
  expect(parseOptions(['--only', 'disk-replaced'])).toEqual({ only: 'disk-replaced' });
  expect(parseOptions(['--quick'])).toEqual({ quick: true });
});

test.for([
  [['--only', 'half-lost'], /--only.*all-lost, majority-lost, disk-replaced/],
  [['--only', 'all-lost', '--quick'], /--quick.*cannot be used with.*--only/],
  [['--slow'], /--slow/],
  [['all-lost'], /too many arguments/],
] as const)('%s is wrong usage', ([words, what]) => {
  expect(() => parseOptions(words)).toThrow(what);
});
