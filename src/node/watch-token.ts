// Resume tokens: where a reader stands, good on every node of the cluster. Opaque to clients: base64url of a version, the
// cluster's uuid (its epoch), the selector's digest, a flag, the revision and a checksum.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Revision, revision } from '../lib/ids.ts';
import { invalidArgument } from '../lib/registry-error.ts';
import { canonicalSelector, type Selector } from '../registry/index.ts';

/** What a token says. `more`: it came with a part of a state that was not complete yet. */
export interface ResumePoint {
  readonly clusterUuid: string;
  readonly selectorDigest: Uint8Array;
  readonly revision: Revision;
  readonly more: boolean;
}

export const DIGEST_BYTES = 8;
export const CLUSTER_BYTES = 16;
const VERSION = 1;
/** Higher ones are of page tokens. */
const LAST_VERSION = 100;
const FLAG_MORE = 1;
const CLUSTER_AT = 1;
const DIGEST_AT = CLUSTER_AT + CLUSTER_BYTES;
const FLAGS_AT = DIGEST_AT + DIGEST_BYTES;
const REVISION_AT = FLAGS_AT + 1;
const CHECKSUM_AT = REVISION_AT + 8;
const CHECKSUM_BYTES = 4;
const TOKEN_BYTES = CHECKSUM_AT + CHECKSUM_BYTES;
/** Of any version: a longer text is not looked at. */
const MAX_CHARACTERS = 256;

/** 64 bits that tell selectors apart. Two selectors that mean the same in another order have the same digest. */
export function selectorDigest(selector: Selector): Uint8Array {
  return digestOf(canonicalSelector(selector));
}

/** The same for any other text that a token is bound to. */
export function digestOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, DIGEST_BYTES);
}

export function encodeResumeToken(point: ResumePoint): string {
  const bytes = Buffer.alloc(TOKEN_BYTES);
  bytes[0] = VERSION;
  bytes.write(point.clusterUuid, CLUSTER_AT, CLUSTER_BYTES, 'hex');
  bytes.set(point.selectorDigest, DIGEST_AT);
  bytes[FLAGS_AT] = point.more ? FLAG_MORE : 0;
  bytes.writeBigUInt64BE(BigInt(point.revision), REVISION_AT);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return bytes.toString('base64url');
}

/** Throws invalidArgument for anything that `encodeResumeToken` did not make, and for a token of another selector. */
export function decodeResumeToken(text: string, expectedDigest: Uint8Array): ResumePoint {
  if (text.length > MAX_CHARACTERS) throw garbled();
  const bytes = Buffer.from(text, 'base64url');
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < 1 || bytes.toString('base64url') !== text) throw garbled();
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw garbled();
  const version = bytes.readUInt8(0);
  if (version < VERSION || version > LAST_VERSION) throw garbled();
  if (version > VERSION) throw otherVersion('resume_token', version, VERSION);
  if (bytes.length !== TOKEN_BYTES) throw garbled();
  const flags = bytes[FLAGS_AT] ?? 0;
  const at = bytes.readBigUInt64BE(REVISION_AT);
  if (flags > FLAG_MORE || at > Number.MAX_SAFE_INTEGER) throw garbled();
  const digest = bytes.subarray(DIGEST_AT, DIGEST_AT + DIGEST_BYTES);
  if (!digest.equals(expectedDigest)) {
    throw invalidArgument('resume_token', 'was made for another selector');
  }
  return {
    clusterUuid: bytes.toString('hex', CLUSTER_AT, CLUSTER_AT + CLUSTER_BYTES),
    selectorDigest: digest,
    revision: revision(Number(at)),
    more: flags === FLAG_MORE,
  };
}

/** In tokens of every version the version comes first and the checksum last, so one of another version is told from a garbled one. */
export function otherVersion(field: string, found: number, known: number): Error {
  return invalidArgument(
    field,
    `is of version ${found}, this node reads version ${known}: begin without a token, or ask a node of the version that made it`,
  );
}

function garbled(): Error {
  return invalidArgument('resume_token', 'is not a token of this service');
}
