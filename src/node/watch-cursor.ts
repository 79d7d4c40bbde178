// One reader of the hub: a position and a mark of what to do next, never a queue. It takes from the ring what its sink
// takes from it; a reader that lags gets merged messages, one that the ring has left behind a new state (G5, G17).
import { nextRevision, type Revision, revision } from '../lib/ids.ts';
import type { RegistryError } from '../lib/registry-error.ts';
import type { ChangeGroup, ListPosition, Registry } from '../registry/index.ts';
import type { Audience } from './watch-audience.ts';
import type { WatchCursor, WatchFormat, WatchSink } from './watch-hub.ts';
import type { WatchMessages } from './watch-messages.ts';
import { mergeGroups, projectChange, restate } from './watch-projection.ts';
import type { WatchRing } from './watch-ring.ts';

/** What a reader uses of its hub. */
export interface WatchSource {
  readonly ring: WatchRing;
  readonly registry: Registry;
  readonly messages: WatchMessages;
  /** Target size of a message that can be cut: a part of a state, a merged message. Bytes. */
  readonly partBytes: number;
  /** Matching groups that a reader may be behind after a blockage and still get one message for each. */
  readonly mergeBehind: number;
  readonly now: () => number;
  /** Has `pump` called soon, in a turn of its own. */
  readonly schedule: (reader: WatchReader) => void;
  readonly leave: (reader: WatchReader) => void;
  /** The sink threw: a defect of the door, which ends this reader and no other. */
  readonly sinkFailed: (error: unknown) => void;
}

type Position =
  /** The token was newer than this node: nothing is sent until `until` is applied here. */
  | { readonly kind: 'waiting'; readonly until: ResumeFrom }
  /** A state is owed; it is taken when the sink has room. */
  | { readonly kind: 'unset' }
  /** In the middle of the state at `at`, sent up to and including `after`. */
  | { readonly kind: 'resetting'; readonly at: Revision; readonly after: ListPosition }
  /** Everything below `from` was sent or did not concern this reader. */
  | { readonly kind: 'behind'; readonly from: Revision }
  /** Everything up to the ring's last revision was sent or did not concern this reader. */
  | { readonly kind: 'current' };

/** Where a valid token of this cluster says the reader stands. */
export interface ResumeFrom {
  readonly revision: Revision;
  /** Only a part of that revision's state was sent: the reader needs a whole one, and none that is older. */
  readonly more: boolean;
}

export interface WatchReaderOptions {
  readonly source: WatchSource;
  readonly audience: Audience<WatchReader>;
  readonly format: WatchFormat;
  readonly sink: WatchSink;
  /** undefined: begin with the state. */
  readonly resumeAt: ResumeFrom | undefined;
}

/** Encoded bytes of a state's part beside its instances, per instance. */
const CHANGE_OVERHEAD_BYTES = 24;
const MAX_PART_INSTANCES = 2048;
/** A turn of one reader, so that a long backlog does not hold up the loop. */
const MESSAGES_PER_TURN = 32;

export class WatchReader implements WatchCursor {
  readonly audience: Audience<WatchReader>;
  readonly #source: WatchSource;
  readonly #format: WatchFormat;
  readonly #sink: WatchSink;
  #position: Position;
  /** Up to here one message per revision is owed whatever the reader's pace: it resumed to get exactly what it missed. */
  #exactUntil: Revision = revision(0);
  #blocked = false;
  /** Set by a blockage that left it behind, cleared when it has caught up. */
  #wasBlocked = false;
  /** Once it lags it gets merged messages until it has caught up. */
  #merging = false;
  #closed = false;
  #lastSentMs: number;
  #sentRevision: Revision = revision(0);
  #acknowledged: Revision = revision(0);

  constructor(options: WatchReaderOptions) {
    this.audience = options.audience;
    this.#source = options.source;
    this.#format = options.format;
    this.#sink = options.sink;
    this.#lastSentMs = options.source.now();
    this.#position = this.#start(options.resumeAt);
  }

  get acknowledgedRevision(): Revision {
    return this.#acknowledged;
  }

  get waiting(): boolean {
    return this.#position.kind === 'waiting';
  }

  drained(): void {
    if (!this.#blocked || this.#closed) return;
    this.#blocked = false;
    // One that missed nothing meanwhile keeps up, whatever comes next.
    this.#wasBlocked = this.#position.kind === 'behind';
    this.#source.schedule(this);
  }

  acknowledge(acknowledged: Revision): void {
    if (acknowledged > this.#sentRevision) return;
    if (acknowledged > this.#acknowledged) this.#acknowledged = acknowledged;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#source.leave(this);
  }

  /** The hub ends the watch. */
  end(error: RegistryError): void {
    if (this.#closed) return;
    this.close();
    this.#guarded(() => this.#sink.end(error));
  }

  /** The audience has something to see in the group of this revision, the ring's last. */
  concerned(last: Revision): void {
    if (this.#position.kind !== 'current') return;
    this.#position = { kind: 'behind', from: last };
    if (!this.#blocked) this.#source.schedule(this);
  }

  /** The node has applied up to `last`; wakes a reader whose token was newer than the node. */
  reached(last: Revision): void {
    if (this.#position.kind !== 'waiting' || this.#position.until.revision > last) return;
    this.#position = this.#start(this.#position.until);
    this.#source.schedule(this);
  }

  /** The ring begins anew: what lies between the last message and now cannot be told. One that waits for a revision which is
   * not reached yet goes on waiting; no reader gets a state older than what it has seen (G11). */
  restart(): void {
    this.#exactUntil = revision(0);
    if (this.#position.kind === 'waiting') return this.reached(this.#source.ring.last);
    this.#position = { kind: 'unset' };
    if (!this.#blocked) this.#source.schedule(this);
  }

  /** A progress mark, when the reader is current and nothing was sent for `idleMs`. */
  mark(nowMs: number, idleMs: number): void {
    if (this.#position.kind !== 'current' || this.#blocked) return;
    if (nowMs - this.#lastSentMs < idleMs) return;
    const about = { revision: this.#source.ring.last, reset: false, more: false };
    this.#send(
      this.#source.messages.encode(this.audience, this.#format, [], about),
      about.revision,
    );
  }

  /** Sends what is owed until the sink is full or the turn is over. True: there is more to send. */
  pump(): boolean {
    for (let sent = 0; sent < MESSAGES_PER_TURN; sent++) {
      if (this.#closed || this.#blocked || !this.#step()) return false;
    }
    return true;
  }

  #start(resumeAt: ResumeFrom | undefined): Position {
    const { ring } = this.#source;
    if (resumeAt === undefined || resumeAt.revision < ring.floor) return { kind: 'unset' };
    if (resumeAt.revision > ring.last) return { kind: 'waiting', until: resumeAt };
    if (resumeAt.more) return { kind: 'unset' };
    this.#exactUntil = ring.last;
    return this.#after(resumeAt.revision);
  }

  #after(sent: Revision): Position {
    if (sent < this.#source.ring.last) return { kind: 'behind', from: nextRevision(sent) };
    this.#wasBlocked = false;
    this.#merging = false;
    return { kind: 'current' };
  }

  /** One message, or nothing and false. */
  #step(): boolean {
    const { ring } = this.#source;
    if (this.#position.kind === 'behind' && this.#position.from <= ring.floor) {
      this.#position = { kind: 'unset' };
    }
    switch (this.#position.kind) {
      case 'waiting':
      case 'current':
        return false;
      case 'unset':
        this.#sendState(ring.last, undefined);
        return true;
      case 'resetting':
        this.#sendState(this.#position.at, this.#position.after);
        return true;
      case 'behind':
        return this.#sendChanges(this.#position.from);
    }
  }

  /** The next part of the state at `at`; from the beginning at the present revision when the ring no longer reaches it. */
  #sendState(at: Revision, after: ListPosition | undefined): void {
    const { ring, registry, messages, partBytes } = this.#source;
    const undo = ring.above(at);
    if (undo === undefined) return this.#sendState(ring.last, undefined);
    const fitting = Math.floor(partBytes / (4 * CHANGE_OVERHEAD_BYTES));
    const count = Math.max(1, Math.min(MAX_PART_INSTANCES, fitting));
    const limit = { count, bytes: partBytes - count * CHANGE_OVERHEAD_BYTES };
    const { records, more } = registry.list(this.audience.selector, after, limit, undo);
    const about = { revision: at, reset: after === undefined, more };
    const message = messages.encode(this.audience, this.#format, records.map(restate), about);
    const last = records.at(-1);
    if (more && last !== undefined) {
      this.#position = { kind: 'resetting', at, after: last };
      // A part is not yet the state: it acknowledges nothing.
      this.#send(message, this.#sentRevision);
    } else {
      this.#position = this.#after(at);
      this.#send(message, at);
    }
  }

  #sendChanges(from: Revision): boolean {
    const { ring, messages, mergeBehind } = this.#source;
    if (this.#wasBlocked && !this.#merging && from > this.#exactUntil) {
      this.#merging = this.#isFurtherBehindThan(mergeBehind, from);
    }
    if (this.#merging) return this.#sendMerged(from);
    for (const group of groupsFrom(ring, from)) {
      const message = messages.ofGroup(this.audience, this.#format, group);
      if (message === undefined) continue;
      this.#position = this.#after(group.revision);
      this.#send(message, group.revision);
      return true;
    }
    this.#position = this.#after(ring.last);
    return false;
  }

  #sendMerged(from: Revision): boolean {
    const { ring, messages, partBytes } = this.#source;
    const { selector } = this.audience;
    const merged = mergeGroups(selector, groupsFrom(ring, from), partBytes);
    if (merged === undefined) return false;
    const changes = merged.changes.flatMap((change) => projectChange(selector, change));
    this.#position = this.#after(merged.reached);
    // What came and went meanwhile leaves nothing to tell.
    if (changes.length === 0 || merged.revision === undefined) {
      return this.#position.kind === 'behind';
    }
    const about = { revision: merged.revision, reset: false, more: false };
    this.#send(messages.encode(this.audience, this.#format, changes, about), merged.revision);
    return true;
  }

  #isFurtherBehindThan(groups: number, from: Revision): boolean {
    const { ring, messages } = this.#source;
    if (ring.last - from < groups) return false;
    let concerning = 0;
    for (const group of groupsFrom(ring, from)) {
      if (messages.concerns(this.audience, group) && ++concerning > groups) return true;
    }
    return false;
  }

  #send(message: Uint8Array, complete: Revision): void {
    this.#lastSentMs = this.#source.now();
    this.#sentRevision = complete;
    this.#guarded(() => {
      if (!this.#sink.write(message)) this.#blocked = true;
    });
  }

  #guarded(callSink: () => void): void {
    try {
      callSink();
    } catch (error) {
      this.close();
      this.#source.sinkFailed(error);
    }
  }
}

function* groupsFrom(ring: WatchRing, from: Revision): Generator<ChangeGroup> {
  for (let at = from; at <= ring.last; at = nextRevision(at)) {
    const group = ring.at(at);
    if (group !== undefined) yield group;
  }
}
