// Builders for the tests of the state machine: commands with everything defaulted, and a registry that is told its time.
import { type Revision, revision } from '../../src/lib/ids.ts';
import {
  type Applied,
  type ChangeGroup,
  type Command,
  type CommandBody,
  createRegistry,
  encodeBody,
  fingerprintOf,
  type InstanceBody,
  type Lifecycle,
  type Registry,
  type RegistryImage,
  type RegistryLimits,
  type RegisterItem,
  registryDefaults,
  type Selector,
  type StoredRecord,
} from '../../src/registry/index.ts';
import { logIndex } from '../../src/lib/ids.ts';

export const NONE = revision(0);

/** A full body; what is not given has a plain value. */
export function bodyOf(fields: Partial<InstanceBody> = {}): InstanceBody {
  return {
    namespace: 'default',
    serviceName: 'payments',
    instanceId: 'a',
    host: '10.0.0.1',
    port: 8080,
    metadata: new Map(),
    tags: [],
    version: '',
    region: '',
    zone: '',
    weight: 100,
    ports: new Map(),
    ttlMs: 30_000,
    ...fields,
  };
}

export interface ItemFields extends Partial<InstanceBody> {
  readonly lifecycle?: Lifecycle;
}

export function itemOf(fields: ItemFields = {}): RegisterItem {
  const { lifecycle = 'serving', ...rest } = fields;
  const body = bodyOf(rest);
  const { namespace, serviceName, instanceId, ttlMs } = body;
  return { namespace, serviceName, instanceId, lifecycle, ttlMs, body: encodeBody(body) };
}

export function register(fields: ItemFields = {}, ifGeneration = 0): CommandBody {
  return { kind: 'register', item: itemOf(fields), ifGeneration: revision(ifGeneration) };
}

export function registerBatch(...items: readonly ItemFields[]): CommandBody {
  return { kind: 'registerBatch', items: items.map(itemOf) };
}

export function deregister(instanceId: string, generation = 0, reason = ''): CommandBody {
  const namespace = 'default';
  return { kind: 'deregister', namespace, instanceId, generation: revision(generation), reason };
}

export function setStatus(
  instanceId: string,
  fields: {
    readonly lifecycle?: Lifecycle;
    readonly maintenance?: boolean;
    readonly generation?: number;
    readonly reason?: string;
  } = {},
): CommandBody {
  return {
    kind: 'setStatus',
    namespace: 'default',
    instanceId,
    generation: revision(fields.generation ?? 0),
    lifecycle: fields.lifecycle,
    maintenance: fields.maintenance,
    reason: fields.reason ?? '',
  };
}

export function expire(...items: readonly (readonly [string, number])[]): CommandBody {
  return {
    kind: 'expire',
    items: items.map(([instanceId, generation]) => ({
      namespace: 'default',
      instanceId,
      generation: revision(generation),
    })),
  };
}

export interface HeaderFields {
  readonly registryTimeMs?: number;
  readonly unixTimeMs?: number;
  readonly actor?: string;
  readonly requestId?: string;
  readonly limits?: RegistryLimits;
}

export function commandOf(body: CommandBody, header: HeaderFields = {}): Command {
  return {
    header: {
      registryTimeMs: 0,
      unixTimeMs: 0,
      actor: '',
      requestId: '',
      limits: registryDefaults,
      ...header,
    },
    fingerprint: fingerprintOf(body),
    body,
  };
}

/** A selector for the namespace `default`; what is not given asks for nothing. */
export function selectorOf(fields: Partial<Selector> = {}): Selector {
  return {
    namespace: 'default',
    services: [],
    healthyOnly: false,
    tags: [],
    metadata: new Map(),
    zone: '',
    region: '',
    version: '',
    statuses: [],
    ...fields,
  };
}

/** Enough for any page of a test. */
export const WHOLE = { count: 100_000, bytes: 1e9 };

/** A registry with the records that a state store would hold and the groups that the ring would. */
export interface Session {
  readonly registry: Registry;
  /** What a state store holds after it was last told. */
  readonly stored: Map<string, Uint8Array>;
  readonly groups: ChangeGroup[];
  readonly apply: (body: CommandBody, header?: HeaderFields) => Applied;
  /** Flushes, and hands over what a restart would find. */
  readonly image: () => RegistryImage;
}

export function sessionOf(limits: Partial<RegistryLimits> = {}, image?: RegistryImage): Session {
  const all = { ...registryDefaults, ...limits };
  const registry = createRegistry(all, image);
  const stored = new Map<string, Uint8Array>();
  for (const { key, value } of image?.records ?? [])
    if (value !== undefined) stored.set(key, value);
  const groups: ChangeGroup[] = [];
  return {
    registry,
    stored,
    groups,
    apply(body, header = {}) {
      const applied = registry.apply(commandOf(body, { limits: all, ...header }));
      if (applied.group !== undefined) groups.push(applied.group);
      return applied;
    },
    image() {
      for (const { key, value } of registry.takeDirty()) {
        if (value === undefined) stored.delete(key);
        else stored.set(key, value);
      }
      // In the order of LevelDB: by key.
      const keys = [...stored.keys()].toSorted();
      const records: StoredRecord[] = keys.map((key) => ({ key, value: stored.get(key) }));
      return { appliedIndex: logIndex(0), meta: registry.meta(), records };
    },
  };
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function rev(value: number): Revision {
  return revision(value);
}
