// The hub of a node: takes each change group from the apply loop, wakes the readers it concerns and lets them read in
// turns of their own, so that nothing a reader does slows the apply loop or another reader (docs/adr/0009).
import type { Logger } from 'pino';
import { assert } from '../lib/assert.ts';
import type { Revision } from '../lib/ids.ts';
import { RegistryError } from '../lib/registry-error.ts';
import type { ChangeGroup, Registry } from '../registry/index.ts';
import { AudienceIndex } from './watch-audience.ts';
import type { Clock } from './ports.ts';
import { type ResumeFrom, WatchReader, type WatchSource } from './watch-cursor.ts';
import type { WatchCursor, WatchHub, WatchOpen, WatchPublisher } from './watch-hub.ts';
import { WatchMessages } from './watch-messages.ts';
import { WatchRing } from './watch-ring.ts';
import { decodeResumeToken } from './watch-token.ts';

export interface WatchHubOptions {
  /** Read when a reader needs the state. The hub begins at its present revision. */
  readonly registry: Registry;
  readonly clock: Clock;
  readonly limits: WatchLimits;
  /** The epoch that tokens are bound to; '' while this node belongs to no cluster yet. */
  readonly clusterUuid: () => string;
  readonly log: Logger;
}

export interface WatchLimits {
  /** Changes the ring keeps. */
  readonly ringChanges: number;
  /** Bytes of records the ring keeps alive. Default 128 MiB. */
  readonly ringBytes?: number;
  /** Open watches at most; one more is refused with resourceExhausted. */
  readonly maxWatches: number;
  /** Encoded bytes of a message at most. Only a single revision that is larger by itself exceeds it, as it is never split. */
  readonly messageBytes: number;
  /** Matching groups a reader may be behind after a blockage and still get one message for each. Default 100. */
  readonly mergeBehind?: number;
}

const DEFAULT_RING_BYTES = 128 * 1024 * 1024;
const DEFAULT_MERGE_BEHIND = 100;
/** Smaller than the limit of a message: what a reader that stops holds up stays well below 1 MiB. */
const PART_BYTES = 512 * 1024;
const READERS_PER_TURN = 256;
/** With a tick each second, a mark follows 3 to 4.9 s after the last message; the readers take turns. */
const MARK_AFTER_MS = 3000;
const MARK_SPREAD_MS = 900;

export function createWatchHub(options: WatchHubOptions): WatchHub & WatchPublisher {
  return new Hub(options);
}

class Hub implements WatchHub, WatchPublisher {
  readonly #options: WatchHubOptions;
  readonly #ring: WatchRing;
  readonly #messages: WatchMessages;
  readonly #audiences = new AudienceIndex<WatchReader>();
  readonly #source: WatchSource;
  readonly #readers = new Set<WatchReader>();
  /** Readers whose token is newer than this node. */
  readonly #waiting = new Set<WatchReader>();
  /** The last answer of changesAbove, while nothing has changed since. */
  #above: { revision: Revision; groups: readonly ChangeGroup[] | undefined } | undefined;
  /** Readers that have something to send. */
  #ready = new Set<WatchReader>();
  #turnDeferred = false;
  #ended: RegistryError | undefined;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    const { registry, clock, limits, clusterUuid, log } = options;
    this.#ring = new WatchRing({
      floor: registry.revision,
      maxChanges: limits.ringChanges,
      maxBytes: limits.ringBytes ?? DEFAULT_RING_BYTES,
    });
    this.#messages = new WatchMessages(clusterUuid);
    this.#source = {
      ring: this.#ring,
      registry,
      messages: this.#messages,
      partBytes: Math.min(limits.messageBytes, PART_BYTES),
      mergeBehind: limits.mergeBehind ?? DEFAULT_MERGE_BEHIND,
      now: () => clock.now(),
      schedule: (reader) => this.#schedule(reader),
      leave: (reader) => this.#leave(reader),
      sinkFailed: (error) => log.error({ event: 'watch_sink_failed', err: error }),
    };
  }

  get count(): number {
    return this.#readers.size;
  }

  open({ selector, resumeToken, format, sink }: WatchOpen): WatchCursor {
    if (this.#ended !== undefined) throw this.#ended;
    const audience = this.#audiences.of(selector);
    const resumeAt = this.#resumeAt(resumeToken, audience.digest);
    const { maxWatches } = this.#options.limits;
    if (this.#readers.size >= maxWatches) {
      const message = `watches of this node, limit ${maxWatches}`;
      throw new RegistryError('resourceExhausted', message, { retryAfterMs: 1000 });
    }
    const reader = new WatchReader({ source: this.#source, audience, format, sink, resumeAt });
    this.#readers.add(reader);
    this.#audiences.join(audience, reader);
    if (reader.waiting) this.#waiting.add(reader);
    else this.#schedule(reader);
    return reader;
  }

  changesAbove(revision: Revision): readonly ChangeGroup[] | undefined {
    if (this.#above?.revision !== revision) {
      this.#above = { revision, groups: this.#ring.above(revision) };
    }
    return this.#above.groups;
  }

  publish(group: ChangeGroup): void {
    this.#above = undefined;
    this.#ring.push(group);
    this.#messages.begin(group);
    for (const audience of this.#audiences.near(group)) {
      if (!this.#messages.concerns(audience, group)) continue;
      for (const reader of audience.readers) reader.concerned(group.revision);
    }
    for (const reader of this.#waiting) {
      reader.reached(group.revision);
      if (!reader.waiting) this.#waiting.delete(reader);
    }
  }

  restart(): void {
    const { revision } = this.#options.registry;
    if (revision === this.#ring.last) return;
    this.#above = undefined;
    this.#ring.restart(revision);
    this.#messages.clear();
    for (const reader of this.#readers) reader.restart();
    for (const reader of this.#waiting) if (!reader.waiting) this.#waiting.delete(reader);
  }

  tick(nowMs: number): void {
    let place = 0;
    for (const reader of this.#readers) {
      reader.mark(nowMs, MARK_AFTER_MS + ((place++ * 37) % MARK_SPREAD_MS));
    }
  }

  endAll(error: RegistryError): void {
    this.#ended = error;
    for (const reader of this.#readers) reader.end(error);
  }

  /** Where a token says its reader stands; undefined where it says nothing here. Throws for a bad token. */
  #resumeAt(token: string, digest: Uint8Array): ResumeFrom | undefined {
    if (token === '') return undefined;
    const point = decodeResumeToken(token, digest);
    // Another cluster's revisions mean nothing here.
    return point.clusterUuid === this.#options.clusterUuid() ? point : undefined;
  }

  #schedule(reader: WatchReader): void {
    this.#ready.add(reader);
    this.#deferTurn();
  }

  #leave(reader: WatchReader): void {
    this.#readers.delete(reader);
    this.#waiting.delete(reader);
    this.#ready.delete(reader);
    this.#audiences.leave(reader.audience, reader);
  }

  #deferTurn(): void {
    if (this.#turnDeferred) return;
    this.#turnDeferred = true;
    this.#options.clock.defer(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turnDeferred = false;
    const isUpToDate = this.#options.registry.revision === this.#ring.last;
    assert(isUpToDate, 'every applied change is published before the event loop goes on');
    let turns = 0;
    for (const reader of this.#ready) {
      if (turns++ === READERS_PER_TURN) break;
      // To the end of the line, if it has more to send.
      this.#ready.delete(reader);
      if (reader.pump()) this.#ready.add(reader);
    }
    if (this.#ready.size > 0) this.#deferTurn();
  }
}
