// Answers of lists as encoded bytes, kept until a service they tell about changes: a hot list costs no encoding. Changes
// are looked up in the ring when somebody asks, so that a change costs nothing here while nobody does.
import { type Revision, revision } from '../../lib/ids.ts';
import type { ChangeGroup, InstanceRecord } from '../../registry/index.ts';

/** A whole list in one page. */
export interface CachedPage {
  /** The encoded items (encodeItems). */
  readonly items: Buffer;
  readonly allUnhealthy: boolean;
  /** The last response made from it, for the next reader at the same revision. */
  response?: { readonly revision: Revision; readonly ageMs: number; readonly bytes: Buffer };
}

/** What a list tells about: a namespace or '*', and its services, none meaning every service. */
export interface CacheScope {
  readonly namespace: string;
  readonly services: readonly string[];
}

interface Entry {
  readonly page: CachedPage;
  readonly buckets: readonly string[];
  readonly bytes: number;
}

export interface ListCacheOptions {
  /** Bytes of all entries; 0 keeps none. */
  readonly maxBytes: number;
  /** Changes above a revision, oldest first; undefined when they are no longer known. */
  readonly changesAbove: (revision: Revision) => readonly ChangeGroup[] | undefined;
}

/** A key, two maps and what is remembered of the last response. */
const ENTRY_OVERHEAD_BYTES = 512;
/** One list may take this share of the cache. */
const LARGEST_SHARE = 8;
const ALL = '*';

const bucketOf = (namespace: string, service: string): string => `${namespace} ${service}`;

export class ListCache {
  readonly #options: ListCacheOptions;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #buckets = new Map<string, Set<string>>();
  #bytes = 0;
  /** The entries are right as of this revision. */
  #revision: Revision = revision(0);

  constructor(options: ListCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The page as of `now`, the catalogue's present revision; undefined when it has to be made. */
  get(key: string, now: Revision): CachedPage | undefined {
    this.#catchUp(now);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.page;
  }

  /** Keeps a page made at `now`. */
  set(key: string, now: Revision, scope: CacheScope, page: CachedPage): void {
    this.#catchUp(now);
    this.#drop(key);
    // The response kept beside the items holds them once more.
    const bytes = 2 * page.items.length + key.length + ENTRY_OVERHEAD_BYTES;
    if (bytes * LARGEST_SHARE > this.#options.maxBytes) return;
    const services = scope.services.length === 0 ? [ALL] : scope.services;
    const buckets = services.map((service) => bucketOf(scope.namespace, service));
    this.#entries.set(key, { page, buckets, bytes });
    this.#bytes += bytes;
    for (const bucket of buckets) {
      const keys = this.#buckets.get(bucket);
      if (keys === undefined) this.#buckets.set(bucket, new Set([key]));
      else keys.add(key);
    }
    this.#shrink();
  }

  #catchUp(now: Revision): void {
    if (now === this.#revision) return;
    const groups = this.#entries.size === 0 ? [] : this.#options.changesAbove(this.#revision);
    this.#revision = now;
    if (groups === undefined) return this.#clear();
    for (const group of groups) {
      for (const { before, after } of group.changes) {
        if (before !== undefined) this.#changed(before);
        if (after !== undefined && after.serviceName !== before?.serviceName) this.#changed(after);
      }
    }
  }

  #changed({ namespace, serviceName }: InstanceRecord): void {
    this.#dropBucket(bucketOf(namespace, serviceName));
    this.#dropBucket(bucketOf(namespace, ALL));
    this.#dropBucket(bucketOf(ALL, serviceName));
    this.#dropBucket(bucketOf(ALL, ALL));
  }

  #dropBucket(bucket: string): void {
    const keys = this.#buckets.get(bucket);
    if (keys === undefined) return;
    for (const key of keys) this.#drop(key);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    for (const bucket of entry.buckets) {
      const keys = this.#buckets.get(bucket);
      keys?.delete(key);
      if (keys?.size === 0) this.#buckets.delete(bucket);
    }
  }

  #shrink(): void {
    for (const key of this.#entries.keys()) {
      if (this.#bytes <= this.#options.maxBytes) return;
      this.#drop(key);
    }
  }

  #clear(): void {
    this.#entries.clear();
    this.#buckets.clear();
    this.#bytes = 0;
  }
}
