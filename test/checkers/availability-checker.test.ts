// G15 as a checker: what counts as a gap, and what does not.
import { describe, expect, test } from 'vitest';
import { checkAvailability } from './availability-checker.ts';

const healthy = [{ fromMs: 1000, toMs: 9000, who: 'n1, n2' }];
const steady = [2000, 4000, 6000, 8000];
const guarantees = (found: ReturnType<typeof checkAvailability>) =>
  found.map(
    ({ guarantee, evidence }) => `${guarantee} ${evidence.match(/no (.*) succeeded/)?.[1]}`,
  );

const withOneRead = (node: string, atMs: number) =>
  guarantees(
    checkAvailability(healthy, {
      writes: steady,
      reads: [2000, 7900],
      readsBegun: [{ node, atMs }],
    }),
  );

describe('G15: while a majority is healthy', () => {
  test('a success in every window of 5 s is enough', () => {
    expect(checkAvailability(healthy, { writes: steady, reads: [3000, 7900] })).toEqual([]);
  });

  test('5 s without a write, or without a read, is too long', () => {
    const reads = [2000, 7100];
    expect(guarantees(checkAvailability(healthy, { writes: steady, reads }))).toEqual([
      'G15 linearizable read',
    ]);
    const writes = [3900];
    expect(guarantees(checkAvailability(healthy, { writes, reads: steady }))).toEqual([
      'G15 write',
    ]);
  });

  test('nobody is blamed for reads that nobody asked for, or asked of somebody else, or too late', () => {
    expect(withOneRead('n2', 3500)).toEqual(['G15 linearizable read']);
    expect(withOneRead('n3', 3500)).toEqual([]);
    expect(withOneRead('n2', 2500)).toEqual([]);
    expect(withOneRead('n2', 5500)).toEqual([]);
  });
});
