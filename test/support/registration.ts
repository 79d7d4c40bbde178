// A registration that is valid, for tests that need one and do not care which.
import { revision, type Revision } from '../../src/lib/ids.ts';
import { type CommandBody, encodeBody } from '../../src/registry/index.ts';

export interface RegisterOptions {
  readonly service?: string;
  readonly port?: number;
  readonly ttlMs?: number;
  readonly requestId?: string;
  readonly ifGeneration?: Revision;
}

/** A valid registration. */
export function registration(instanceId: string, more: RegisterOptions = {}): CommandBody {
  const ttlMs = more.ttlMs ?? 30_000;
  const serviceName = more.service ?? 'payments';
  const body = encodeBody({
    namespace: 'default',
    serviceName,
    instanceId,
    host: '10.0.0.1',
    port: more.port ?? 8080,
    metadata: new Map(),
    tags: [],
    version: '',
    region: '',
    zone: '',
    weight: 100,
    ports: new Map(),
    ttlMs,
  });
  return {
    kind: 'register',
    item: { namespace: 'default', serviceName, instanceId, lifecycle: 'serving', ttlMs, body },
    ifGeneration: more.ifGeneration ?? revision(0),
  };
}
