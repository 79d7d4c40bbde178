// The table of status.ts, row by row.
import { describe, expect, test } from 'vitest';
import { deriveStatus } from '../../src/registry/status.ts';

describe('status is derived', () => {
  test.for([
    ['serving', false, 'healthy'],
    ['serving', true, 'unhealthy'],
    ['starting', false, 'starting'],
    ['starting', true, 'unhealthy'],
    ['draining', false, 'draining'],
    ['draining', true, 'draining'],
  ] as const)('from lifecycle %s and maintenance %s as %s', ([lifecycle, maintenance, status]) => {
    expect(deriveStatus(lifecycle, maintenance)).toBe(status);
  });
});
