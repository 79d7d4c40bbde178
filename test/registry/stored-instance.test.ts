// Fields of a stored instance read in place: whatever the bytes are, what is read is what msgpackr reads.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pack, unpack } from '../../src/registry/positional.ts';
import { readStoredInstance } from '../../src/registry/stored-instance.ts';

const count = fc.oneof(
  fc.nat(300),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32),
  fc.constantFrom(1_700_000_000_000, Number.MAX_SAFE_INTEGER),
);
const bytes = fc.uint8Array({ maxLength: 300 });
const fields = fc.tuple(
  fc.constant(1),
  fc.stringMatching(/^[a-z0-9.-]{0,70}$/),
  fc.nat(3),
  fc.boolean(),
  count,
  count,
  count,
  count,
  count,
  count,
  bytes,
);

function packedFields(stored: Uint8Array): readonly unknown[] | undefined {
  const read = readStoredInstance(stored);
  if (read === undefined) return undefined;
  const { encodedLength, ...rest } = read;
  return [...Object.values(rest), stored.subarray(stored.length - encodedLength)];
}

/** msgpackr gives binaries as a kind of their own. */
function plain(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((field) => (field instanceof Uint8Array ? [...field] : field));
}

function unpackOrFailure(stored: Uint8Array): unknown {
  try {
    return unpack(stored);
  } catch {
    return 'no msgpack';
  }
}

describe('a stored instance', () => {
  test('is read in place as it was packed', () => {
    fc.assert(
      fc.property(fields, (values) => {
        expect(plain(packedFields(pack(values)))).toEqual(plain(values));
      }),
    );
  });

  test('that was damaged is read as msgpackr reads it, or not at all', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
    fc.assert(
      fc.property(fields, damage, fc.nat(4), (values, changes, cut) => {
        const whole = pack(values);
        const stored = whole.slice(0, whole.length - (cut > 2 ? cut - 2 : 0));
        for (const [at, byte] of changes) stored[at % stored.length] = byte;
        const read = packedFields(stored);
        if (read === undefined) return;
        expect(plain(unpackOrFailure(stored))).toEqual(plain(read));
      }),
      { numRuns: 5000 },
    );
  });

  test('is left to msgpackr where it is not what this version writes', () => {
    const values = [1, 'web', 0, false, 10, 1, 1, 1, 1, 4, new Uint8Array(4)];
    expect(readStoredInstance(pack(values))).toMatchObject({ serviceName: 'web', ttlMs: 10 });
    const others = [
      values.with(1, 'wéb'),
      values.with(3, 0),
      values.with(4, -1),
      values.with(4, 0.5),
      values.with(10, 'text'),
      [...values, 1],
    ];
    for (const other of others) expect(readStoredInstance(pack(other))).toBeUndefined();
    expect(readStoredInstance(new Uint8Array([...pack(values), 0]))).toBeUndefined();
    expect(readStoredInstance(new Uint8Array())).toBeUndefined();
  });
});
