// The reading half of the Registry service. A permit of the node is good for one turn of the event loop, so what is read
// is read in the same turn, as one state.
import type { Revision } from '../../lib/ids.ts';
import { RegistryError } from '../../lib/registry-error.ts';
import {
  decodePageToken,
  encodePageToken,
  type PagePoint,
  type PageWalk,
} from '../../node/page-token.ts';
import type { CallOptions, ReadOptions } from '../../node/registry-node.ts';
import { digestOf, selectorDigest } from '../../node/watch-token.ts';
import {
  canonicalSelector,
  type ChangeGroup,
  type InstanceRecord,
  type Selector,
  type ServiceSummary,
  withLastHeartbeat,
} from '../../registry/index.ts';
import {
  type ParsedRead,
  parsePageSize,
  parseRead,
  parseSelector,
  parseTarget,
  parseWideNamespace,
  staleRead,
} from '../rules-request.ts';
import { type Caller, type Door, unary } from './call.ts';
import { decodeGetInstance, decodeListInstances, decodeListServices } from './decode.ts';
import {
  encodeGetInstanceResponse,
  encodeItems,
  encodePage,
  encodeServiceSummary,
} from './encode.ts';
import { type CachedPage, type CacheScope, ListCache } from './list-cache.ts';

/** What age_ms says when nothing better is known: pages of a walk whose revision has been left behind. */
const UNKNOWN_AGE_MS = 4_294_967_295;
/** Revision, age, token and flag of a page, with room to spare. */
const PAGE_FRAME_BYTES = 2048;
/** Key and length of one item. */
const ITEM_FRAME_BYTES = 5;

export function readHandlers(door: Door) {
  const reader = new ListReader(door);
  return {
    GetInstance: unary(door, (bytes, caller) => getInstance(door, bytes, caller)),
    ListInstances: unary(door, (bytes, caller) => reader.listInstances(bytes, caller)),
    ListServices: unary(door, (bytes, caller) => reader.listServices(bytes, caller)),
  };
}

async function getInstance(door: Door, bytes: Buffer, caller: Caller): Promise<Buffer> {
  const { node, limits } = door;
  const request = decodeGetInstance(bytes);
  const { namespace, instanceId } = parseTarget(request, limits);
  const read = parseRead(request.read);
  const { ageMs } = await node.read(readOptions(read, caller));
  const record = node.registry.get(namespace, instanceId);
  const { revision } = node.registry;
  if (record === undefined) throw new RegistryError('notFound', 'no such instance');
  const encoded =
    read.consistency === 'linearizable'
      ? await withExactHeartbeat(door, record, caller.brief)
      : record.encoded;
  return encodeGetInstanceResponse(revision, encoded, ageMs);
}

/** Only a read that waits for a revision may last. */
function readOptions(read: ParsedRead, caller: Caller): ReadOptions {
  return { ...read, ...(read.minRevision > 0 ? caller.patient() : caller.brief) };
}

/** Only the leader's memory knows the last sign of life; where it cannot be had, the record's stands. */
async function withExactHeartbeat(
  { node }: Door,
  record: InstanceRecord,
  options: CallOptions,
): Promise<Uint8Array> {
  const { namespace, instanceId } = record;
  const unixMs = await node.lastHeartbeat(namespace, instanceId, options);
  return unixMs === undefined ? record.encoded : withLastHeartbeat(record, Math.floor(unixMs));
}

/** One kind of list: what is walked, how a page of it is cut, and where it may be kept. */
interface Listing<T> {
  readonly cacheKey: string;
  readonly scope: CacheScope;
  /** Of the walk that page tokens are bound to. */
  readonly digest: () => Uint8Array;
  readonly positionParts: 2 | 3;
  /** Items behind `after`, as of the state that `undo` leads back to. */
  readonly cut: (after: readonly string[] | undefined, undo: Undo) => Cut<T>;
  readonly positionOf: (item: T) => readonly string[];
  readonly allUnhealthy: (undo: Undo) => boolean;
}
type Undo = readonly ChangeGroup[] | undefined;
interface Cut<T> {
  readonly items: readonly T[];
  readonly encoded: readonly Uint8Array[];
  readonly more: boolean;
}

class ListReader {
  readonly #door: Door;
  readonly #cache: ListCache;

  constructor(door: Door) {
    this.#door = door;
    this.#cache = new ListCache({
      maxBytes: door.limits.listCacheBytes,
      changesAbove: (revision) => door.node.watches.changesAbove(revision),
    });
  }

  async listInstances(bytes: Buffer, caller: Caller): Promise<Buffer> {
    const { node, limits } = this.#door;
    const request = decodeListInstances(bytes, limits);
    const selector = parseSelector(request.selector, limits);
    const pageSize = parsePageSize(request.pageSize, limits);
    const listing = this.#instances(selector, pageSize);
    if (request.pageToken !== '') return this.#nextPage(listing, request.pageToken, caller);
    const { ageMs } = await node.read(readOptions(parseRead(request.read), caller));
    return this.#firstPage(listing, ageMs);
  }

  async listServices(bytes: Buffer, caller: Caller): Promise<Buffer> {
    const { node, limits } = this.#door;
    const request = decodeListServices(bytes);
    const namespace = parseWideNamespace('namespace', request.namespace, limits);
    const pageSize = parsePageSize(request.pageSize, limits);
    const listing = this.#services(namespace, pageSize);
    if (request.pageToken !== '') return this.#nextPage(listing, request.pageToken, caller);
    const { ageMs } = await node.read(readOptions(parseRead(request.read), caller));
    return this.#firstPage(listing, ageMs);
  }

  #firstPage<T>(listing: Listing<T>, ageMs: number): Buffer {
    const { registry } = this.#door.node;
    const { revision } = registry;
    const cached = this.#cache.get(listing.cacheKey, revision);
    if (cached !== undefined) return respond(cached, revision, ageMs);
    const cut = listing.cut(undefined, undefined);
    const allUnhealthy = listing.allUnhealthy(undefined);
    const items = encodeItems(cut.encoded);
    if (!cut.more) {
      const page: CachedPage = { items, allUnhealthy };
      this.#cache.set(listing.cacheKey, revision, listing.scope, page);
      return respond(page, revision, ageMs);
    }
    const nextPageToken = this.#tokenBehind(listing, cut, revision);
    return encodePage(items, { revision, ageMs, nextPageToken, allUnhealthy });
  }

  /** Every page of a walk is of the revision of the first, on whichever node it is asked for. */
  async #nextPage<T>(listing: Listing<T>, token: string, caller: Caller): Promise<Buffer> {
    const { node } = this.#door;
    const point = decodePageToken(token, this.#walk(listing), listing.positionParts);
    const permit = await node.read(readOptions(staleRead(point.revision), caller));
    const isPresent = node.registry.revision === point.revision;
    const undo = isPresent ? undefined : this.#undoTo(point);
    const cut = listing.cut(point.position, undo);
    return encodePage(encodeItems(cut.encoded), {
      revision: point.revision,
      ageMs: isPresent ? permit.ageMs : UNKNOWN_AGE_MS,
      nextPageToken: cut.more ? this.#tokenBehind(listing, cut, point.revision) : '',
      allUnhealthy: listing.allUnhealthy(undo),
    });
  }

  #undoTo(point: PagePoint): readonly ChangeGroup[] {
    const undo = this.#door.node.watches.changesAbove(point.revision);
    if (undo !== undefined) return undo;
    throw new RegistryError(
      'failedPrecondition',
      'page_token: the revision of this walk is no longer kept, start again',
    );
  }

  #tokenBehind<T>(listing: Listing<T>, cut: Cut<T>, revision: Revision): string {
    const last = cut.items.at(-1);
    if (last === undefined) return '';
    return encodePageToken(this.#walk(listing), { revision, position: listing.positionOf(last) });
  }

  #walk(listing: Pick<Listing<never>, 'digest'>): PageWalk {
    const { clusterUuid } = this.#door.node.status();
    return { clusterUuid, selectorDigest: listing.digest() };
  }

  #instances(selector: Selector, pageSize: number): Listing<InstanceRecord> {
    const { registry } = this.#door.node;
    const limit = { count: pageSize, bytes: this.#roomFor(pageSize) };
    return {
      cacheKey: `instances ${pageSize} ${canonicalSelector(selector)}`,
      scope: selector,
      digest: () => selectorDigest(selector),
      positionParts: 3,
      cut: (after, undo) => {
        const [namespace = '', serviceName = '', instanceId = ''] = after ?? [];
        const position = after && { namespace, serviceName, instanceId };
        const { records, more } = registry.list(selector, position, limit, undo);
        return { items: records, encoded: records.map(({ encoded }) => encoded), more };
      },
      positionOf: ({ namespace, serviceName, instanceId }) => [namespace, serviceName, instanceId],
      allUnhealthy: (undo) => registry.allUnhealthy(selector, undo),
    };
  }

  #services(namespace: string, pageSize: number): Listing<ServiceSummary> {
    const { registry } = this.#door.node;
    const room = this.#roomFor(pageSize);
    return {
      cacheKey: `services ${pageSize} ${namespace}`,
      scope: { namespace, services: [] },
      digest: () => digestOf(namespace),
      positionParts: 2,
      cut: (after, undo) => {
        const [afterNamespace = '', serviceName = ''] = after ?? [];
        const position = after && { namespace: afterNamespace, serviceName };
        const { services, more } = registry.services(namespace, position, pageSize, undo);
        return cutToRoom(services, more, room);
      },
      positionOf: (summary) => [summary.namespace, summary.serviceName],
      allUnhealthy: () => false,
    };
  }

  /** Bytes of a page that are left for its items' content. */
  #roomFor(pageSize: number): number {
    return this.#door.limits.messageOutBytes - PAGE_FRAME_BYTES - ITEM_FRAME_BYTES * pageSize;
  }
}

/** As many summaries as fit, at least one. */
function cutToRoom(
  services: readonly ServiceSummary[],
  more: boolean,
  room: number,
): Cut<ServiceSummary> {
  const encoded: Uint8Array[] = [];
  let bytes = 0;
  for (const summary of services) {
    const item = encodeServiceSummary(summary, room);
    bytes += item.length;
    if (bytes > room && encoded.length > 0) {
      return { items: services.slice(0, encoded.length), encoded, more: true };
    }
    encoded.push(item);
  }
  return { items: services, encoded, more };
}

/** The response around a cached page; the last one is kept, because readers of a hot list ask at the same revision. */
function respond(page: CachedPage, revision: Revision, ageMs: number): Buffer {
  const { response } = page;
  if (response !== undefined && response.revision === revision && response.ageMs === ageMs) {
    return response.bytes;
  }
  const { items, allUnhealthy } = page;
  const bytes = encodePage(items, { revision, ageMs, nextPageToken: '', allUnhealthy });
  page.response = { revision, ageMs, bytes };
  return bytes;
}
