// rollcall.v1.Instance as bytes. The client's part is encoded canonically, so that equal bodies are equal bytes; the
// registry's own fields follow it: two protobuf messages behind each other are one message with the fields of both.
import protobuf from 'protobufjs/minimal.js';
import { type Revision, revision } from '../lib/ids.ts';
import { compareBytewise } from './byte-order.ts';
import { LIFECYCLE_NUMBER, lifecycleFromNumber } from './lifecycle.ts';
import type { InstanceBody, InstanceRecord, Lifecycle, Status } from './types.ts';

/** The registry's part of an instance. */
export interface RegistryFields {
  readonly status: Status;
  readonly generation: Revision;
  readonly revision: Revision;
  /** Unix milliseconds. */
  readonly registeredAtMs: number;
  /** Unix milliseconds. */
  readonly lastHeartbeatMs: number;
  readonly maintenance: boolean;
  readonly lifecycle: Lifecycle;
}

/** Every field of an instance. */
export interface DecodedInstance extends InstanceBody, RegistryFields {}

type Writer = protobuf.Writer;
type Reader = protobuf.Reader;

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** The values of the enums in rollcall/v1/registry.proto. */
const STATUS_NUMBER = { starting: 1, healthy: 2, unhealthy: 3, draining: 4 } as const;
const STATUS_BY_NUMBER: readonly (Status | undefined)[] = [
  undefined,
  'starting',
  'healthy',
  'unhealthy',
  'draining',
];
function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

function writeText(writer: Writer, field: number, value: string): void {
  if (value !== '') writer.uint32(tag(field, LENGTH_DELIMITED)).string(value);
}

function writeNumber(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(tag(field, VARINT)).uint32(value);
}

/** Keys in byte order; key and value are always written, also when they are empty. */
function writeMap<V>(
  writer: Writer,
  field: number,
  map: ReadonlyMap<string, V>,
  writeValue: (entry: Writer, value: V) => void,
): void {
  const entries = [...map].toSorted(([left], [right]) => compareBytewise(left, right));
  for (const [key, value] of entries) {
    const entry = writer.uint32(tag(field, LENGTH_DELIMITED)).fork();
    writeValue(entry.uint32(tag(1, LENGTH_DELIMITED)).string(key), value);
    entry.ldelim();
  }
}

function writeTextValue(entry: Writer, value: string): void {
  entry.uint32(tag(2, LENGTH_DELIMITED)).string(value);
}

function writeNumberValue(entry: Writer, value: number): void {
  entry.uint32(tag(2, VARINT)).uint32(value);
}

/** The content of one metadata pair, as encodeBody writes it. */
export function metadataPair(key: string, value: string): Uint8Array {
  const entry = protobuf.Writer.create().uint32(tag(1, LENGTH_DELIMITED)).string(key);
  writeTextValue(entry, value);
  return new Uint8Array(entry.finish());
}

/** Canonical encoding of the client's fields: in the order of their numbers, maps sorted by key bytewise. Equal bodies give equal bytes. */
export function encodeBody(body: InstanceBody): Uint8Array {
  const writer = protobuf.Writer.create();
  writeText(writer, 1, body.namespace);
  writeText(writer, 2, body.serviceName);
  writeText(writer, 3, body.instanceId);
  writeText(writer, 4, body.host);
  writeNumber(writer, 5, body.port);
  writeMap(writer, 7, body.metadata, writeTextValue);
  for (const label of body.tags) writer.uint32(tag(8, LENGTH_DELIMITED)).string(label);
  writeText(writer, 9, body.version);
  writeText(writer, 10, body.region);
  writeText(writer, 11, body.zone);
  writeNumber(writer, 12, body.weight);
  writeMap(writer, 13, body.ports, writeNumberValue);
  writeNumber(writer, 15, body.ttlMs);
  return new Uint8Array(writer.finish());
}

/** The whole instance: the body's bytes, then the registry's fields. */
export function encodeInstance(body: Uint8Array, fields: RegistryFields): Uint8Array {
  const writer = protobuf.Writer.create();
  writeNumber(writer, 6, STATUS_NUMBER[fields.status]);
  writer.uint32(tag(16, VARINT)).uint64(fields.generation);
  writer.uint32(tag(17, VARINT)).uint64(fields.revision);
  writer.uint32(tag(18, VARINT)).int64(fields.registeredAtMs);
  writer.uint32(tag(19, VARINT)).int64(fields.lastHeartbeatMs);
  if (fields.maintenance) writer.uint32(tag(21, VARINT)).bool(true);
  writeNumber(writer, 22, LIFECYCLE_NUMBER[fields.lifecycle]);
  const own = writer.finish();
  const encoded = new Uint8Array(body.length + own.length);
  encoded.set(body);
  encoded.set(own, body.length);
  return encoded;
}

/** The encoded instance with another last_heartbeat_ms: what the leader knows and the record does not. Unix milliseconds. */
export function withLastHeartbeat(record: InstanceRecord, unixMs: number): Uint8Array {
  const body = record.encoded.subarray(0, record.bodyLength);
  return encodeInstance(body, { ...record, lastHeartbeatMs: unixMs });
}

/** Fields while they are being read; what is absent has its proto3 default. */
type Draft = { -readonly [K in keyof DecodedInstance]: DecodedInstance[K] } & {
  readonly metadata: Map<string, string>;
  readonly tags: string[];
  readonly ports: Map<string, number>;
};

/** Reads every field that this version knows; others are skipped. Throws RangeError or Error for bytes that are no protobuf. */
export function decodeInstance(encoded: Uint8Array): DecodedInstance {
  const reader = protobuf.Reader.create(encoded);
  const draft: Draft = {
    namespace: '',
    serviceName: '',
    instanceId: '',
    host: '',
    port: 0,
    metadata: new Map(),
    tags: [],
    version: '',
    region: '',
    zone: '',
    weight: 0,
    ports: new Map(),
    ttlMs: 0,
    status: 'healthy',
    generation: revision(0),
    revision: revision(0),
    registeredAtMs: 0,
    lastHeartbeatMs: 0,
    maintenance: false,
    lifecycle: 'serving',
  };
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    if (!readBodyField(draft, reader, key >>> 3) && !readRegistryField(draft, reader, key >>> 3)) {
      reader.skipType(key & 7);
    }
  }
  return draft;
}

/** True when the field was one of the client's. */
function readBodyField(draft: Draft, reader: Reader, field: number): boolean {
  if (field === 1) draft.namespace = reader.string();
  else if (field === 2) draft.serviceName = reader.string();
  else if (field === 3) draft.instanceId = reader.string();
  else if (field === 4) draft.host = reader.string();
  else if (field === 5) draft.port = reader.uint32();
  else if (field === 7) readMapEntry(draft.metadata, reader, '', () => reader.string());
  else if (field === 8) draft.tags.push(reader.string());
  else if (field === 9) draft.version = reader.string();
  else if (field === 10) draft.region = reader.string();
  else if (field === 11) draft.zone = reader.string();
  else if (field === 12) draft.weight = reader.uint32();
  else if (field === 13) readMapEntry(draft.ports, reader, 0, () => reader.uint32());
  else if (field === 15) draft.ttlMs = reader.uint32();
  else return false;
  return true;
}

/** True when the field was one of the registry's. */
function readRegistryField(draft: Draft, reader: Reader, field: number): boolean {
  if (field === 6) draft.status = STATUS_BY_NUMBER[reader.uint32()] ?? draft.status;
  else if (field === 16) draft.generation = revision(readLong(reader.uint64()));
  else if (field === 17) draft.revision = revision(readLong(reader.uint64()));
  else if (field === 18) draft.registeredAtMs = readLong(reader.int64());
  else if (field === 19) draft.lastHeartbeatMs = readLong(reader.int64());
  else if (field === 21) draft.maintenance = reader.bool();
  else if (field === 22) draft.lifecycle = lifecycleFromNumber(reader.uint32());
  else return false;
  return true;
}

function readMapEntry<V>(map: Map<string, V>, reader: Reader, absent: V, readValue: () => V): void {
  const end = reader.uint32() + reader.pos;
  let key = '';
  let value = absent;
  while (reader.pos < end) {
    const entryKey = reader.uint32();
    if (entryKey >>> 3 === 1) key = reader.string();
    else if (entryKey >>> 3 === 2) value = readValue();
    else reader.skipType(entryKey & 7);
  }
  map.set(key, value);
}

/** protobufjs gives a Long where that package is installed and a number where it is not; ours fit a number. */
function readLong(value: unknown): number {
  return typeof value === 'number' ? value : Number(String(value));
}
