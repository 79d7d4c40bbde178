// The command line of test:upgrade: what is wrong is named, with what is allowed.
import { expect, test } from 'vitest';
import { orders, parseOptions } from './options.ts';

const commits = ['5c4543f', 'dd80a71'];
const parse = (...words: string[]) => parseOptions(commits, words);

test('without options every order of every build is run', () => {
  expect(parse()).toEqual({ seed: 1 });
});

test('a single order is replayed with its seed and its build', () => {
  const options = parse('--order', 'n2,n1,n3', '--seed', '3001', '--from', 'dd80a71');
  expect(options).toEqual({ seed: 3001, order: ['n2', 'n1', 'n3'], from: 'dd80a71' });
});

test('the orders are all that there are', () => {
  expect(new Set(orders.map((order) => order.join())).size).toBe(6);
  for (const order of orders) expect(new Set(order)).toEqual(new Set(['n1', 'n2', 'n3']));
});

test.for([
  [['--seed', 'x'], /--seed.*whole number, 0 to 4294967295/],
  [['--seed', '-1'], /--seed.*whole number/],
  [['--seed', '4294967296'], /--seed.*whole number/],
  [['--from', 'abcdef0'], /--from.*5c4543f, dd80a71/],
  [['--order', 'n1,n2'], /--order.*n1, n2 and n3, each once/],
  [['--order', 'n1,n1,n3'], /--order/],
  [['--order', 'n1,n2,n4'], /--order/],
  [['--order', 'n1,n2,n3', '--quick'], /--quick.*cannot be used with.*--order/],
  [['--fast'], /--fast/],
  [['n1'], /too many arguments/],
] as const)('%s is wrong usage', ([words, what]) => {
  expect(() => parse(...words)).toThrow(what);
});
