// Sorted walks over services and over the instances of a service, now or as of an older revision.
import type { Past, PastService } from './as-of.ts';
import { type Catalog, findService, type InstanceEntry, type ServiceEntry } from './catalog.ts';
import type { ServicePosition } from './index.ts';
import { type Cursor, cursorFrom, type SortedList } from './sorted-list.ts';
import type { InstanceRecord, Status } from './types.ts';

/** A service as it is, as it was, or both. */
export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  /** undefined: it has no instances now. */
  readonly entry: ServiceEntry | undefined;
  /** undefined: it was not touched since. */
  readonly past: PastService | undefined;
}

/** What to walk over. */
export interface Scope {
  /** '*' means all namespaces. */
  readonly namespace: string;
  /** Sorted, distinct; empty: every service. */
  readonly services: readonly string[];
}

/** The services in the scope, sorted by (namespace, name), from `from` on; some may have had no instances. */
export function* serviceViews(
  catalog: Catalog,
  scope: Scope,
  from: ServicePosition | undefined,
  past: Past | undefined,
): Generator<ServiceView> {
  for (const namespace of namespacesOf(catalog, scope, from, past)) {
    const fromName = from?.namespace === namespace ? from.serviceName : undefined;
    for (const name of servicesOf(catalog, namespace, scope, fromName, past)) {
      const entry = findService(catalog, namespace, name);
      yield { namespace, name, entry, past: past?.services.get(namespace)?.get(name) };
    }
  }
}

function namespacesOf(
  catalog: Catalog,
  scope: Scope,
  from: ServicePosition | undefined,
  past: Past | undefined,
): Iterable<string> {
  const first = from?.namespace;
  if (scope.namespace === '*') {
    return sortedUnion(catalog.sortedNamespaces, past?.services.keys(), first);
  }
  return first === undefined || scope.namespace >= first ? [scope.namespace] : [];
}

function servicesOf(
  catalog: Catalog,
  namespace: string,
  scope: Scope,
  from: string | undefined,
  past: Past | undefined,
): Iterable<string> {
  if (scope.services.length > 0) {
    return from === undefined ? scope.services : scope.services.filter((name) => name >= from);
  }
  const present = catalog.namespaces.get(namespace)?.sortedServices;
  return sortedUnion(present, past?.services.get(namespace)?.keys(), from);
}

/** The names of the list and the others, each once, sorted, from `from` on. */
function* sortedUnion<T extends { readonly name: string }>(
  list: SortedList<T> | undefined,
  others: Iterable<string> | undefined,
  from: string | undefined,
): Generator<string> {
  const added = [...(others ?? [])].filter((name) => from === undefined || name >= from).toSorted();
  const cursor = list && cursorFrom(list, from, false);
  let next = cursor?.()?.name;
  for (const name of added) {
    while (next !== undefined && next < name) {
      yield next;
      next = cursor?.()?.name;
    }
    if (next === name) next = cursor?.()?.name;
    yield name;
  }
  while (next !== undefined) {
    yield next;
    next = cursor?.()?.name;
  }
}

/** The service's instances with one of the statuses, sorted by id, after `afterId`. */
export function recordsOf(
  view: ServiceView,
  statuses: readonly Status[],
  afterId: string | undefined,
  past: Past | undefined,
): Cursor<InstanceRecord> {
  const sources: Cursor<InstanceRecord>[] = [];
  for (const status of statuses) {
    const list = view.entry?.byStatus.get(status);
    if (list === undefined || list.size === 0) continue;
    const cursor = cursorFrom(list, afterId, true);
    sources.push(view.past === undefined ? presently(cursor) : untouched(cursor, past));
  }
  if (view.past !== undefined) sources.push(formerly(view.past, statuses, afterId));
  const [only] = sources;
  return sources.length === 1 && only !== undefined ? only : mergedById(sources);
}

function presently(cursor: Cursor<InstanceEntry>): Cursor<InstanceRecord> {
  return () => cursor()?.record;
}

function untouched(cursor: Cursor<InstanceEntry>, past: Past | undefined): Cursor<InstanceRecord> {
  return () => {
    let record = cursor()?.record;
    while (record !== undefined && past?.isTouched(record) === true) record = cursor()?.record;
    return record;
  };
}

function formerly(
  past: PastService,
  statuses: readonly Status[],
  afterId: string | undefined,
): Cursor<InstanceRecord> {
  let at = 0;
  return () => {
    for (;;) {
      const record = past.records[at];
      at += 1;
      if (record === undefined) return undefined;
      const isAfter = afterId === undefined || record.instanceId > afterId;
      if (isAfter && statuses.includes(record.status)) return record;
    }
  };
}

/** Each source is sorted by id, and no id is in two of them. */
function mergedById(sources: readonly Cursor<InstanceRecord>[]): Cursor<InstanceRecord> {
  const heads = sources.map((source) => source());
  return () => {
    let first = -1;
    let lowest: InstanceRecord | undefined;
    for (const [position, head] of heads.entries()) {
      if (head === undefined) continue;
      if (lowest === undefined || head.instanceId < lowest.instanceId) {
        lowest = head;
        first = position;
      }
    }
    if (lowest !== undefined) heads[first] = sources[first]?.();
    return lowest;
  };
}
