// The state as it was at an older revision, as a layer over the state as it is: the values before the changes since.
import type { Revision } from '../lib/ids.ts';
import type { Change, ChangeGroup, InstanceRecord } from './types.ts';

/** A service that was touched since. */
export interface PastService {
  readonly name: string;
  /** Instances it had then that were touched since, sorted by id. */
  readonly records: readonly InstanceRecord[];
  /** Instances it has now that were touched since, in no order. */
  readonly present: readonly InstanceRecord[];
  /** Revision of the last change that had touched it then; undefined if the groups do not say. */
  readonly revision: Revision | undefined;
}

export interface Past {
  /** True when the record's instance was touched since, so that its present value is not the one of then. */
  isTouched(record: InstanceRecord): boolean;
  /** By namespace, then name; a service that is not here was not touched. */
  readonly services: ReadonlyMap<string, ReadonlyMap<string, PastService>>;
}

interface PastServiceDraft extends PastService {
  readonly records: InstanceRecord[];
  readonly present: InstanceRecord[];
}
type Services = Map<string, Map<string, PastServiceDraft>>;

/** Computed pasts, by the very list they were computed from: a page asks several questions about one, and so do pages of
 * the same revision while nothing changes. */
const known = new WeakMap<readonly ChangeGroup[], Past>();

/** `groups`: those above the wanted revision, oldest first, up to the present. The list must not change afterwards. */
export function pastOf(groups: readonly ChangeGroup[]): Past {
  const past = known.get(groups) ?? computePast(groups);
  known.set(groups, past);
  return past;
}

function computePast(groups: readonly ChangeGroup[]): Past {
  const services: Services = new Map();
  const latest = new Map<string, InstanceRecord | undefined>();
  for (const { changes } of groups) {
    for (const change of changes) noteChange(services, latest, change);
  }
  for (const record of latest.values()) {
    if (record !== undefined) serviceOf(services, record, undefined).present.push(record);
  }
  for (const namespace of services.values()) {
    for (const { records } of namespace.values()) {
      records.sort((left, right) => (left.instanceId < right.instanceId ? -1 : 1));
    }
  }
  return { isTouched: (record) => latest.has(keyOf(record)), services };
}

function noteChange(
  services: Services,
  latest: Map<string, InstanceRecord | undefined>,
  change: Change,
): void {
  const { before, after } = change;
  const record = before ?? after;
  if (record === undefined) return;
  const key = keyOf(record);
  const left = before && serviceOf(services, before, change.beforeServiceRevision);
  if (after !== undefined) serviceOf(services, after, change.afterServiceRevision);
  // An instance's first change tells what it was then; later ones tell only values in between.
  if (before !== undefined && !latest.has(key)) left?.records.push(before);
  latest.set(key, after);
}

/** The first change that touches a service tells its revision of then. */
function serviceOf(
  services: Services,
  record: InstanceRecord,
  revision: Revision | undefined,
): PastServiceDraft {
  let namespace = services.get(record.namespace);
  if (namespace === undefined) {
    namespace = new Map();
    services.set(record.namespace, namespace);
  }
  let service = namespace.get(record.serviceName);
  if (service === undefined) {
    service = { name: record.serviceName, records: [], present: [], revision };
    namespace.set(record.serviceName, service);
  }
  return service;
}

function keyOf(record: InstanceRecord): string {
  return `${record.namespace}/${record.instanceId}`;
}
