// The catalogue in memory: instances by (namespace, id), and per service one sorted list for each status, so that a
// lookup by service and status reads nothing else (S1).
import { present } from '../lib/assert.ts';
import { type Revision, revision } from '../lib/ids.ts';
import { tagsOf } from './body-scan.ts';
import type { Cell } from './record-ledger.ts';
import { insert, remove, type SortedList, sortedList } from './sorted-list.ts';
import type { InstanceRecord, Status } from './types.ts';

/** An instance's place in the catalogue. Its record is replaced by each change. */
export interface InstanceEntry extends Cell {
  record: InstanceRecord;
}

/** A service with at least one instance. */
export interface ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  /** A status that no instance has had has no list yet. */
  readonly byStatus: Map<Status, SortedList<InstanceEntry>>;
  total: number;
  /** Revision of the last change that touched the service. */
  revision: Revision;
  /** Replicated once an instance has left: the revision of the last departure, which no remaining record tells. */
  departure: (Cell & { revision: Revision }) | undefined;
  /** How many instances carry each tag. Counted when it is first asked for, then kept up to date. */
  tagCounts: Map<string, number> | undefined;
}

interface NamespaceEntry {
  readonly name: string;
  readonly instances: Map<string, InstanceEntry>;
  readonly services: Map<string, ServiceEntry>;
  readonly sortedServices: SortedList<ServiceEntry>;
}

export interface Catalog {
  readonly namespaces: Map<string, NamespaceEntry>;
  readonly sortedNamespaces: SortedList<NamespaceEntry>;
  instanceCount: number;
}

const idOf = (entry: InstanceEntry): string => entry.record.instanceId;
const nameOf = (entry: { readonly name: string }): string => entry.name;

export function emptyCatalog(): Catalog {
  return {
    namespaces: new Map(),
    sortedNamespaces: sortedList<NamespaceEntry>(nameOf),
    instanceCount: 0,
  };
}

export function findInstance(
  catalog: Catalog,
  namespace: string,
  instanceId: string,
): InstanceEntry | undefined {
  return catalog.namespaces.get(namespace)?.instances.get(instanceId);
}

export function findService(
  catalog: Catalog,
  namespace: string,
  serviceName: string,
): ServiceEntry | undefined {
  return catalog.namespaces.get(namespace)?.services.get(serviceName);
}

export function countOf(service: ServiceEntry, status: Status): number {
  return service.byStatus.get(status)?.size ?? 0;
}

/** Puts a new entry into its namespace and service, which it creates if need be. The service. */
export function addInstance(catalog: Catalog, entry: InstanceEntry): ServiceEntry {
  const { namespace: name, instanceId } = entry.record;
  let namespace = catalog.namespaces.get(name);
  if (namespace === undefined) {
    namespace = {
      name,
      instances: new Map(),
      services: new Map(),
      sortedServices: sortedList<ServiceEntry>(nameOf),
    };
    catalog.namespaces.set(name, namespace);
    insert(catalog.sortedNamespaces, namespace);
  }
  namespace.instances.set(instanceId, entry);
  catalog.instanceCount += 1;
  return joinService(namespace, entry);
}

/** Takes the entry out; a service or namespace without instances goes with it. */
export function removeInstance(catalog: Catalog, entry: InstanceEntry): void {
  const { record } = entry;
  const namespace = present(
    catalog.namespaces.get(record.namespace),
    'an instance in the catalogue has its namespace there',
  );
  namespace.instances.delete(record.instanceId);
  catalog.instanceCount -= 1;
  leaveService(namespace, entry);
  if (namespace.instances.size === 0) {
    catalog.namespaces.delete(namespace.name);
    remove(catalog.sortedNamespaces, namespace.name);
  }
}

/** Gives the entry another record of the same namespace and id, and moves it between the lists if need be. */
export function replaceInstance(
  catalog: Catalog,
  entry: InstanceEntry,
  record: InstanceRecord,
): void {
  const namespace = present(
    catalog.namespaces.get(record.namespace),
    'an instance in the catalogue has its namespace there',
  );
  const service = namespace.services.get(record.serviceName);
  if (record.serviceName !== entry.record.serviceName || service === undefined) {
    leaveService(namespace, entry);
    entry.record = record;
    joinService(namespace, entry);
    return;
  }
  countTags(service, entry.record, -1);
  if (record.status === entry.record.status) {
    entry.record = record;
  } else {
    leaveList(service, entry);
    entry.record = record;
    joinList(service, entry);
  }
  countTags(service, record, 1);
}

function joinService(namespace: NamespaceEntry, entry: InstanceEntry): ServiceEntry {
  const name = entry.record.serviceName;
  let service = namespace.services.get(name);
  if (service === undefined) {
    service = {
      namespace: namespace.name,
      name,
      byStatus: new Map(),
      total: 0,
      revision: revision(0),
      departure: undefined,
      tagCounts: undefined,
    };
    namespace.services.set(name, service);
    insert(namespace.sortedServices, service);
  }
  service.total += 1;
  joinList(service, entry);
  countTags(service, entry.record, 1);
  return service;
}

function leaveService(namespace: NamespaceEntry, entry: InstanceEntry): void {
  const service = present(
    namespace.services.get(entry.record.serviceName),
    'an instance in the catalogue has its service there',
  );
  service.total -= 1;
  leaveList(service, entry);
  countTags(service, entry.record, -1);
  if (service.total === 0) {
    namespace.services.delete(service.name);
    remove(namespace.sortedServices, service.name);
  }
}

function joinList(service: ServiceEntry, entry: InstanceEntry): void {
  let list = service.byStatus.get(entry.record.status);
  if (list === undefined) {
    list = sortedList(idOf);
    service.byStatus.set(entry.record.status, list);
  }
  insert(list, entry);
}

function leaveList(service: ServiceEntry, entry: InstanceEntry): void {
  const list = present(
    service.byStatus.get(entry.record.status),
    'an instance in a service is in the list of its status',
  );
  remove(list, entry.record.instanceId);
}

function countTags(service: ServiceEntry, record: InstanceRecord, difference: 1 | -1): void {
  if (service.tagCounts === undefined) return;
  addTags(service.tagCounts, record, difference);
}

/** Adds a record's tags to the counts, or takes them away. */
export function addTags(
  counts: Map<string, number>,
  record: InstanceRecord,
  difference: 1 | -1,
): void {
  for (const label of tagsOf(record)) {
    const count = (counts.get(label) ?? 0) + difference;
    if (count === 0) counts.delete(label);
    else counts.set(label, count);
  }
}

/** The service's tag counts, counted now if nobody has asked before. */
export function tagCountsOf(service: ServiceEntry): ReadonlyMap<string, number> {
  if (service.tagCounts !== undefined) return service.tagCounts;
  const counts = new Map<string, number>();
  for (const list of service.byStatus.values()) {
    for (const chunk of list.chunks) for (const entry of chunk) addTags(counts, entry.record, 1);
  }
  service.tagCounts = counts;
  return counts;
}
