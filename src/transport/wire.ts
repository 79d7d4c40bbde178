// What goes over a peer stream: one gRPC message is a rollcall.peer.v1.PeerMessage whose `payload` values are msgpack
// arrays [payload number, ...]. By protobuf's own rule, messages with repeated fields are joined by joining their bytes.
import { assert } from '../lib/assert.ts';
import { logIndex, term } from '../lib/ids.ts';
import {
  type Hello,
  type PeerFrame,
  PROTOCOL_VERSION,
  type Refusal,
  type RefusalReason,
} from '../node/peer-protocol.ts';
import { MalformedArrayError } from '../registry/index.ts';
import {
  countAt,
  type Fields,
  fieldsOf,
  indexAt,
  listOf,
  nodeIdAt,
  numbering,
  termAt,
  textAt,
} from './fields.ts';
import { frameFromArray, frameToArray } from './frame-wire.ts';
import { lostAt, memberAt, memberToArray } from './member-wire.ts';
import { packArray, unpackValue, WireError } from './msgpack.ts';

export type Payload =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  | { readonly kind: 'frames'; readonly frames: readonly PeerFrame[] };

const payloadKinds = numbering<Payload['kind']>({ hello: 0, refusal: 1, frames: 2 });
const refusalReasons = numbering<RefusalReason>({
  protocolVersion: 0,
  otherCluster: 1,
  wrongTarget: 2,
  notAMember: 3,
  otherIncarnation: 4,
  removed: 5,
});

/** Tag of `repeated bytes payload = 1`. */
const PAYLOAD_TAG = 0x0a;
/** Tag and length take at most this much. */
const MAX_HEADER_BYTES = 6;

/** The first ten fields keep their places in every protocol version, so that a refusal can name the other's version. The
 * fields behind them were added within version 1: nodes before them skip what they do not know, and send none. */
export function encodeHello(hello: Hello): Buffer {
  return encodePayload([
    payloadKinds.numberOf('hello'),
    hello.protocolVersion,
    hello.clusterId,
    hello.clusterUuid,
    ...memberToArray(hello),
    hello.softwareVersion,
    hello.target,
    ...laterFields(hello),
  ]);
}

/** Each but the last has a value of its own that says nothing. */
function laterFields(hello: Hello): readonly unknown[] {
  const { configurationIndex, lastTerm, replaces, newestFrame } = hello;
  if (newestFrame !== undefined) {
    return [configurationIndex, lastTerm, replaces ?? [], newestFrame];
  }
  if (replaces !== undefined) return [configurationIndex, lastTerm, replaces];
  if (configurationIndex === 0) return [];
  return lastTerm > 0 ? [configurationIndex, lastTerm] : [configurationIndex];
}

export function encodeRefusal({ reason, message }: Refusal): Buffer {
  const number = refusalReasons.numberOf(reason);
  return encodePayload([payloadKinds.numberOf('refusal'), number, message]);
}

/** Messages that carry the frames in order, none larger than `maxBytes`: one, unless it would be too large.
 * Throws InvariantError for a single frame that does not fit: its maker has to keep within the limit. */
export function encodeFrames(frames: readonly PeerFrame[], maxBytes: number): readonly Buffer[] {
  const packed = packArray([payloadKinds.numberOf('frames'), ...frames.map(frameToArray)]);
  if (packed.length + MAX_HEADER_BYTES <= maxBytes) return [wrap(packed)];
  assert(frames.length > 1, `a peer frame of ${packed.length} bytes exceeds ${maxBytes}`);
  const half = frames.length >>> 1;
  return [
    ...encodeFrames(frames.slice(0, half), maxBytes),
    ...encodeFrames(frames.slice(half), maxBytes),
  ];
}

/** The payloads of one gRPC message. Throws WireError for anything that no peer of this protocol version sends. */
export function decodeMessage(message: Uint8Array): readonly Payload[] {
  const payloads: Payload[] = [];
  let position = 0;
  while (position < message.length) {
    const { start, end } = payloadAt(message, position);
    payloads.push(decodePayload(message.subarray(start, end)));
    position = end;
  }
  if (payloads.length === 0) throw new WireError('message without payload');
  return payloads;
}

function decodePayload(bytes: Uint8Array): Payload {
  const fields = listOf(unpackValue(bytes), 'payload');
  const kind = payloadKinds.nameAt(fields, 0, 'payload kind');
  switch (kind) {
    case 'hello':
      return { kind, hello: helloFromFields(fields) };
    case 'refusal': {
      const reason = refusalReasons.nameAt(fieldsOf(fields, 3, kind), 1, 'refusal.reason');
      return { kind, refusal: { reason, message: textAt(fields, 2, 'refusal.message') } };
    }
    case 'frames':
      return { kind, frames: fields.slice(1).map(decodeFrame) };
  }
}

function helloFromFields(fields: Fields): Hello {
  const protocolVersion = countAt(fields, 1, 'hello.protocolVersion');
  return {
    protocolVersion,
    clusterId: textAt(fields, 2, 'hello.clusterId'),
    clusterUuid: textAt(fields, 3, 'hello.clusterUuid'),
    ...memberAt(fields, 4, 'hello'),
    softwareVersion: textAt(fields, 8, 'hello.softwareVersion'),
    target: nodeIdAt(fields, 9, 'hello.target'),
    configurationIndex:
      fields.length > 10 ? indexAt(fields, 10, 'hello.configurationIndex') : logIndex(0),
    lastTerm: fields.length > 11 ? termAt(fields, 11, 'hello.lastTerm') : term(0),
    ...(protocolVersion === PROTOCOL_VERSION ? sinceVersionOne(fields) : {}),
  };
}

/** What was added within this version; another one may have something else in these places. */
function sinceVersionOne(fields: Fields): Pick<Hello, 'replaces' | 'newestFrame'> {
  const replaces = fields.length > 12 ? lostAt(fields, 12, 'hello.replaces') : [];
  return {
    ...(replaces.length > 0 ? { replaces } : {}),
    ...(fields.length > 13 ? { newestFrame: countAt(fields, 13, 'hello.newestFrame') } : {}),
  };
}

/** The registry's readers have an error of their own, which says the same to us. */
function decodeFrame(value: unknown): PeerFrame {
  try {
    return frameFromArray(value);
  } catch (cause) {
    if (!(cause instanceof MalformedArrayError)) throw cause;
    throw new WireError(cause.message, { cause });
  }
}

const encodePayload = (fields: readonly unknown[]): Buffer => wrap(packArray(fields));

/** Copies the payload behind tag and length, since the packer's memory is its own. */
function wrap(payload: Uint8Array): Buffer {
  const header = [PAYLOAD_TAG];
  for (let rest = payload.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      header.push(rest);
      break;
    }
    header.push((rest & 0x7f) | 0x80);
  }
  const message = Buffer.allocUnsafe(header.length + payload.length);
  message.set(header);
  message.set(payload, header.length);
  return message;
}

function payloadAt(message: Uint8Array, position: number): { start: number; end: number } {
  if (message[position] !== PAYLOAD_TAG) throw new WireError('not a PeerMessage');
  let length = 0;
  for (let offset = 0; offset < 4; offset++) {
    const byte = message[position + 1 + offset];
    if (byte === undefined) throw new WireError('PeerMessage is cut off');
    length |= (byte & 0x7f) << (7 * offset);
    if (byte < 0x80) {
      const start = position + 2 + offset;
      if (start + length > message.length) throw new WireError('PeerMessage is cut off');
      return { start, end: start + length };
    }
  }
  throw new WireError('payload is longer than any message');
}
