// Real bytes, made wrong: the edits that disks, networks and other programs make, as values that fast-check can shrink.
import * as fc from 'fast-check';

/** Lengths and counts that somebody may have forgotten to doubt. */
const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

const editAt = (place: fc.Arbitrary<number>) =>
  fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat(255) }),
    fc.record({ kind: fc.constant('truncate' as const), at: place }),
    fc.record({
      kind: fc.constant('cut' as const),
      at: place,
      length: fc.integer({ min: 1, max: 600 }),
    }),
    fc.record({
      kind: fc.constant('zero' as const),
      at: place,
      length: fc.constantFrom(1, 4, 8, 512, 1024),
    }),
    fc.record({
      kind: fc.constant('insert' as const),
      at: place,
      bytes: fc.uint8Array({ maxLength: 40 }),
    }),
    fc.record({
      kind: fc.constant('repeat' as const),
      at: place,
      length: fc.integer({ min: 1, max: 520 }),
      times: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ kind: fc.constant('splice' as const), at: place, other: place, from: place }),
    fc.record({
      kind: fc.constant('number' as const),
      at: place,
      value: fc.constantFrom(...extremes),
      width: fc.constantFrom(1, 2, 4),
      little: fc.boolean(),
    }),
  );

type Edit = ReturnType<typeof editAt> extends fc.Arbitrary<infer T> ? T : never;

const anywhere = fc.nat(2 ** 31 - 1);
/** Bytes behind a hot place that belong to it. */
const reach = 95;

/** One of the inputs after one to six edits, which may also take pieces of the others. `hot`: where headers begin, to be met more often. */
export function mutated(
  inputs: readonly Buffer[],
  hot: readonly number[] = [0],
): fc.Arbitrary<Buffer> {
  const near = fc.tuple(fc.constantFrom(...hot), fc.nat(reach)).map(([at, behind]) => at + behind);
  const edits = fc.array(editAt(fc.oneof(anywhere, near)), { minLength: 1, maxLength: 6 });
  return fc.tuple(fc.nat(inputs.length - 1), edits).map(([which, chosen]) => {
    const whole: Buffer = Buffer.from(inputs[which] ?? Buffer.alloc(0));
    return chosen.reduce<Buffer>((bytes, one) => edited(bytes, one, inputs), whole);
  });
}

/** The result may share no memory with an input. */
function edited(bytes: Buffer, change: Edit, inputs: readonly Buffer[]): Buffer {
  const at = change.at % (bytes.length + 1);
  switch (change.kind) {
    case 'flip':
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << change.bit);
      return bytes;
    case 'set':
      if (at < bytes.length) bytes[at] = change.byte;
      return bytes;
    case 'truncate':
      return bytes.subarray(0, at);
    case 'cut':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    case 'zero':
      return bytes.fill(0, at, Math.min(bytes.length, at + change.length));
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)]);
    case 'repeat': {
      const piece = bytes.subarray(at, at + change.length);
      const pieces = Array.from({ length: change.times }, () => piece);
      return Buffer.concat([bytes.subarray(0, at), ...pieces, bytes.subarray(at)]);
    }
    case 'splice': {
      const other = inputs[change.other % inputs.length] ?? Buffer.alloc(0);
      return Buffer.concat([
        bytes.subarray(0, at),
        other.subarray(change.from % (other.length + 1)),
      ]);
    }
    case 'number': {
      const { value, width, little } = change;
      if (at + width > bytes.length) return bytes;
      const kept = value % 256 ** width;
      if (little) bytes.writeUIntLE(kept, at, width);
      else bytes.writeUIntBE(kept, at, width);
      return bytes;
    }
  }
}
