// Reads of the catalogue, now or as of an older revision: pages of instances, summaries of services, and whether a
// selector meets only unhealthy instances.
import { type Past, pastOf } from './as-of.ts';
import { compareBytewise } from './byte-order.ts';
import { addTags, type Catalog, countOf, tagCountsOf } from './catalog.ts';
import { type Revision, revision } from '../lib/ids.ts';
import type { ListPosition, Page, PageLimit, ServicePosition, ServiceSummary } from './index.ts';
import {
  asksForAttributes,
  matchesAttributes,
  type Selector,
  STATUSES,
  statusesOf,
} from './selector.ts';
import type { ChangeGroup, InstanceRecord, Status } from './types.ts';
import { recordsOf, type ServiceView, serviceViews } from './walk.ts';

const NOT_HEALTHY: readonly Status[] = STATUSES.filter((status) => status !== 'healthy');

function pastIfAny(undo: readonly ChangeGroup[] | undefined): Past | undefined {
  return undo === undefined || undo.length === 0 ? undefined : pastOf(undo);
}

export function listInstances(
  catalog: Catalog,
  selector: Selector,
  after: ListPosition | undefined,
  limit: PageLimit,
  undo: readonly ChangeGroup[] | undefined,
): Page {
  const past = pastIfAny(undo);
  const statuses = statusesOf(selector);
  const records: InstanceRecord[] = [];
  let bytes = 0;
  for (const view of serviceViews(catalog, selector, after, past)) {
    const isFirst = view.namespace === after?.namespace && view.name === after.serviceName;
    const next = recordsOf(view, statuses, isFirst ? after.instanceId : undefined, past);
    for (let record = next(); record !== undefined; record = next()) {
      if (!matchesAttributes(selector, record)) continue;
      bytes += record.encoded.length;
      const isFull = records.length >= limit.count || bytes > limit.bytes;
      if (isFull && records.length > 0) return { records, more: true };
      records.push(record);
    }
  }
  return { records, more: false };
}

export function onlyUnhealthy(
  catalog: Catalog,
  selector: Selector,
  undo: readonly ChangeGroup[] | undefined,
): boolean {
  const past = pastIfAny(undo);
  let found = false;
  for (const view of serviceViews(catalog, selector, undefined, past)) {
    if (hasMatch(view, selector, ['healthy'], past)) return false;
    found ||= hasMatch(view, selector, NOT_HEALTHY, past);
  }
  return found;
}

function hasMatch(
  view: ServiceView,
  selector: Selector,
  statuses: readonly Status[],
  past: Past | undefined,
): boolean {
  const next = recordsOf(view, statuses, undefined, past);
  if (!asksForAttributes(selector)) return next() !== undefined;
  for (let record = next(); record !== undefined; record = next()) {
    if (matchesAttributes(selector, record)) return true;
  }
  return false;
}

export function listServices(
  catalog: Catalog,
  namespace: string,
  after: ServicePosition | undefined,
  limit: number,
  undo: readonly ChangeGroup[] | undefined,
): { readonly services: readonly ServiceSummary[]; readonly more: boolean } {
  const past = pastIfAny(undo);
  const services: ServiceSummary[] = [];
  for (const view of serviceViews(catalog, { namespace, services: [] }, after, past)) {
    if (view.namespace === after?.namespace && view.name === after.serviceName) continue;
    const total = totalOf(view);
    if (total === 0) continue;
    if (services.length >= limit) return { services, more: true };
    services.push(summaryOf(view, total, past));
  }
  return { services, more: false };
}

function totalOf(view: ServiceView): number {
  const { entry, past } = view;
  return (entry?.total ?? 0) - (past?.present.length ?? 0) + (past?.records.length ?? 0);
}

function summaryOf(view: ServiceView, total: number, past: Past | undefined): ServiceSummary {
  const { namespace, name: serviceName, entry } = view;
  const counts = entry === undefined ? new Map<string, number>() : tagCountsOf(entry);
  const healthy = entry === undefined ? 0 : countOf(entry, 'healthy');
  if (view.past === undefined) {
    const tags = sortedNames(counts);
    return { namespace, serviceName, healthy, total, tags, revision: entry?.revision ?? NONE };
  }
  const pastCounts = new Map(counts);
  for (const record of view.past.present) addTags(pastCounts, record, -1);
  for (const record of view.past.records) addTags(pastCounts, record, 1);
  return {
    namespace,
    serviceName,
    healthy: healthy - healthyAmong(view.past.present) + healthyAmong(view.past.records),
    total,
    tags: sortedNames(pastCounts),
    revision: view.past.revision ?? latestOf(view, past),
  };
}

const NONE = revision(0);

function sortedNames(counts: ReadonlyMap<string, number>): readonly string[] {
  return [...counts.keys()].toSorted(compareBytewise);
}

function healthyAmong(records: readonly InstanceRecord[]): number {
  return records.filter((record) => record.status === 'healthy').length;
}

/** What the instances of then tell, where the groups do not tell more: a departure before then goes unnoticed. */
function latestOf(view: ServiceView, past: Past | undefined): Revision {
  const next = recordsOf(view, STATUSES, undefined, past);
  let latest = NONE;
  for (let record = next(); record !== undefined; record = next()) {
    if (record.revision > latest) latest = record.revision;
  }
  return latest;
}
