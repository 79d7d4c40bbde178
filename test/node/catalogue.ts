// A registry driven by short commands, for tests of what reads it.
import { revision } from '../../src/lib/ids.ts';
import {
  type Applied,
  type CommandBody,
  createRegistry,
  encodeBody,
  type Lifecycle,
  type Registry,
  registryDefaults,
  type Selector,
} from '../../src/registry/index.ts';

interface Registration {
  readonly id: string;
  /** Default 's0'. */
  readonly service?: string;
  /** Default 'default'. */
  readonly namespace?: string;
  /** Default 30 000. */
  readonly ttlMs?: number;
  /** Default 'serving'. */
  readonly lifecycle?: Lifecycle;
  /** Tells two registrations of one id apart. Default 80. */
  readonly port?: number;
  /** Bytes of metadata, to make a record large. Default 0. */
  readonly padding?: number;
}

export interface Catalogue {
  readonly registry: Registry;
  apply(body: CommandBody): Applied;
  register(...registrations: readonly Registration[]): Applied;
  deregister(id: string, reason?: string): Applied;
  setLifecycle(id: string, lifecycle: Lifecycle): Applied;
  setMaintenance(id: string, maintenance: boolean): Applied;
}

export function createCatalogue(): Catalogue {
  const registry = createRegistry(registryDefaults);
  const apply = (body: CommandBody): Applied => {
    const header = {
      registryTimeMs: 0,
      unixTimeMs: 1_800_000_000_000,
      actor: 'test',
      requestId: '',
      limits: registryDefaults,
    };
    return registry.apply({ header, fingerprint: '', body });
  };
  const setStatus = (id: string, lifecycle?: Lifecycle, maintenance?: boolean): Applied =>
    apply({
      kind: 'setStatus',
      namespace: 'default',
      instanceId: id,
      generation: revision(0),
      lifecycle,
      maintenance,
      reason: '',
    });
  return {
    registry,
    apply,
    register: (...registrations) =>
      apply({ kind: 'registerBatch', items: registrations.map(itemOf) }),
    deregister: (id, reason = 'deregistered') =>
      apply({
        kind: 'deregister',
        namespace: 'default',
        instanceId: id,
        generation: revision(0),
        reason,
      }),
    setLifecycle: (id, lifecycle) => setStatus(id, lifecycle),
    setMaintenance: (id, maintenance) => setStatus(id, undefined, maintenance),
  };
}

function itemOf(registration: Registration) {
  const namespace = registration.namespace ?? 'default';
  const serviceName = registration.service ?? 's0';
  const ttlMs = registration.ttlMs ?? 30_000;
  const instanceId = registration.id;
  const padding = 'x'.repeat(registration.padding ?? 0);
  return {
    namespace,
    serviceName,
    instanceId,
    lifecycle: registration.lifecycle ?? 'serving',
    ttlMs,
    body: encodeBody({
      namespace,
      serviceName,
      instanceId,
      host: '127.0.0.1',
      port: registration.port ?? 80,
      metadata: new Map(padding === '' ? [] : [['padding', padding]]),
      tags: [],
      version: '',
      region: '',
      zone: '',
      weight: 100,
      ports: new Map(),
      ttlMs,
    }),
  } as const;
}

export function selector(parts: Partial<Selector> = {}): Selector {
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
    ...parts,
  };
}
