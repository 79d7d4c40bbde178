// The rules of everything around an instance: commands, beats, selectors, read options and pages.
import { type Revision, revision } from '../lib/ids.ts';
import { invalidArgument } from '../lib/registry-error.ts';
import type { Consistency } from '../node/registry-node.ts';
import type {
  Deregister,
  Register,
  RegisterBatch,
  RegisterItem,
  Selector,
  SetStatus,
  Status,
} from '../registry/index.ts';
import type { ApiLimits } from './limits.ts';
import type {
  BeatInput,
  DeregisterInput,
  ReadInput,
  RegisterBatchInput,
  RegisterInput,
  SelectorInput,
  SetStatusInput,
} from './requests.ts';
import { lifecycleOfStatus, notInThisVersion, parseInstance } from './rules-instance.ts';
import {
  ALL_NAMESPACES,
  DEFAULT_NAMESPACE,
  checkCount,
  checkInstanceId,
  checkLabel,
  checkPairs,
  checkText,
  isInstanceId,
  isLabel,
  parseNamespace,
  parseTags,
} from './rules-text.ts';

export function parseRegister(input: RegisterInput, limits: ApiLimits): Register {
  checkText('request_id', input.requestId, limits.requestIdBytes);
  if (input.instance === undefined) throw invalidArgument('instance', 'is missing');
  const item = parseInstance('instance', input.instance, limits);
  return { kind: 'register', item, ifGeneration: input.ifGeneration };
}

/** All or nothing: the first instance that breaks a rule refuses the batch. */
export function parseRegisterBatch(input: RegisterBatchInput, limits: ApiLimits): RegisterBatch {
  checkText('request_id', input.requestId, limits.requestIdBytes);
  if (input.instances.length === 0) throw invalidArgument('instances', 'is empty');
  checkCount('instances', input.instances.length, 'instances', limits.batchInstances);
  const seen = new Set<string>();
  let bytes = 0;
  const items: RegisterItem[] = [];
  for (const [position, instance] of input.instances.entries()) {
    const item = parseInstance(`instances[${position}]`, instance, limits);
    // Neither part may hold a blank, so the joined text is unambiguous.
    const id = `${item.namespace} ${item.instanceId}`;
    if (seen.has(id)) {
      throw invalidArgument(`instances[${position}].instance_id`, 'is in the batch twice');
    }
    seen.add(id);
    bytes += item.body.length;
    items.push(item);
  }
  if (bytes > limits.batchBytes) {
    throw invalidArgument('instances', `${bytes} bytes`, limits.batchBytes);
  }
  return { kind: 'registerBatch', items };
}

/** How often to heartbeat, in milliseconds: a third of the smallest TTL. */
export function heartbeatInterval(items: readonly RegisterItem[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const item of items) smallest = Math.min(smallest, item.ttlMs);
  return Number.isFinite(smallest) ? Math.floor(smallest / 3) : 0;
}

export function parseDeregister(input: DeregisterInput, limits: ApiLimits): Deregister {
  const target = parseTarget(input, limits);
  checkText('request_id', input.requestId, limits.requestIdBytes);
  checkText('reason', input.reason, limits.reasonBytes);
  if (input.drain) throw notInThisVersion('drain');
  return { kind: 'deregister', ...target, generation: input.generation, reason: input.reason };
}

export function parseSetStatus(input: SetStatusInput, limits: ApiLimits): SetStatus {
  const target = parseTarget(input, limits);
  checkText('request_id', input.requestId, limits.requestIdBytes);
  checkText('reason', input.reason, limits.reasonBytes);
  const lifecycle = lifecycleOfStatus('status', input.status);
  const maintenance = parseMaintenance(input.maintenance);
  if (input.drain) throw notInThisVersion('drain');
  const { generation, reason } = input;
  return { kind: 'setStatus', ...target, generation, lifecycle, maintenance, reason };
}

/** Numbers of rollcall.v1.SetStatusRequest.Maintenance. */
function parseMaintenance(value: number): boolean | undefined {
  if (value === 0) return undefined;
  if (value === 1) return true;
  if (value === 2) return false;
  throw invalidArgument('maintenance', `${value} is not a Maintenance`);
}

interface Target {
  readonly namespace: string;
  readonly instanceId: string;
}

/** Which instance a request is about. */
export function parseTarget(input: Target, limits: ApiLimits): Target {
  const namespace = parseNamespace('namespace', input.namespace, limits.labelBytes);
  checkInstanceId('instance_id', input.instanceId, limits.instanceIdBytes);
  return { namespace, instanceId: input.instanceId };
}

/** The beat with its namespace filled in; undefined for an id or namespace that cannot exist. */
export function parseBeat(input: BeatInput, limits: ApiLimits): BeatInput | undefined {
  if (!isInstanceId(input.instanceId, limits.instanceIdBytes)) return undefined;
  if (input.namespace === '') return { ...input, namespace: DEFAULT_NAMESPACE };
  return isLabel(input.namespace, limits.labelBytes) ? input : undefined;
}

/** Namespace of a selector or list: '' is "default", '*' is all. */
export function parseWideNamespace(field: string, text: string, limits: ApiLimits): string {
  return text === ALL_NAMESPACES ? text : parseNamespace(field, text, limits.labelBytes);
}

/** By number of rollcall.v1.Status; STATUS_UNSPECIFIED selects nothing and is refused. */
const STATUSES: readonly (Status | undefined)[] = [
  undefined,
  'starting',
  'healthy',
  'unhealthy',
  'draining',
];

export function parseSelector(input: SelectorInput, limits: ApiLimits): Selector {
  const services = [...new Set(input.services)].toSorted();
  checkCount('selector.services', services.length, 'services', limits.selectorServices);
  for (const [position, service] of input.services.entries()) {
    checkLabel(`selector.services[${position}]`, service, limits.labelBytes);
  }
  const tags = parseTags('selector.tags', input.tags, {
    count: limits.selectorTags,
    bytes: limits.tagBytes,
  });
  checkPairs('selector.metadata', input.metadata, {
    count: limits.selectorMetadata,
    keyBytes: limits.metadataKeyBytes,
    valueBytes: limits.metadataValueBytes,
  });
  checkText('selector.zone', input.zone, limits.zoneBytes);
  checkText('selector.region', input.region, limits.regionBytes);
  checkText('selector.version', input.version, limits.versionBytes);
  return {
    namespace: parseWideNamespace('selector.namespace', input.namespace, limits),
    services,
    healthyOnly: input.healthyOnly,
    tags,
    metadata: input.metadata,
    zone: input.zone,
    region: input.region,
    version: input.version,
    statuses: parseStatuses(input.statuses),
  };
}

function parseStatuses(numbers: readonly number[]): readonly Status[] {
  const statuses = new Set<Status>();
  for (const [position, number] of numbers.entries()) {
    const status = STATUSES[number];
    if (status === undefined) {
      throw invalidArgument(`selector.statuses[${position}]`, `${number} is not a Status`);
    }
    statuses.add(status);
  }
  return [...statuses].toSorted();
}

const DEFAULT_STALENESS_MS = 1000;
const CONSISTENCIES: readonly Consistency[] = ['linearizable', 'bounded', 'stale'];

export interface ParsedRead {
  readonly consistency: Consistency;
  readonly minRevision: Revision;
  readonly maxStalenessMs: number;
}

export function parseRead(input: ReadInput): ParsedRead {
  const consistency = CONSISTENCIES[input.consistency];
  if (consistency === undefined) {
    throw invalidArgument('read.consistency', `${input.consistency} is not a Consistency`);
  }
  const { minRevision, maxStalenessMs } = input;
  return { consistency, minRevision, maxStalenessMs: maxStalenessMs || DEFAULT_STALENESS_MS };
}

/** Whatever this node has, once it has reached `minRevision`. */
export function staleRead(minRevision: Revision = revision(0)): ParsedRead {
  return { consistency: 'stale', minRevision, maxStalenessMs: DEFAULT_STALENESS_MS };
}

/** Entries per page: 0 is the limit. */
export function parsePageSize(pageSize: number, limits: ApiLimits): number {
  if (pageSize > limits.pageSize)
    throw invalidArgument('page_size', `is ${pageSize}`, limits.pageSize);
  return pageSize === 0 ? limits.pageSize : pageSize;
}
