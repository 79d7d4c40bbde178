// Messages of the newest groups, made once: a change is encoded once per format for all selectors, a message once per
// format and audience for all its readers. The caches are bounded in groups and bytes; what fell out is made anew.
import type { Revision } from '../lib/ids.ts';
import type { ChangeGroup } from '../registry/index.ts';
import type { Audience } from './watch-audience.ts';
import type { ProjectedChange, WatchFormat } from './watch-hub.ts';
import { projectChange } from './watch-projection.ts';
import { encodeResumeToken } from './watch-token.ts';

/** An audience as far as messages are concerned; also the identity they are cached by. */
export type MessageAudience = Pick<Audience<never>, 'selector' | 'digest'>;

/** A change of a group as an audience sees it, and which encoding of the group it is. */
interface Projection {
  readonly change: ProjectedChange;
  readonly encoding: string;
}
interface GroupCache {
  readonly projections: Map<MessageAudience, readonly Projection[]>;
  readonly changes: Map<WatchFormat, Map<string, Uint8Array>>;
  readonly messages: Map<WatchFormat, Map<MessageAudience, Uint8Array>>;
  bytes: number;
}

const CACHED_GROUPS = 256;
const CACHED_BYTES = 16 * 1024 * 1024;
/** Rough cost of remembering what an audience sees of a group, and of each change in it. */
const PROJECTION_BYTES = 150;

export class WatchMessages {
  readonly #clusterUuid: () => string;
  // By revision, in the order of first use.
  readonly #caches = new Map<Revision, GroupCache>();
  #cachedBytes = 0;

  constructor(clusterUuid: () => string) {
    this.#clusterUuid = clusterUuid;
  }

  /** True when the audience has something to see in the group. */
  concerns(audience: MessageAudience, group: ChangeGroup): boolean {
    return this.#project(audience, group).length > 0;
  }

  /** The message of one group, the same object for every reader while it is cached; undefined when there is nothing to see. */
  ofGroup(
    audience: MessageAudience,
    format: WatchFormat,
    group: ChangeGroup,
  ): Uint8Array | undefined {
    const projections = this.#project(audience, group);
    if (projections.length === 0) return undefined;
    const cache = this.#caches.get(group.revision);
    const cached = cache?.messages.get(format)?.get(audience);
    if (cached !== undefined) return cached;
    const message = format.encodeMessage({
      revision: group.revision,
      resumeToken: this.token(audience, group.revision, false),
      reset: false,
      more: false,
      changes: projections.map((projection) => this.#encode(format, group, projection)),
    });
    if (cache !== undefined) {
      inner(cache.messages, format).set(audience, message);
      this.#charge(cache, message.length);
    }
    return message;
  }

  /** A message that is one reader's own: a merged one, a part of a state, a progress mark. */
  encode(
    audience: MessageAudience,
    format: WatchFormat,
    changes: readonly ProjectedChange[],
    about: { readonly revision: Revision; readonly reset: boolean; readonly more: boolean },
  ): Uint8Array {
    return format.encodeMessage({
      ...about,
      resumeToken: this.token(audience, about.revision, about.more),
      changes: changes.map((change) => format.encodeChange(change)),
    });
  }

  token(audience: MessageAudience, revision: Revision, more: boolean): string {
    const clusterUuid = this.#clusterUuid();
    return encodeResumeToken({ clusterUuid, selectorDigest: audience.digest, revision, more });
  }

  /** Makes room for a new group's messages. */
  begin(group: ChangeGroup): void {
    const cache = { projections: new Map(), changes: new Map(), messages: new Map(), bytes: 0 };
    this.#caches.set(group.revision, cache);
    if (this.#caches.size > CACHED_GROUPS) this.#dropOldest();
  }

  /** No group before this moment is asked for again. */
  clear(): void {
    this.#caches.clear();
    this.#cachedBytes = 0;
  }

  #project(audience: MessageAudience, group: ChangeGroup): readonly Projection[] {
    const cache = this.#caches.get(group.revision);
    const cached = cache?.projections.get(audience);
    if (cached !== undefined) return cached;
    const projections = group.changes.flatMap((change, position) =>
      projectChange(audience.selector, change).map((projected) => ({
        change: projected,
        encoding: `${position} ${projected.kind} ${projected.reason}`,
      })),
    );
    if (cache !== undefined) {
      cache.projections.set(audience, projections);
      this.#charge(cache, PROJECTION_BYTES * (1 + projections.length));
    }
    return projections;
  }

  #encode(format: WatchFormat, group: ChangeGroup, { change, encoding }: Projection): Uint8Array {
    const cache = this.#caches.get(group.revision);
    const cached = cache?.changes.get(format)?.get(encoding);
    if (cached !== undefined) return cached;
    const encoded = format.encodeChange(change);
    if (cache !== undefined) {
      inner(cache.changes, format).set(encoding, encoded);
      this.#charge(cache, encoded.length);
    }
    return encoded;
  }

  #charge(cache: GroupCache, bytes: number): void {
    cache.bytes += bytes;
    this.#cachedBytes += bytes;
    while (this.#cachedBytes > CACHED_BYTES && this.#caches.size > 0) this.#dropOldest();
  }

  #dropOldest(): void {
    for (const [revision, cache] of this.#caches) {
      this.#caches.delete(revision);
      this.#cachedBytes -= cache.bytes;
      return;
    }
  }
}

function inner<K, L, V>(map: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const found = map.get(key) ?? new Map<L, V>();
  map.set(key, found);
  return found;
}
