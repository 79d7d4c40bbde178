// Page tokens: where a walk through a list goes on, and of which revision all its pages are. Opaque to clients: base64url
// of a version, the cluster's uuid, a digest of what is listed, the revision, the position and a checksum.
import { crc32 } from 'node:zlib';
import { type Revision, revision } from '../lib/ids.ts';
import { invalidArgument, RegistryError } from '../lib/registry-error.ts';
import { CLUSTER_BYTES, DIGEST_BYTES, otherVersion } from './watch-token.ts';

/** `selectorDigest`: `selectorDigest(selector)` for instances, `digestOf(namespace)` for services (watch-token.ts). */
export interface PageWalk {
  readonly clusterUuid: string;
  readonly selectorDigest: Uint8Array;
}
/** Where the last page ended. `position`: namespace, service name and, for instances, instance id of its last item. */
export interface PagePoint {
  readonly revision: Revision;
  readonly position: readonly string[];
}

// Above 100, unlike the versions of resume tokens, so that neither kind passes for the other.
const VERSION = 101;
const CLUSTER_AT = 1;
const DIGEST_AT = CLUSTER_AT + CLUSTER_BYTES;
const REVISION_AT = DIGEST_AT + DIGEST_BYTES;
const POSITION_AT = REVISION_AT + 8;
const CHECKSUM_BYTES = 4;
/** Namespace, service name and instance id at their longest, with room to spare. */
const MAX_TOKEN_CHARACTERS = 1024;

export function encodePageToken(walk: PageWalk, point: PagePoint): string {
  const position = Buffer.from(JSON.stringify(point.position));
  const bytes = Buffer.alloc(POSITION_AT + position.length + CHECKSUM_BYTES);
  bytes[0] = VERSION;
  bytes.write(walk.clusterUuid, CLUSTER_AT, CLUSTER_BYTES, 'hex');
  bytes.set(walk.selectorDigest, DIGEST_AT);
  bytes.writeBigUInt64BE(BigInt(point.revision), REVISION_AT);
  bytes.set(position, POSITION_AT);
  const end = bytes.length - CHECKSUM_BYTES;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end);
  return bytes.toString('base64url');
}

/** Throws invalidArgument `page_token` for a garbled one or one of another list, failedPrecondition for one of another cluster. `parts`: 3 for
 * instances, 2 for services. Whether the revision can still be rebuilt, `WatchHub.changesAbove` says. */
export function decodePageToken(text: string, walk: PageWalk, parts: 2 | 3): PagePoint {
  if (text.length > MAX_TOKEN_CHARACTERS) throw garbled();
  const bytes = Buffer.from(text, 'base64url');
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < POSITION_AT || bytes.toString('base64url') !== text) throw garbled();
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw garbled();
  const at = bytes.readBigUInt64BE(REVISION_AT);
  const version = bytes.readUInt8(0);
  if (version < VERSION) throw garbled();
  if (version > VERSION) throw otherVersion('page_token', version, VERSION);
  if (at > Number.MAX_SAFE_INTEGER) throw garbled();
  const digest = bytes.subarray(DIGEST_AT, DIGEST_AT + DIGEST_BYTES);
  if (!digest.equals(walk.selectorDigest)) {
    throw invalidArgument('page_token', 'was made for another list');
  }
  if (bytes.toString('hex', CLUSTER_AT, CLUSTER_AT + CLUSTER_BYTES) !== walk.clusterUuid) {
    throw new RegistryError('failedPrecondition', 'page_token: of another cluster; start again');
  }
  const position = positionOf(bytes.toString('utf8', POSITION_AT, end));
  if (position.length !== parts) throw garbled();
  return { revision: revision(Number(at)), position };
}

function positionOf(text: string): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw garbled();
  }
  if (!Array.isArray(parsed)) throw garbled();
  return parsed.map((part: unknown) => {
    if (typeof part !== 'string') throw garbled();
    return part;
  });
}

function garbled(): Error {
  return invalidArgument('page_token', 'is not a token of this service');
}
