// Positional arrays in msgpack, as peers send them.
import { Packr, Unpackr } from 'msgpackr';
import { checkShape, MsgpackShapeError } from '../lib/msgpack-shape.ts';

/** Bytes that are not what a peer may send. Says what was expected where; the stream they came on is dropped. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  useToJSON: false,
  moreTypes: false,
  encodeUndefinedAsNil: true,
} as const;
const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** The packed array as a view on msgpackr's own memory: to be copied before the next call. undefined becomes nil. */
export function packArray(fields: readonly unknown[]): Uint8Array {
  return packr.pack(fields);
}

/** Decodes exactly one value. Binaries are views on `bytes`. Throws WireError. */
export function unpackValue(bytes: Uint8Array): unknown {
  try {
    checkShape(bytes);
    // A view of our own, because msgpackr hangs a DataView on the object it reads from.
    return unpackr.unpack(bytes.subarray(0));
  } catch (cause) {
    const shape = cause instanceof MsgpackShapeError;
    throw new WireError(shape ? cause.message : 'bytes are not msgpack', { cause });
  }
}
