// The fields of a stored instance, read where they lie: a node's start and a snapshot read up to a million of them, and the
// array that msgpackr builds of each costs several times as much. Only what this version writes is read here; of anything
// else msgpackr decides what it is, and what is wrong with it.

export interface StoredInstance {
  readonly version: number;
  readonly serviceName: string;
  readonly lifecycle: number;
  readonly maintenance: boolean;
  readonly ttlMs: number;
  readonly generation: number;
  readonly revision: number;
  readonly registeredAtMs: number;
  readonly lastHeartbeatMs: number;
  readonly bodyLength: number;
  /** Of the encoded instance, which is the end of the bytes. */
  readonly encodedLength: number;
}

interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
}

/** No count, no length: another type, or cut off. */
const OTHER = -1;
const ARRAY_OF_11 = 0x9b;
const FALSE = 0xc2;
const TRUE = 0xc3;
const FLOAT64_BYTES = 8;
const scratch = new DataView(new ArrayBuffer(FLOAT64_BYTES));

/** undefined: these are not eleven fields of the expected types in ASCII, or other bytes follow them. */
export function readStoredInstance(bytes: Uint8Array): StoredInstance | undefined {
  if (bytes[0] !== ARRAY_OF_11) return undefined;
  const cursor: Cursor = { bytes, offset: 1 };
  const version = countNext(cursor);
  const serviceName = textNext(cursor);
  const lifecycle = countNext(cursor);
  const maintenance = cursor.bytes[cursor.offset++];
  const ttlMs = countNext(cursor);
  const generation = countNext(cursor);
  const revision = countNext(cursor);
  const registeredAtMs = countNext(cursor);
  const lastHeartbeatMs = countNext(cursor);
  const bodyLength = countNext(cursor);
  const encodedLength = binaryLengthNext(cursor);
  if (serviceName === undefined || (maintenance !== TRUE && maintenance !== FALSE)) {
    return undefined;
  }
  const times = Math.min(ttlMs, registeredAtMs, lastHeartbeatMs);
  const least = Math.min(version, lifecycle, generation, revision, times, bodyLength);
  if (Math.min(least, encodedLength) <= OTHER) return undefined;
  if (cursor.offset + encodedLength !== bytes.length) return undefined;
  return {
    version,
    serviceName,
    lifecycle,
    maintenance: maintenance === TRUE,
    ttlMs,
    generation,
    revision,
    registeredAtMs,
    lastHeartbeatMs,
    bodyLength,
    encodedLength,
  };
}

/** A safe non-negative integer, or OTHER. */
function countNext(cursor: Cursor): number {
  const { bytes } = cursor;
  const token = bytes[cursor.offset++] ?? 0xff;
  if (token <= 0x7f) return token;
  switch (token) {
    case 0xcc: // unsigned integers of 1, 2 and 4 bytes, float64
      return uintNext(cursor, 1);
    case 0xcd:
      return uintNext(cursor, 2);
    case 0xce:
      return uintNext(cursor, 4);
    case 0xcb:
      return largeCountNext(cursor);
    default:
      return OTHER;
  }
}

function uintNext(cursor: Cursor, width: number): number {
  const { bytes, offset } = cursor;
  cursor.offset += width;
  if (cursor.offset > bytes.length) return OTHER;
  let value = 0;
  for (let at = offset; at < cursor.offset; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}

/** msgpackr writes what needs more than 32 bits as a float. */
function largeCountNext(cursor: Cursor): number {
  const { bytes, offset } = cursor;
  cursor.offset += FLOAT64_BYTES;
  if (cursor.offset > bytes.length) return OTHER;
  for (let at = 0; at < FLOAT64_BYTES; at++) scratch.setUint8(at, bytes[offset + at] ?? 0);
  const value = scratch.getFloat64(0);
  return Number.isSafeInteger(value) && value >= 0 ? value : OTHER;
}

/** undefined: no text, cut off, or not ASCII. */
function textNext(cursor: Cursor): string | undefined {
  const { bytes } = cursor;
  const token = bytes[cursor.offset++] ?? 0;
  let length = OTHER;
  if (token >= 0xa0 && token <= 0xbf) length = token & 0x1f;
  else if (token === 0xd9) length = uintNext(cursor, 1);
  const end = cursor.offset + length;
  if (length === OTHER || end > bytes.length) return undefined;
  let text = '';
  for (let at = cursor.offset; at < end; at++) {
    const byte = bytes[at] ?? 0x80;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  cursor.offset = end;
  return text;
}

/** The cursor then stands where the binary begins. */
function binaryLengthNext(cursor: Cursor): number {
  switch (cursor.bytes[cursor.offset++] ?? 0) {
    case 0xc4: // with their length in 1, 2 or 4 bytes
      return uintNext(cursor, 1);
    case 0xc5:
      return uintNext(cursor, 2);
    case 0xc6:
      return uintNext(cursor, 4);
    default:
      return OTHER;
  }
}
