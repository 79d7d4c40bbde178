// apply(command): what each command means, as registry.proto says. First the answers that need no write, then the
// writes of the others; a command that changes something raises the revision by one and its changes are one group.
import { assert } from '../lib/assert.ts';
import { nextRevision, type Revision, revision } from '../lib/ids.ts';
import { sameBytes } from './body-scan.ts';
import { findInstance } from './catalog.ts';
import type {
  ApplyResult,
  Command,
  CommandBody,
  CommandHeader,
  CommandKind,
  Deregister,
  Expire,
  Register,
  RegisterBatch,
  RegisterItem,
  SetStatus,
} from './command.ts';
import { forgetOutdated, recall, remember } from './deduplication.ts';
import type { Applied, RegistryLimits } from './index.ts';
import { encodeInstance } from './instance-codec.ts';
import { answerKey } from './record-codec.ts';
import { putRecord, type RegistryState, removeRecord } from './registry-state.ts';
import { deriveStatus } from './status.ts';
import type { Change, InstanceRecord } from './types.ts';

/** Applies one committed command. Nothing outside the state and the command has a say. */
export function applyCommand(state: RegistryState, command: Command): Applied {
  const { header, body, fingerprint } = command;
  const { requestId, limits } = header;
  // Registry time never goes back, also when a new leader's clock starts a little behind.
  state.registryTimeMs = Math.max(state.registryTimeMs, header.registryTimeMs);
  const { answers, ledger, registryTimeMs } = state;
  forgetOutdated(answers, ledger, limits, registryTimeMs);
  if (requestId === '') return applyBody(state, header, body);

  const again = answerAgain(state, body.kind, { requestId, fingerprint, limits });
  if (again !== undefined) return { result: again, group: undefined };
  const applied = applyBody(state, header, body);
  const { result } = applied;
  const key = answerKey(body.kind, requestId);
  remember(answers, ledger, limits, key, { fingerprint, result, registryTimeMs });
  return applied;
}

/** What a retry of a write is answered as long as the first answer is remembered: that one, or that it asks for something else. */
export function answerAgain(
  state: RegistryState,
  kind: CommandKind,
  retry: {
    readonly requestId: string;
    readonly fingerprint: string;
    readonly limits: RegistryLimits;
  },
): ApplyResult | undefined {
  const first = recall(state.answers, retry.limits, kind, retry.requestId, state.registryTimeMs);
  if (first === undefined || first.fingerprint === retry.fingerprint) return first?.result;
  return { kind: 'requestIdReused', revision: state.revision };
}

function applyBody(state: RegistryState, header: CommandHeader, body: CommandBody): Applied {
  const answer = answerWithoutWriting(state, body, header.limits);
  if (answer !== undefined) return { result: answer, group: undefined };
  const at = nextRevision(state.revision);
  const changes = write(state, header, body, at);
  assert(changes.length > 0, 'a command without an answer changes something');
  state.revision = at;
  return { result: written(state, body, at, changes), group: { revision: at, changes } };
}

/** The answer of a command that changes nothing, a refusal or an unchanged state; undefined if it would write. */
export function answerWithoutWriting(
  state: RegistryState,
  body: CommandBody,
  limits: RegistryLimits,
): ApplyResult | undefined {
  switch (body.kind) {
    case 'register':
      return answerRegister(state, body, limits);
    case 'registerBatch':
      return answerBatch(state, body, limits);
    case 'deregister':
      return answerDeregister(state, body);
    case 'setStatus':
      return answerSetStatus(state, body);
    case 'expire':
      return body.items.some((item) => expiring(state, item) !== undefined)
        ? undefined
        : { kind: 'expired', revision: state.revision, count: 0 };
  }
}

function current(
  state: RegistryState,
  namespace: string,
  instanceId: string,
): InstanceRecord | undefined {
  return findInstance(state.catalog, namespace, instanceId)?.record;
}

/** True when a registration leaves the record as it is: same canonical bytes, same lifecycle. */
function isUnchanged(record: InstanceRecord, item: RegisterItem): boolean {
  if (record.lifecycle !== item.lifecycle) return false;
  return sameBytes(record.encoded, 0, record.bodyLength, item.body);
}

function answerRegister(
  state: RegistryState,
  body: Register,
  limits: RegistryLimits,
): ApplyResult | undefined {
  const { item, ifGeneration } = body;
  const record = current(state, item.namespace, item.instanceId);
  if (ifGeneration !== 0 && record?.generation !== ifGeneration) {
    return notCurrent(state, record);
  }
  if (record !== undefined && isUnchanged(record, item)) {
    return { kind: 'registered', revision: state.revision, generations: [record.generation] };
  }
  return tooMany(state, record === undefined ? 1 : 0, limits);
}

function answerBatch(
  state: RegistryState,
  body: RegisterBatch,
  limits: RegistryLimits,
): ApplyResult | undefined {
  const generations: Revision[] = [];
  let added = 0;
  for (const item of body.items) {
    const record = current(state, item.namespace, item.instanceId);
    if (record === undefined) added += 1;
    else if (isUnchanged(record, item)) generations.push(record.generation);
  }
  if (generations.length === body.items.length) {
    return { kind: 'registered', revision: state.revision, generations };
  }
  return tooMany(state, added, limits);
}

function tooMany(
  state: RegistryState,
  added: number,
  { maxInstances: limit }: RegistryLimits,
): ApplyResult | undefined {
  if (added === 0 || state.catalog.instanceCount + added <= limit) return undefined;
  return { kind: 'tooManyInstances', revision: state.revision, limit };
}

function notCurrent(state: RegistryState, record: InstanceRecord | undefined): ApplyResult {
  const generation = record?.generation ?? revision(0);
  return { kind: 'generationNotCurrent', revision: state.revision, current: generation };
}

function answerDeregister(state: RegistryState, body: Deregister): ApplyResult | undefined {
  const record = current(state, body.namespace, body.instanceId);
  if (record === undefined) {
    return { kind: 'deregistered', revision: state.revision, existed: false };
  }
  return isFenced(record, body.generation) ? notCurrent(state, record) : undefined;
}

/** True when a command names another generation than the current one (G10); 0 names whichever is current. */
function isFenced(record: InstanceRecord, generation: Revision): boolean {
  return generation !== 0 && record.generation !== generation;
}

function answerSetStatus(state: RegistryState, body: SetStatus): ApplyResult | undefined {
  const record = current(state, body.namespace, body.instanceId);
  if (record === undefined) return { kind: 'notFound', revision: state.revision };
  if (isFenced(record, body.generation)) return notCurrent(state, record);
  const { lifecycle = record.lifecycle, maintenance = record.maintenance } = body;
  const same = lifecycle === record.lifecycle && maintenance === record.maintenance;
  return same ? { kind: 'statusSet', revision: state.revision } : undefined;
}

/** The record that an expiry removes: the generation it names, and nothing else, decides. */
function expiring(state: RegistryState, item: Expire['items'][number]): InstanceRecord | undefined {
  const record = current(state, item.namespace, item.instanceId);
  return record?.generation === item.generation ? record : undefined;
}

function write(
  state: RegistryState,
  header: CommandHeader,
  body: CommandBody,
  at: Revision,
): readonly Change[] {
  switch (body.kind) {
    case 'register':
      return [register(state, header, body.item, at)];
    case 'registerBatch':
      return body.items.flatMap((item) => {
        const record = current(state, item.namespace, item.instanceId);
        const same = record !== undefined && isUnchanged(record, item);
        return same ? [] : [register(state, header, item, at)];
      });
    case 'deregister': {
      const record = current(state, body.namespace, body.instanceId);
      assert(record !== undefined, 'what is deregistered exists');
      const reason = body.reason === '' ? 'deregistered' : body.reason;
      return [removeRecord(state, record, at, { reason, actor: header.actor })];
    }
    case 'setStatus':
      return [setStatus(state, header, body, at)];
    case 'expire':
      return body.items.flatMap((item) => {
        const record = expiring(state, item);
        if (record === undefined) return [];
        return [removeRecord(state, record, at, { reason: 'ttl_expired', actor: header.actor })];
      });
  }
}

/** A new registration: revision and generation are the command's; of the one before, only the operator's override stays. */
function register(
  state: RegistryState,
  header: CommandHeader,
  item: RegisterItem,
  at: Revision,
): Change {
  const before = current(state, item.namespace, item.instanceId);
  const namespace = state.catalog.namespaces.get(item.namespace);
  const maintenance = before?.maintenance ?? false;
  const { lifecycle } = item;
  const fields = {
    lifecycle,
    maintenance,
    status: deriveStatus(lifecycle, maintenance),
    generation: at,
    revision: at,
    registeredAtMs: header.unixTimeMs,
    lastHeartbeatMs: header.unixTimeMs,
  };
  const record: InstanceRecord = {
    // The names that the catalogue has already: each command brings strings of its own.
    namespace: namespace?.name ?? item.namespace,
    serviceName: namespace?.services.get(item.serviceName)?.name ?? item.serviceName,
    instanceId: before?.instanceId ?? item.instanceId,
    lifecycle,
    maintenance,
    status: fields.status,
    ttlMs: item.ttlMs,
    generation: at,
    revision: at,
    registeredAtMs: header.unixTimeMs,
    lastHeartbeatMs: header.unixTimeMs,
    encoded: encodeInstance(item.body, fields),
    bodyLength: item.body.length,
  };
  return putRecord(state, record, { reason: '', actor: header.actor });
}

function setStatus(
  state: RegistryState,
  header: CommandHeader,
  body: SetStatus,
  at: Revision,
): Change {
  const before = current(state, body.namespace, body.instanceId);
  assert(before !== undefined, 'what gets a status exists');
  const { lifecycle = before.lifecycle, maintenance = before.maintenance } = body;
  const changed = {
    ...before,
    lifecycle,
    maintenance,
    status: deriveStatus(lifecycle, maintenance),
    revision: at,
    lastHeartbeatMs: header.unixTimeMs,
  };
  const encoded = encodeInstance(before.encoded.subarray(0, before.bodyLength), changed);
  return putRecord(state, { ...changed, encoded }, { reason: body.reason, actor: header.actor });
}

/** What a command that wrote answers. */
function written(
  state: RegistryState,
  body: CommandBody,
  at: Revision,
  changes: readonly Change[],
): ApplyResult {
  switch (body.kind) {
    case 'register':
      return { kind: 'registered', revision: at, generations: [at] };
    case 'registerBatch':
      return {
        kind: 'registered',
        revision: at,
        generations: body.items.map((item) => generationOf(state, item)),
      };
    case 'deregister':
      return { kind: 'deregistered', revision: at, existed: true };
    case 'setStatus':
      return { kind: 'statusSet', revision: at };
    case 'expire':
      return { kind: 'expired', revision: at, count: changes.length };
  }
}

function generationOf(state: RegistryState, item: RegisterItem): Revision {
  const record = current(state, item.namespace, item.instanceId);
  assert(record !== undefined, 'a registered instance is in the catalogue');
  return record.generation;
}
