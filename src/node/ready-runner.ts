// Runs what the core asks for, in the documented order of Ready: the disk first, then what claims nothing about it, and
// what speaks for it only once that batch and all before it are durable.
import { assert } from '../lib/assert.ts';
import type { Term } from '../lib/ids.ts';
import type {
  Envelope,
  FetchRequest,
  LogEntry,
  PersistBatch,
  RaftEvent,
  ReadConfirmed,
  Ready,
  Rejected,
  Appended,
} from '../raft/index.ts';
import type { LogStore } from './ports.ts';

export interface ReadyRunner {
  run(ready: Ready): void;
  /** From now on nothing is sent or reported, whatever the disk still completes. */
  stop(): void;
}

export interface ReadyRunnerOptions {
  readonly logStore: LogStore;
  readonly send: (envelope: Envelope) => void;
  readonly appended: (appended: readonly Appended[]) => void;
  readonly committed: (entries: readonly LogEntry[]) => void;
  readonly reads: (confirmed: readonly ReadConfirmed[]) => void;
  readonly rejected: (rejected: readonly Rejected[]) => void;
  readonly events: (events: readonly RaftEvent[]) => void;
  /** The batch and all before it are durable. Called before what waited for it is sent. */
  readonly persisted: (sequence: number, term: Term) => void;
  readonly fetched: (ticket: number, entries: readonly LogEntry[]) => void;
  /** A write or sync failed: final (exit 10). */
  readonly diskFailed: (error: unknown) => void;
  /** A durable entry can no longer be read: damage (exit 11), or the disk refused (exit 10). */
  readonly readFailed: (error: unknown) => void;
  /** A broken invariant (exit 13). */
  readonly broken: (error: unknown) => void;
}

interface Held {
  readonly sequence: number;
  readonly envelopes: readonly Envelope[];
}

export function createReadyRunner(options: ReadyRunnerOptions): ReadyRunner {
  const { logStore } = options;
  // What may not be said before the disk has it, in the order of the batches.
  const held: Held[] = [];
  let issued = 0;
  let durable = 0;
  let stopped = false;

  const persist = (batch: PersistBatch): void => {
    assert(batch.sequence > issued, 'batches are numbered upwards');
    issued = batch.sequence;
    logStore
      .append(batch)
      .then(
        () => completed(batch),
        (error: unknown) => options.diskFailed(error),
      )
      .catch(options.broken);
  };

  const completed = (batch: PersistBatch): void => {
    if (stopped) return;
    assert(batch.sequence > durable, 'batches become durable in the order they were written');
    durable = batch.sequence;
    options.persisted(batch.sequence, batch.term);
    for (let next = held[0]; next !== undefined && next.sequence <= durable; next = held[0]) {
      held.shift();
      for (const envelope of next.envelopes) options.send(envelope);
    }
  };

  const fetch = (request: FetchRequest): void => {
    logStore
      .read(request.from, request.to, request.maxBytes)
      .then(
        (entries) => {
          if (!stopped) options.fetched(request.ticket, entries);
        },
        (error: unknown) => options.readFailed(error),
      )
      .catch(options.broken);
  };

  return {
    run(ready) {
      if (ready.persist !== undefined) persist(ready.persist);
      for (const envelope of ready.sendNow) options.send(envelope);
      if (ready.sendAfterPersist.length > 0) {
        if (durable === issued)
          for (const envelope of ready.sendAfterPersist) options.send(envelope);
        else held.push({ sequence: issued, envelopes: ready.sendAfterPersist });
      }
      options.appended(ready.appended);
      options.committed(ready.committed);
      options.reads(ready.reads);
      options.rejected(ready.rejected);
      for (const request of ready.fetch) fetch(request);
      options.events(ready.events);
    },
    stop() {
      stopped = true;
      held.length = 0;
    },
  };
}
