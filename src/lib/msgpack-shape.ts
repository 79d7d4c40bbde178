// What bytes are as msgpack, before anything is made of them. msgpackr decodes extensions, some of them with side effects, and makes an
// array as long as its count says; so bytes that came from elsewhere are walked first: only nil, booleans, numbers, strings, binaries
// and shallow arrays pass, and no length that lies.

/** Bytes that are not one such value: the message says what was expected. */
export class MsgpackShapeError extends Error {
  override readonly name = 'MsgpackShapeError';
}

/** Deepest value: batch, frame, command body, list of items, item. */
const MAX_DEPTH = 8;

/** Throws MsgpackShapeError unless the bytes are exactly one value. */
export function checkShape(bytes: Uint8Array): void {
  if (skipValue(bytes, 0, 0) !== bytes.length) {
    throw new MsgpackShapeError('bytes follow the msgpack value');
  }
}

/** Where the value at `position` ends. Throws MsgpackShapeError for one that is cut off, too deep or of a type that no frame has. */
function skipValue(bytes: Uint8Array, position: number, depth: number): number {
  const token = bytes[position];
  if (token === undefined) throw new MsgpackShapeError('msgpack value is cut off');
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
      throw new MsgpackShapeError(`msgpack type 0x${token.toString(16)} has no place here`);
  }
}

/** A length that lies runs into the end of the bytes before anything of that size is made. */
function skipArray(bytes: Uint8Array, start: number, count: number, depth: number): number {
  if (depth >= MAX_DEPTH)
    throw new MsgpackShapeError(`msgpack arrays nest deeper than ${MAX_DEPTH}`);
  if (count > bytes.length - start) throw new MsgpackShapeError('msgpack array is cut off');
  let position = start;
  for (let item = 0; item < count; item++) position = skipValue(bytes, position, depth + 1);
  return position;
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw new MsgpackShapeError('msgpack value is cut off');
  return end;
}

function readUint(bytes: Uint8Array, position: number, width: number): number {
  let value = 0;
  for (let offset = 0; offset < width; offset++) {
    const byte = bytes[position + offset];
    if (byte === undefined) throw new MsgpackShapeError('msgpack value is cut off');
    value = value * 256 + byte;
  }
  return value;
}
