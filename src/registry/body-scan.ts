// Reads single fields out of an instance's canonical bytes without decoding the rest: what selectors and summaries need,
// so that the catalogue keeps each record once, as bytes.
import protobuf from 'protobufjs/minimal.js';
import { assert } from '../lib/assert.ts';
import type { InstanceRecord } from './types.ts';

/** Called with each length-delimited field's number and the range of its content in `bytes`. False ends the scan. */
type Visit = (field: number, start: number, end: number) => boolean;

/** Walks the fields of the client's part, which are varints and length-delimited ones only. */
export function scanBody(record: InstanceRecord, visit: Visit): void {
  const bytes = record.encoded;
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = bytes[at];
      assert(byte !== undefined && shift < 35, 'an instance body is canonical protobuf');
      at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
      shift += 7;
    }
  };
  while (at < record.bodyLength) {
    const key = varint();
    const content = varint();
    if ((key & 7) === 0) continue;
    assert((key & 7) === 2, 'an instance body holds varints and length-delimited fields');
    const start = at;
    at += content;
    if (!visit(key >>> 3, start, at)) return;
  }
}

const TAGS = 8;

export function tagsOf(record: InstanceRecord): readonly string[] {
  const tags: string[] = [];
  scanBody(record, (field, start, end) => {
    if (field === TAGS) tags.push(protobuf.util.utf8.read(record.encoded, start, end));
    return field <= TAGS;
  });
  return tags;
}

/** UTF-8 bytes of a string, as encodeBody writes them. */
export function utf8(text: string): Uint8Array {
  const bytes = new Uint8Array(protobuf.util.utf8.length(text));
  protobuf.util.utf8.write(text, bytes, 0);
  return bytes;
}

/** True when `bytes` from `start` to `end` are `wanted`. */
export function sameBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
): boolean {
  if (end - start !== wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false;
  }
  return true;
}
