// The rules of an instance (registry.proto, Instance): what a client states becomes a canonical body with its
// defaults filled in, or an error that names the field.
import { RegistryError, invalidArgument } from '../lib/registry-error.ts';
import type { InstanceBody, Lifecycle, RegisterItem } from '../registry/index.ts';
import { encodeBody } from '../registry/instance-codec.ts';
import type { ApiLimits } from './limits.ts';
import type { InstanceInput } from './requests.ts';
import {
  checkCount,
  checkHost,
  checkInstanceId,
  checkLabel,
  checkPairs,
  checkPort,
  checkText,
  parseNamespace,
  parseTags,
} from './rules-text.ts';

const DEFAULT_WEIGHT = 100;
const DEFAULT_TTL_MS = 30_000;

/** Numbers of rollcall.v1.Status. */
const STATUS = {
  unspecified: 0,
  starting: 1,
  healthy: 2,
  unhealthy: 3,
  draining: 4,
} as const;
/** By number of rollcall.v1.Instance.Lifecycle. */
const LIFECYCLES: readonly (Lifecycle | undefined)[] = [
  undefined,
  'serving',
  'starting',
  'draining',
];

/** Throws invalidArgument or unimplemented, naming the field below `path`. */
export function parseInstance(path: string, input: InstanceInput, limits: ApiLimits): RegisterItem {
  const body = parseBody(path, input, limits);
  const lifecycle = parseLifecycle(path, input);
  refuseChecks(path, input);
  const encoded = encodeBody(body);
  if (encoded.length > limits.recordBytes) {
    throw invalidArgument(path, `${encoded.length} bytes`, limits.recordBytes);
  }
  const { namespace, serviceName, instanceId, ttlMs } = body;
  return { namespace, serviceName, instanceId, lifecycle, ttlMs, body: encoded };
}

function parseBody(path: string, input: InstanceInput, limits: ApiLimits): InstanceBody {
  const namespace = parseNamespace(`${path}.namespace`, input.namespace, limits.labelBytes);
  checkLabel(`${path}.service_name`, input.serviceName, limits.labelBytes);
  checkInstanceId(`${path}.instance_id`, input.instanceId, limits.instanceIdBytes);
  checkHost(`${path}.host`, input.host, limits.hostBytes);
  checkPort(`${path}.port`, input.port);
  checkPairs(`${path}.metadata`, input.metadata, {
    count: limits.metadataPairs,
    keyBytes: limits.metadataKeyBytes,
    valueBytes: limits.metadataValueBytes,
  });
  checkText(`${path}.version`, input.version, limits.versionBytes);
  checkText(`${path}.region`, input.region, limits.regionBytes);
  checkText(`${path}.zone`, input.zone, limits.zoneBytes);
  checkNamedPorts(`${path}.ports`, input.ports, limits);
  return {
    namespace,
    serviceName: input.serviceName,
    instanceId: input.instanceId,
    host: input.host,
    port: input.port,
    metadata: input.metadata,
    tags: parseTags(`${path}.tags`, input.tags, { count: limits.tags, bytes: limits.tagBytes }),
    version: input.version,
    region: input.region,
    zone: input.zone,
    weight: parseWeight(`${path}.weight`, input.weight, limits.weight),
    ports: input.ports,
    ttlMs: parseTtl(`${path}.ttl_ms`, input.ttlMs, limits),
  };
}

function checkNamedPorts(
  field: string,
  ports: ReadonlyMap<string, number>,
  limits: ApiLimits,
): void {
  checkCount(field, ports.size, 'ports', limits.namedPorts);
  for (const [name, port] of ports) {
    checkLabel(`${field} (a name)`, name, limits.labelBytes);
    checkPort(`${field} (a number)`, port);
  }
}

function parseWeight(field: string, weight: number, limit: number): number {
  if (weight > limit) throw invalidArgument(field, `is ${weight}`, limit);
  return weight === 0 ? Math.min(DEFAULT_WEIGHT, limit) : weight;
}

function parseTtl(field: string, ttlMs: number, limits: ApiLimits): number {
  if (ttlMs === 0) return Math.min(Math.max(DEFAULT_TTL_MS, limits.ttlMinMs), limits.ttlMaxMs);
  if (ttlMs < limits.ttlMinMs)
    throw invalidArgument(field, `${ttlMs} ms is short`, limits.ttlMinMs);
  if (ttlMs > limits.ttlMaxMs) throw invalidArgument(field, `${ttlMs} ms is long`, limits.ttlMaxMs);
  return ttlMs;
}

/** `lifecycle`, or where that is unspecified what `status` stands for. */
function parseLifecycle(path: string, input: InstanceInput): Lifecycle {
  if (input.lifecycle === 0) return lifecycleOfStatus(`${path}.status`, input.status) ?? 'serving';
  const lifecycle = LIFECYCLES[input.lifecycle];
  if (lifecycle !== undefined) return lifecycle;
  throw invalidArgument(`${path}.lifecycle`, `${input.lifecycle} is not a Lifecycle`);
}

/** What a stated status sets: undefined for STATUS_UNSPECIFIED. Refuses UNHEALTHY and numbers that are no Status. */
export function lifecycleOfStatus(field: string, status: number): Lifecycle | undefined {
  switch (status) {
    case STATUS.unspecified:
      return undefined;
    case STATUS.healthy:
      return 'serving';
    case STATUS.starting:
      return 'starting';
    case STATUS.draining:
      return 'draining';
    case STATUS.unhealthy:
      throw invalidArgument(field, 'UNHEALTHY is derived and cannot be stated');
    default:
      throw invalidArgument(field, `${status} is not a Status`);
  }
}

/** Part of the contract, not of this version: refused by name rather than accepted and not run. */
function refuseChecks(path: string, input: InstanceInput): void {
  if (input.checks > 0) throw notInThisVersion(`${path}.checks`);
  if (input.deregisterAfterMs > 0) throw notInThisVersion(`${path}.deregister_after_ms`);
}

export function notInThisVersion(field: string): RegistryError {
  return new RegistryError('unimplemented', `${field}: not in this version`, { field });
}
