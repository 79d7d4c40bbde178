// Every bound a caller can meet, as plain data: the one schema behind the flags `--limit-…`, the file keys under `limits:`
// and the variables ROLLCALL_LIMIT_…. The names are camelCase here; the other spellings are derived from them.

/** What a limit counts. Durations are milliseconds, sizes are bytes of UTF-8 or of the encoded message. */
type LimitUnit = 'bytes' | 'milliseconds' | 'count';

export interface LimitSpec {
  readonly default: number;
  /** Inclusive range of what an operator may set. */
  readonly min: number;
  readonly max: number;
  readonly unit: LimitUnit;
  /** Why it exists, and what a caller sees when it is reached. */
  readonly why: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const HOUR = 3600 * SECOND;

export const limitSpecs = {
  labelBytes: {
    default: 63,
    min: 1,
    max: 63,
    unit: 'bytes',
    why: 'namespace, service_name and names of further ports are DNS labels (RFC 1035); longer ones are refused',
  },
  instanceIdBytes: {
    default: 128,
    min: 8,
    max: 128,
    unit: 'bytes',
    why: 'instance_id is a key in the log, the state store and in paths; a longer one is refused',
  },
  hostBytes: {
    default: 253,
    min: 15,
    max: 253,
    unit: 'bytes',
    why: 'longest host name DNS can carry; a longer one is refused',
  },
  metadataPairs: {
    default: 64,
    min: 0,
    max: 64,
    unit: 'count',
    why: 'metadata pairs of one instance; more are refused',
  },
  metadataKeyBytes: {
    default: 128,
    min: 1,
    max: 128,
    unit: 'bytes',
    why: 'one metadata key, in instances and selectors; a longer one is refused',
  },
  metadataValueBytes: {
    default: 512,
    min: 1,
    max: 4 * KIB,
    unit: 'bytes',
    why: 'one metadata value, in instances and selectors; a longer one is refused',
  },
  tags: {
    default: 64,
    min: 0,
    max: 64,
    unit: 'count',
    why: 'tags of one instance, counted after repeated ones are dropped; more are refused',
  },
  tagBytes: {
    default: 128,
    min: 1,
    max: 128,
    unit: 'bytes',
    why: 'one tag, in instances and selectors; a longer one is refused',
  },
  versionBytes: {
    default: 128,
    min: 0,
    max: 128,
    unit: 'bytes',
    why: 'version of an instance or selector; a longer one is refused',
  },
  regionBytes: {
    default: 128,
    min: 0,
    max: 128,
    unit: 'bytes',
    why: 'region of an instance or selector; a longer one is refused',
  },
  zoneBytes: {
    default: 128,
    min: 0,
    max: 128,
    unit: 'bytes',
    why: 'zone of an instance or selector; a longer one is refused',
  },
  weight: {
    default: 65_535,
    min: 1,
    max: 65_535,
    unit: 'count',
    why: 'highest weight; 16 bits, because DNS SRV carries no more; a higher one is refused',
  },
  namedPorts: {
    default: 64,
    min: 0,
    max: 64,
    unit: 'count',
    why: 'further named ports of one instance; more are refused',
  },
  reasonBytes: {
    default: 512,
    min: 0,
    max: 4 * KIB,
    unit: 'bytes',
    why: 'the words a caller gives for a change; longer ones are refused',
  },
  requestIdBytes: {
    default: 128,
    min: 16,
    max: 128,
    unit: 'bytes',
    why: 'request_id is a key of the deduplication table; a longer one is refused',
  },
  recordBytes: {
    default: 16 * KIB,
    min: 1 * KIB,
    max: 64 * KIB,
    unit: 'bytes',
    why: 'one encoded Instance with all its fields; a larger one is refused',
  },
  ttlMinMs: {
    default: 2 * SECOND,
    min: 500,
    max: 60 * SECOND,
    unit: 'milliseconds',
    why: 'shortest TTL; it must outlast a leader election and a missed heartbeat; a shorter one is refused',
  },
  ttlMaxMs: {
    default: 24 * HOUR,
    min: 60 * SECOND,
    max: 24 * HOUR,
    unit: 'milliseconds',
    why: 'longest TTL; beyond it silence says nothing any more; a longer one is refused',
  },
  batchInstances: {
    default: 1000,
    min: 1,
    max: 1000,
    unit: 'count',
    why: 'instances of one RegisterBatch, which is one log entry; more are refused',
  },
  batchBytes: {
    default: 1 * MIB,
    min: 64 * KIB,
    max: 1 * MIB,
    unit: 'bytes',
    why: 'encoded instances of one RegisterBatch together, which is one log entry; more are refused',
  },
  beats: {
    default: 10_000,
    min: 1,
    max: 10_000,
    unit: 'count',
    why: 'beats of one Heartbeat message; more are refused',
  },
  heartbeatStreamPending: {
    default: 8,
    min: 1,
    max: 64,
    unit: 'count',
    why: 'HeartbeatStream messages of one stream being answered at once; the node reads no further until one is done',
  },
  selectorServices: {
    default: 64,
    min: 1,
    max: 64,
    unit: 'count',
    why: 'services of one selector; more are refused',
  },
  selectorTags: {
    default: 64,
    min: 1,
    max: 64,
    unit: 'count',
    why: 'tags of one selector; more are refused',
  },
  selectorMetadata: {
    default: 64,
    min: 1,
    max: 64,
    unit: 'count',
    why: 'metadata pairs of one selector; more are refused',
  },
  messageInBytes: {
    default: 4 * MIB,
    min: 2 * MIB,
    max: 16 * MIB,
    unit: 'bytes',
    why: 'one gRPC message from a client; a larger one ends the call with RESOURCE_EXHAUSTED',
  },
  messageOutBytes: {
    default: 3 * MIB,
    min: 128 * KIB,
    max: 3 * MIB,
    unit: 'bytes',
    why: 'one gRPC message to a client, which takes 4 MiB by default; pages and resets are cut to fit',
  },
  pageSize: {
    default: 1000,
    min: 1,
    max: 1000,
    unit: 'count',
    why: 'entries of one page of a list, and what page_size 0 means; a larger page_size is refused',
  },
  listCacheBytes: {
    default: 32 * MIB,
    min: 0,
    max: 1024 * MIB,
    unit: 'bytes',
    why: 'encoded answers of ListInstances kept for the next reader; the least recently used are dropped',
  },
  maxWatches: {
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'count',
    why: 'watches of one node; one more gets RESOURCE_EXHAUSTED',
  },
  watchesPerConnection: {
    default: 64,
    min: 1,
    max: 1000,
    unit: 'count',
    why: 'watches of one connection; one more gets RESOURCE_EXHAUSTED and the others live on',
  },
  watchOpenMs: {
    default: 10 * SECOND,
    min: 100,
    max: 60 * SECOND,
    unit: 'milliseconds',
    why: 'how long a Watch may stay silent before its first message; then it ends with DEADLINE_EXCEEDED',
  },
  healthWatches: {
    default: 1000,
    min: 1,
    max: 100_000,
    unit: 'count',
    why: 'grpc.health.v1 watches of one node; one more gets RESOURCE_EXHAUSTED',
  },
  connections: {
    default: 10_000,
    min: 10,
    max: 1_000_000,
    unit: 'count',
    why: 'client connections of one node; further ones are closed as they arrive',
  },
  streamsPerConnection: {
    default: 1000,
    min: 100,
    max: 10_000,
    unit: 'count',
    why: 'calls open at once on one connection; further ones are refused by HTTP/2 and safe to retry',
  },
  maxPendingWrites: {
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'count',
    why: 'writes of one node waiting for their outcome; one more gets RESOURCE_EXHAUSTED',
  },
  maxPendingWriteBytes: {
    default: 64 * MIB,
    min: MIB,
    max: 1024 * MIB,
    unit: 'bytes',
    why: 'instances in the writes of one node that wait for their outcome; more get RESOURCE_EXHAUSTED',
  },
  maxInstances: {
    default: 1_000_000,
    min: 1,
    max: 10_000_000,
    unit: 'count',
    why: 'instances of the cluster, as the leader of the moment has it; one more gets RESOURCE_EXHAUSTED',
  },
  maxRememberedAnswers: {
    default: 250_000,
    min: 1000,
    max: 10_000_000,
    unit: 'count',
    why: 'answers kept for repeated request_ids, as the leader of the moment has it; the oldest are forgotten',
  },
  rememberAnswersMs: {
    default: 600 * SECOND,
    min: 10 * SECOND,
    max: 24 * HOUR,
    unit: 'milliseconds',
    why: 'how long an answer is kept for a repeated request_id, as the leader of the moment has it',
  },
  ringChanges: {
    default: 100_000,
    min: 100,
    max: 10_000_000,
    unit: 'count',
    why: 'recent changes kept for watches that resume and for walks over pages; older positions get a reset',
  },
  logEntries: {
    default: 200_000,
    min: 100,
    max: 100_000_000,
    unit: 'count',
    why: 'log entries kept before those that the state on disk has are dropped; half of them stay for followers that are a little behind',
  },
  logBytes: {
    default: 256 * MIB,
    min: 64 * KIB,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    why: 'log of this node on disk before entries that the state on disk has are dropped; whichever of this and log_entries comes first',
  },
  logBytesForTransfer: {
    default: 1024 * MIB,
    min: 128 * KIB,
    max: 256 * 1024 * MIB,
    unit: 'bytes',
    why: 'log kept for a member that still catches up; beyond it the member needs another snapshot, and Status says so from half of it on',
  },
  snapshotChunkBytes: {
    default: 256 * KIB,
    min: 4 * KIB,
    max: 1 * MIB,
    unit: 'bytes',
    why: 'one part of a snapshot on its way to another node, about; larger ones are quicker, smaller ones disturb less',
  },
  snapshotIdleMs: {
    default: 30 * SECOND,
    min: 1 * SECOND,
    max: HOUR,
    unit: 'milliseconds',
    why: 'a snapshot that nobody has asked for so long is closed; who still needed it begins afresh',
  },
  diskReserveBytes: {
    default: 128 * MIB,
    min: 0,
    max: 1024 * 1024 * MIB,
    unit: 'bytes',
    why: 'disk space a node keeps free for what must go on: where no majority has as much, registrations and status changes get RESOURCE_EXHAUSTED; 0 refuses nothing',
  },
} as const satisfies Record<string, LimitSpec>;

export type LimitName = keyof typeof limitSpecs;

/** A value for every limit. Structurally also the NodeLimits of node/ and the ApiLimits of api/. */
export type Limits = { readonly [Name in LimitName]: number };

export const limitNames = Object.keys(limitSpecs) as readonly LimitName[];

/** The documented defaults. */
export const defaultLimits: Limits = Object.fromEntries(
  limitNames.map((name) => [name, limitSpecs[name].default]),
) as Limits;
