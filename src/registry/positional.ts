// msgpackr as this repository uses it: positional arrays only, never records, whose definitions would be hidden state
// that every replica had to share. Plus the readers that check an array that came from outside.
import { Packr, Unpackr } from 'msgpackr';
import { checkShape, MsgpackShapeError } from '../lib/msgpack-shape.ts';

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  useToJSON: false,
  moreTypes: false,
} as const;
const packr = new Packr(OPTIONS);
const unpackr = new Unpackr(OPTIONS);

/** An array that does not have the expected shape. Bad input from a peer, never from a client. */
export class MalformedArrayError extends Error {
  override readonly name = 'MalformedArrayError';
}

/** The packed array as a view on msgpackr's own slab: valid until the next call, for hashing and copying only. */
export function packView(fields: readonly unknown[]): Uint8Array {
  return packr.pack(fields);
}

/** The packed array in memory of exactly its size. */
export function pack(fields: readonly unknown[]): Uint8Array {
  return new Uint8Array(packr.pack(fields));
}

/** Throws MalformedArrayError for anything but one msgpack value of the kinds that a positional array holds. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    checkShape(bytes);
    // A view of our own, because msgpackr hangs a DataView on the object it reads from.
    return unpackr.unpack(bytes.subarray(0));
  } catch (cause) {
    const shape = cause instanceof MsgpackShapeError;
    throw new MalformedArrayError(shape ? cause.message : 'bytes are not msgpack', { cause });
  }
}

export type Fields = readonly unknown[];

/** `what` names the array in the error. The length is exact: an unknown field cannot be ignored by a state machine. */
export function fieldsOf(value: unknown, what: string, length: number): Fields {
  const fields = arrayOf(value, what);
  if (fields.length !== length) {
    throw new MalformedArrayError(`${what}: ${fields.length} fields, expected ${length}`);
  }
  return fields;
}

export function arrayOf(value: unknown, what: string): Fields {
  if (!Array.isArray(value)) throw new MalformedArrayError(`${what}: not an array`);
  return value;
}

export function unknownKind(fields: Fields, what: string): MalformedArrayError {
  const [kind] = fields;
  const named = typeof kind === 'number' ? String(kind) : `of type ${typeof kind}`;
  return new MalformedArrayError(`${what}: unknown kind ${named}`);
}

export function textAt(fields: Fields, position: number, what: string): string {
  const value = fields[position];
  if (typeof value !== 'string') throw new MalformedArrayError(`${what}: not a string`);
  return value;
}

/** A safe non-negative integer. */
export function countAt(fields: Fields, position: number, what: string): number {
  const value = fields[position];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new MalformedArrayError(`${what}: not a safe non-negative integer`);
  }
  return value;
}

export function flagAt(fields: Fields, position: number, what: string): boolean {
  const value = fields[position];
  if (typeof value !== 'boolean') throw new MalformedArrayError(`${what}: not a boolean`);
  return value;
}

/** The bytes in memory of exactly their size, so that they do not keep the message alive that they came in. */
export function bytesAt(fields: Fields, position: number, what: string): Uint8Array {
  const value = fields[position];
  if (!(value instanceof Uint8Array)) throw new MalformedArrayError(`${what}: not bytes`);
  return new Uint8Array(value);
}

/** The length of bytes that the caller finds elsewhere. */
export function lengthAt(fields: Fields, position: number, what: string): number {
  const value = fields[position];
  if (!(value instanceof Uint8Array)) throw new MalformedArrayError(`${what}: not bytes`);
  return value.length;
}
