// One pass over protobuf bytes: field by field, nothing in between. Strict where a lenient reader would hand broken text
// on to every client that lists it; unknown fields are skipped, as proto3 wants.
import { isUtf8 } from 'node:buffer';
import protobuf from 'protobufjs/minimal.js';
import { type Revision, revision } from '../../lib/ids.ts';
import { RegistryError, invalidArgument } from '../../lib/registry-error.ts';

export type Reader = protobuf.Reader;

const VARINT = 0;
const BYTES = 2;
/** Key of a number, boolean or enum. */
export const numberKey = (field: number): number => (field << 3) | VARINT;
/** Key of text, bytes, a message, a map entry or packed numbers. */
export const bytesKey = (field: number): number => (field << 3) | BYTES;

/** Bytes that are no message of the expected kind. */
class MalformedMessageError extends Error {
  override readonly name = 'MalformedMessageError';
}

/** Runs a decoder over a whole request; bytes that are no protobuf are INVALID_ARGUMENT, whatever the decoder threw. */
export function decodeRequest<T>(bytes: Buffer, decode: (reader: Reader) => T): T {
  try {
    return decode(protobuf.Reader.create(bytes));
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('invalidArgument', 'request: is not a message of this method', {
      field: 'request',
      cause,
    });
  }
}

/** Calls `read` with each key up to `end`. False: not consumed, and skipped. */
export function eachField(reader: Reader, end: number, read: (key: number) => boolean): void {
  while (reader.pos < end) {
    const key = reader.uint32();
    if (!read(key)) reader.skipType(key & 7);
  }
  if (reader.pos !== end) throw new MalformedMessageError('a field reaches beyond its message');
}

/** End of the length-delimited value that begins here. */
export function endOfValue(reader: Reader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new MalformedMessageError('a value reaches beyond the bytes');
  return end;
}

const REPLACEMENT = '\ufffd';

/** Text; refuses what is not UTF-8. The field path is put together only for the error. */
export function readText(reader: Reader, path: string, field: string): string {
  const start = reader.pos;
  const end = endOfValue(reader);
  const from = reader.pos;
  // Requests are decoded from Buffers, so this is one; see decodeRequest.
  const bytes = reader.buf as Buffer;
  const text = bytes.toString('utf8', from, end);
  reader.pos = end;
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(from, end))) {
    reader.pos = start;
    throw invalidArgument(`${path}${field}`, 'is not valid UTF-8');
  }
  return text;
}

/** A uint64 as a revision. Beyond 2^53 - 1, which no revision reaches, it is that: current for nobody. */
export function readRevision(reader: Reader): Revision {
  let value = 0;
  let factor = 1;
  for (let count = 0; count < 10; count += 1) {
    const byte = reader.buf[reader.pos];
    if (byte === undefined) throw new MalformedMessageError('a number ends early');
    reader.pos += 1;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return revision(Math.min(value, Number.MAX_SAFE_INTEGER));
    factor *= 128;
  }
  throw new MalformedMessageError('a number of more than ten bytes');
}

/** How many times a limit a repeated field is kept while decoding: repeated tags and map keys collapse later. */
const SLACK = 16;

/** Counts what is repeated, so that no request makes many more objects than its limits allow. */
export interface Tally {
  readonly limit: number;
  readonly kept: number;
  count: number;
}

/** `slack` 1: nothing collapses later, so what is beyond the limit is not kept. */
export function tally(limit: number, slack: number = SLACK): Tally {
  return { limit, kept: Math.max(limit, 1) * slack, count: 0 };
}

/** One more. False: skip it, the request will be refused by checkTally. */
export function keeps(counted: Tally): boolean {
  counted.count += 1;
  return counted.count <= counted.kept;
}

/** Refuses the request when something was skipped. */
export function checkTally(counted: Tally | undefined, field: string, noun: string): void {
  if (counted !== undefined && counted.count > counted.kept) {
    throw invalidArgument(field, `${counted.count} ${noun}`, counted.limit);
  }
}

/** A map entry with text as key. */
export function readEntry<V>(
  reader: Reader,
  path: string,
  field: string,
  absent: V,
  isValue: number,
  readValue: () => V,
): readonly [string, V] {
  let key = '';
  let value = absent;
  eachField(reader, endOfValue(reader), (found) => {
    if (found === bytesKey(1)) key = readText(reader, path, field);
    else if (found === isValue) value = readValue();
    else return false;
    return true;
  });
  return [key, value];
}
