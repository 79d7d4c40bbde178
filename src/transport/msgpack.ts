// Positional arrays in msgpack. msgpackr would also decode extensions, some of them with side effects, so bytes from the
// network are walked first: only nil, booleans, numbers, strings, binaries and shallow arrays pass.
import { Packr, Unpackr } from 'msgpackr';

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

/** Deepest frame: batch, frame, command body, list of items, item. */
const MAX_DEPTH = 8;

/** The packed array as a view on msgpackr's own memory: to be copied before the next call. undefined becomes nil. */
export function packArray(fields: readonly unknown[]): Uint8Array {
  return packr.pack(fields);
}

/** Decodes exactly one value. Binaries are views on `bytes`. Throws WireError. */
export function unpackValue(bytes: Uint8Array): unknown {
  const end = skipValue(bytes, 0, 0);
  if (end !== bytes.length) throw new WireError('bytes follow the msgpack value');
  try {
    // A view of our own, because msgpackr hangs a DataView on the object it reads from.
    return unpackr.unpack(bytes.subarray(0));
  } catch (cause) {
    throw new WireError('bytes are not msgpack', { cause });
  }
}

/** Where the value at `position` ends. Throws WireError for one that is cut off, too deep or of a type that no frame has. */
function skipValue(bytes: Uint8Array, position: number, depth: number): number {
  const token = bytes[position];
  if (token === undefined) throw new WireError('msgpack value is cut off');
  const next = position + 1;
  if (token <= 0x7f || token >= 0xe0) return next;
  if (token >= 0xa0 && token <= 0xbf) return within(bytes, next + (token & 0x1f));
  if (token >= 0x90 && token <= 0x9f) return skipArray(bytes, next, token & 0x0f, depth);
  switch (token) {
    case 0xc0: // nil, false, true
    case 0xc2:
    case 0xc3:
      return next;
    case 0xc4: // binary and string with their length in 1, 2 or 4 bytes
    case 0xd9:
      return within(bytes, next + 1 + readUint(bytes, next, 1));
    case 0xc5:
    case 0xda:
      return within(bytes, next + 2 + readUint(bytes, next, 2));
    case 0xc6:
    case 0xdb:
      return within(bytes, next + 4 + readUint(bytes, next, 4));
    case 0xcc: // integers of 1, 2, 4 and 8 bytes, float64
    case 0xd0:
      return within(bytes, next + 1);
    case 0xcd:
    case 0xd1:
      return within(bytes, next + 2);
    case 0xce:
    case 0xd2:
      return within(bytes, next + 4);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return within(bytes, next + 8);
    case 0xdc:
      return skipArray(bytes, next + 2, readUint(bytes, next, 2), depth);
    case 0xdd:
      return skipArray(bytes, next + 4, readUint(bytes, next, 4), depth);
    default:
      throw new WireError(`msgpack type 0x${token.toString(16)} has no place in a frame`);
  }
}

/** A length that lies runs into the end of the bytes before anything of that size is made. */
function skipArray(bytes: Uint8Array, start: number, count: number, depth: number): number {
  if (depth >= MAX_DEPTH) throw new WireError(`msgpack arrays nest deeper than ${MAX_DEPTH}`);
  if (count > bytes.length - start) throw new WireError('msgpack array is cut off');
  let position = start;
  for (let item = 0; item < count; item++) position = skipValue(bytes, position, depth + 1);
  return position;
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw new WireError('msgpack value is cut off');
  return end;
}

function readUint(bytes: Uint8Array, position: number, width: number): number {
  let value = 0;
  for (let offset = 0; offset < width; offset++) {
    const byte = bytes[position + offset];
    if (byte === undefined) throw new WireError('msgpack value is cut off');
    value = value * 256 + byte;
  }
  return value;
}
