// Watch messages in protobuf. The hub encodes each change once for all readers; a message is those bytes behind a head.
import protobuf from 'protobufjs/minimal.js';
import type { ProjectedChange, WatchFormat, WatchMessage } from '../../node/watch-hub.ts';
import { putVarint, varintSize } from './encode.ts';
import { bytesKey, numberKey } from './wire-reader.ts';

const PUT = 1;
const REMOVE = 2;
const CHANGES = bytesKey(5);

/** A Change with the key and length it has inside a WatchResponse, so that a message is put together by copying. */
function encodeChange(change: ProjectedChange): Uint8Array {
  const content = protobuf.Writer.create();
  content.uint32(numberKey(1)).uint32(change.kind === 'put' ? PUT : REMOVE);
  content.uint32(bytesKey(2));
  if (change.kind === 'put') content.bytes(change.record.encoded);
  else writeIdentity(content, change);
  if (change.reason !== '') content.uint32(bytesKey(3)).string(change.reason);
  if (change.actor !== '') content.uint32(bytesKey(4)).string(change.actor);
  const length = content.len;
  const framed = Buffer.allocUnsafeSlow(1 + varintSize(length) + length);
  framed[0] = CHANGES;
  const at = putVarint(framed, 1, length);
  framed.set(content.finish(), at);
  return framed;
}

/** Who left: an Instance with nothing but its names. */
function writeIdentity(
  content: protobuf.Writer,
  change: Extract<ProjectedChange, { kind: 'remove' }>,
): void {
  const instance = content.fork();
  instance.uint32(bytesKey(1)).string(change.namespace);
  instance.uint32(bytesKey(2)).string(change.serviceName);
  instance.uint32(bytesKey(3)).string(change.instanceId);
  instance.ldelim();
}

function encodeMessage(message: WatchMessage): Uint8Array {
  const head = protobuf.Writer.create();
  if (message.revision !== 0) head.uint32(numberKey(1)).uint64(message.revision);
  head.uint32(bytesKey(2)).string(message.resumeToken);
  if (message.reset) head.uint32(numberKey(3)).bool(true);
  if (message.more) head.uint32(numberKey(4)).bool(true);
  return Buffer.concat([head.finish(), ...message.changes]);
}

/** One object for the whole door: the hub caches by it. */
export const protobufWatchFormat: WatchFormat = { encodeChange, encodeMessage };
