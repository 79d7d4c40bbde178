// The node's one hub: a ring of recent change groups shared by all readers, and a cursor per reader. A reader holds a
// position, never a queue: one that does not drain falls behind and later gets the latest state of each instance once.
import type { Revision } from '../lib/ids.ts';
import type { RegistryError } from '../lib/registry-error.ts';
import type { ChangeGroup, InstanceRecord, Selector } from '../registry/index.ts';

/** A change as one selector sees it. */
export type ProjectedChange =
  | {
      readonly kind: 'put';
      readonly record: InstanceRecord;
      readonly reason: string;
      readonly actor: string;
    }
  | {
      readonly kind: 'remove';
      readonly namespace: string;
      readonly serviceName: string;
      readonly instanceId: string;
      readonly reason: string;
      readonly actor: string;
    };

export interface WatchMessage {
  readonly revision: Revision;
  readonly resumeToken: string;
  readonly reset: boolean;
  readonly more: boolean;
  /** Encoded by WatchFormat.encodeChange, in order. */
  readonly changes: readonly Uint8Array[];
}

/** How a door puts watch messages on its wire. One object per door; the hub caches what it encodes by it. */
export interface WatchFormat {
  encodeChange(change: ProjectedChange): Uint8Array;
  encodeMessage(message: WatchMessage): Uint8Array;
}

/** Where a cursor writes. */
export interface WatchSink {
  /** Hands over one encoded message. False: write nothing more until `drained` is called on the cursor. */
  write(message: Uint8Array): boolean;
  /** The hub ends the watch (shutting down, or an error); nothing follows. Not called when the reader closed it. */
  end(error: RegistryError): void;
}

/** Where a reader wants to begin. Parsed from a resume token by the hub; throws invalidArgument for a bad one. */
export interface WatchOpen {
  readonly selector: Selector;
  /** '' starts with the state. */
  readonly resumeToken: string;
  readonly format: WatchFormat;
  readonly sink: WatchSink;
  readonly acknowledges: boolean;
}

export interface WatchCursor {
  /** The sink can take more. */
  drained(): void;
  /** Highest revision acted upon, as the reader says; what was not sent is ignored. */
  acknowledge(revision: Revision): void;
  /** Highest revision acknowledged so far; 0 before the first. What a drain waits for. */
  readonly acknowledgedRevision: Revision;
  /** The reader went away. */
  close(): void;
}

export interface WatchHub {
  /** Throws RegistryError: resourceExhausted at the limit of watches (default 10 000), invalidArgument for a token that is garbled or of another selector. */
  open(options: WatchOpen): WatchCursor;
  readonly count: number;
  /** Undo list for reading the state at `revision`: the changes above it, oldest first; undefined when the ring no longer reaches it. */
  changesAbove(revision: Revision): readonly ChangeGroup[] | undefined;
}

/** The hub as the apply loop sees it. */
export interface WatchPublisher {
  publish(group: ChangeGroup): void;
  /** A snapshot took the place of the registry's content, in this same turn: every reader gets the state anew, marked reset.
   * Nothing happens where it brought no change: what is equal in revision is equal. */
  restart(): void;
  /** Progress marks; called about once a second. */
  tick(nowMs: number): void;
  /** Ends every stream with shuttingDown; each has its token from the last message. */
  endAll(error: RegistryError): void;
}
