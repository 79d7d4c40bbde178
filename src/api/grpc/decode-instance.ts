// rollcall.v1.Instance, Selector and ReadOptions as requests carry them. Numbers of fields are those of
// proto/rollcall/v1/registry.proto.
import { revision } from '../../lib/ids.ts';
import type { ApiLimits } from '../limits.ts';
import type { InstanceInput, ReadInput, SelectorInput } from '../requests.ts';
import {
  type Reader,
  type Tally,
  bytesKey,
  checkTally,
  eachField,
  endOfValue,
  keeps,
  numberKey,
  readEntry,
  readRevision,
  readText,
  tally,
} from './wire-reader.ts';

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

interface Draft extends Mutable<InstanceInput> {
  readonly metadata: Map<string, string>;
  readonly tags: string[];
  readonly ports: Map<string, number>;
}

/** What repeats in one instance or selector; made only when it occurs. */
interface Counts {
  metadata?: Tally;
  tags?: Tally;
  ports?: Tally;
  services?: Tally;
  statuses?: Tally;
}

/** `path` ends in a dot: `instance.`. The fields set by the registry are skipped. */
export function readInstance(reader: Reader, path: string, limits: ApiLimits): InstanceInput {
  const draft: Draft = {
    namespace: '',
    serviceName: '',
    instanceId: '',
    host: '',
    port: 0,
    status: 0,
    metadata: new Map(),
    tags: [],
    version: '',
    region: '',
    zone: '',
    weight: 0,
    ports: new Map(),
    checks: 0,
    ttlMs: 0,
    deregisterAfterMs: 0,
    lifecycle: 0,
  };
  const counts: Counts = {};
  eachField(
    reader,
    endOfValue(reader),
    (key) =>
      readInstanceText(draft, reader, key, path) ||
      readInstanceNumber(draft, reader, key) ||
      readInstanceList(draft, counts, reader, key, path, limits),
  );
  checkTally(counts.metadata, `${path}metadata`, 'pairs');
  checkTally(counts.tags, `${path}tags`, 'tags');
  checkTally(counts.ports, `${path}ports`, 'ports');
  return draft;
}

/** Each of these returns true when the field was one of its own. */
function readInstanceText(draft: Draft, reader: Reader, key: number, path: string): boolean {
  switch (key) {
    case bytesKey(1):
      draft.namespace = readText(reader, path, 'namespace');
      return true;
    case bytesKey(2):
      draft.serviceName = readText(reader, path, 'service_name');
      return true;
    case bytesKey(3):
      draft.instanceId = readText(reader, path, 'instance_id');
      return true;
    case bytesKey(4):
      draft.host = readText(reader, path, 'host');
      return true;
    case bytesKey(9):
      draft.version = readText(reader, path, 'version');
      return true;
    case bytesKey(10):
      draft.region = readText(reader, path, 'region');
      return true;
    case bytesKey(11):
      draft.zone = readText(reader, path, 'zone');
      return true;
    default:
      return false;
  }
}

function readInstanceNumber(draft: Draft, reader: Reader, key: number): boolean {
  switch (key) {
    case numberKey(5):
      draft.port = reader.uint32();
      return true;
    case numberKey(6):
      draft.status = reader.int32();
      return true;
    case numberKey(12):
      draft.weight = reader.uint32();
      return true;
    case numberKey(15):
      draft.ttlMs = reader.uint32();
      return true;
    case numberKey(20):
      draft.deregisterAfterMs = reader.uint32();
      return true;
    case numberKey(22):
      draft.lifecycle = reader.int32();
      return true;
    default:
      return false;
  }
}

function readInstanceList(
  draft: Draft,
  counts: Counts,
  reader: Reader,
  key: number,
  path: string,
  limits: ApiLimits,
): boolean {
  switch (key) {
    case bytesKey(7):
      counts.metadata ??= tally(limits.metadataPairs);
      if (!keeps(counts.metadata)) return false;
      draft.metadata.set(...readPair(reader, path));
      return true;
    case bytesKey(8):
      counts.tags ??= tally(limits.tags);
      if (!keeps(counts.tags)) return false;
      draft.tags.push(readText(reader, path, 'tags'));
      return true;
    case bytesKey(13):
      counts.ports ??= tally(limits.namedPorts);
      if (!keeps(counts.ports)) return false;
      draft.ports.set(...readEntry(reader, path, 'ports', 0, numberKey(2), () => reader.uint32()));
      return true;
    case bytesKey(14):
      draft.checks += 1;
      return false;
    default:
      return false;
  }
}

function readPair(reader: Reader, path: string): readonly [string, string] {
  return readEntry(reader, path, 'metadata', '', bytesKey(2), () =>
    readText(reader, path, 'metadata'),
  );
}

/** What an absent ReadOptions means: linearizable, no minimum. */
export const defaultRead: ReadInput = {
  consistency: 0,
  minRevision: revision(0),
  maxStalenessMs: 0,
};

export function readReadOptions(reader: Reader): ReadInput {
  const draft: Mutable<ReadInput> = { ...defaultRead };
  eachField(reader, endOfValue(reader), (key) => {
    if (key === numberKey(1)) draft.consistency = reader.int32();
    else if (key === numberKey(2)) draft.minRevision = readRevision(reader);
    else if (key === numberKey(3)) draft.maxStalenessMs = reader.uint32();
    else return false;
    return true;
  });
  return draft;
}

interface SelectorDraft extends Mutable<SelectorInput> {
  readonly services: string[];
  readonly tags: string[];
  readonly metadata: Map<string, string>;
  readonly statuses: number[];
}

const emptySelector = (): SelectorDraft => ({
  namespace: '',
  services: [],
  healthyOnly: false,
  tags: [],
  metadata: new Map(),
  zone: '',
  region: '',
  version: '',
  statuses: [],
});

/** What an absent Selector means: all of the namespace "default". */
export const defaultSelector: SelectorInput = emptySelector();

const SELECTOR = 'selector.';

export function readSelector(reader: Reader, limits: ApiLimits): SelectorInput {
  const draft = emptySelector();
  const counts: Counts = {};
  eachField(
    reader,
    endOfValue(reader),
    (key) =>
      readSelectorValue(draft, reader, key) || readSelectorList(draft, counts, reader, key, limits),
  );
  checkTally(counts.services, 'selector.services', 'services');
  checkTally(counts.tags, 'selector.tags', 'tags');
  checkTally(counts.metadata, 'selector.metadata', 'pairs');
  checkTally(counts.statuses, 'selector.statuses', 'statuses');
  return draft;
}

function readSelectorValue(draft: SelectorDraft, reader: Reader, key: number): boolean {
  if (key === bytesKey(1)) draft.namespace = readText(reader, SELECTOR, 'namespace');
  else if (key === numberKey(3)) draft.healthyOnly = reader.bool();
  else if (key === bytesKey(6)) draft.zone = readText(reader, SELECTOR, 'zone');
  else if (key === bytesKey(7)) draft.region = readText(reader, SELECTOR, 'region');
  else if (key === bytesKey(8)) draft.version = readText(reader, SELECTOR, 'version');
  else return false;
  return true;
}

/** Statuses of one selector; there are four, and repeating one is pointless but fine. */
const STATUSES_LIMIT = 4;

function readSelectorList(
  draft: SelectorDraft,
  counts: Counts,
  reader: Reader,
  key: number,
  limits: ApiLimits,
): boolean {
  if (key === bytesKey(2)) {
    counts.services ??= tally(limits.selectorServices);
    if (!keeps(counts.services)) return false;
    draft.services.push(readText(reader, SELECTOR, 'services'));
  } else if (key === bytesKey(4)) {
    counts.tags ??= tally(limits.selectorTags);
    if (!keeps(counts.tags)) return false;
    draft.tags.push(readText(reader, SELECTOR, 'tags'));
  } else if (key === bytesKey(5)) {
    counts.metadata ??= tally(limits.selectorMetadata);
    if (!keeps(counts.metadata)) return false;
    draft.metadata.set(...readPair(reader, SELECTOR));
  } else if (key === numberKey(9)) {
    counts.statuses ??= tally(STATUSES_LIMIT);
    pushStatus(draft, counts.statuses, reader);
  } else if (key === bytesKey(9)) {
    const counted = (counts.statuses ??= tally(STATUSES_LIMIT));
    const end = endOfValue(reader);
    while (reader.pos < end) pushStatus(draft, counted, reader);
  } else {
    return false;
  }
  return true;
}

function pushStatus(draft: SelectorDraft, counted: Tally, reader: Reader): void {
  const status = reader.int32();
  if (keeps(counted)) draft.statuses.push(status);
}
