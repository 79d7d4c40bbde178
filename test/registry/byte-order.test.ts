// The order of strings against the order of their UTF-8 bytes.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytewise } from '../../src/registry/byte-order.ts';

test('strings are in the order of their UTF-8 bytes', () => {
  const encoder = new TextEncoder();
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('a', '\u007f', '\u0080', '\ud7ff', '\ue000', '\uffff', '\u{10000}'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 4,
  });
  fc.assert(
    fc.property(text, text, (left, right) => {
      const expected = Buffer.compare(encoder.encode(left), encoder.encode(right));
      expect(Math.sign(compareBytewise(left, right))).toBe(expected);
    }),
    { numRuns: 300 },
  );
});
