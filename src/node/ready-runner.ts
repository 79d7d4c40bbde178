// Runs what the core asks for, in the documented order of Ready: the disk first, then what claims nothing about it, and
// what speaks for it only once that batch and all before it are durable, and the data-dir knows whose they are (G14).
import { assert } from '../lib/assert.ts';
import type { NodeId, Term } from '../lib/ids.ts';
import type {
  Configuration,
  Envelope,
  FetchRequest,
  LogEntry,
  PersistBatch,
  RaftEvent,
  ReadConfirmed,
  Ready,
  Rejected,
  Appended,
  SnapshotInstall,
} from '../raft/index.ts';
import { createNoteGate, type MembershipNote } from './membership-note.ts';
import type { LogStore } from './ports.ts';

export interface ReadyRunner {
  run(ready: Ready): void;
  /** From now on nothing is sent or reported, whatever the disk still completes. */
  stop(): void;
}

export interface ReadyRunnerOptions {
  readonly logStore: LogStore;
  /** Written once the entry that makes this node a member is durable, and before anything is told of that batch or a later one. */
  readonly membershipNote: Pick<MembershipNote, 'due' | 'write'>;
  readonly send: (envelope: Envelope) => void;
  readonly appended: (appended: readonly Appended[]) => void;
  /** The configuration in effect is another one; it may not be committed, nor durable yet. */
  readonly configuration: (configuration: Configuration) => void;
  /** The core takes the snapshot that was offered: nothing more may be applied until it is in place. */
  readonly taken: (install: SnapshotInstall) => void;
  /** The log on disk begins where the snapshot ends: it may be put in place. */
  readonly install: (install: SnapshotInstall) => void;
  readonly pullSnapshot: (from: NodeId) => void;
  readonly committed: (entries: readonly LogEntry[]) => void;
  readonly reads: (confirmed: readonly ReadConfirmed[]) => void;
  readonly rejected: (rejected: readonly Rejected[]) => void;
  readonly events: (events: readonly RaftEvent[]) => void;
  /** The batch and all before it are durable. Called before what waited for it is sent; not for each of those that became durable while
   * the membership was noted. */
  readonly persisted: (sequence: number, term: Term) => void;
  readonly fetched: (ticket: number, entries: readonly LogEntry[]) => void;
  /** A write or sync failed: final (exit 10). */
  readonly diskFailed: (error: unknown) => void;
  /** The membership could not be noted: final (exit 10). */
  readonly noteFailed: (error: unknown) => void;
  /** A durable entry can no longer be read: damage (exit 11), or the disk refused (exit 10). */
  readonly readFailed: (error: unknown) => void;
  /** A broken invariant (exit 13). */
  readonly broken: (error: unknown) => void;
}

interface Held {
  readonly sequence: number;
  readonly envelopes: readonly Envelope[];
  readonly install: SnapshotInstall | undefined;
}

export function createReadyRunner(options: ReadyRunnerOptions): ReadyRunner {
  const { logStore } = options;
  const held = createHeld(options);
  const gate = createNoteGate({
    note: options.membershipNote,
    tell({ sequence, term }) {
      options.persisted(sequence, term);
      held.release(sequence);
    },
    failed: options.noteFailed,
    broken: options.broken,
  });
  let issued = 0;
  let durable = 0;
  let floorIndex = logStore.image.floor.index;
  let stopped = false;

  const persist = (batch: PersistBatch): void => {
    assert(batch.sequence > issued, 'batches are numbered upwards');
    issued = batch.sequence;
    floorIndex = batch.floor?.index ?? floorIndex;
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
    gate.durable(batch);
  };

  return {
    run(ready) {
      if (ready.persist !== undefined) persist(ready.persist);
      for (const envelope of ready.sendNow) options.send(envelope);
      const { sendAfterPersist: envelopes, install, pullSnapshotFrom, configuration } = ready;
      if (configuration !== undefined) {
        options.configuration(configuration);
        gate.configured(issued);
      }
      if (install !== undefined) options.taken(install);
      if (envelopes.length > 0 || install !== undefined) {
        held.add({ sequence: issued, envelopes, install });
      }
      if (pullSnapshotFrom !== undefined) options.pullSnapshot(pullSnapshotFrom);
      options.appended(ready.appended);
      options.committed(ready.committed);
      options.reads(ready.reads);
      options.rejected(ready.rejected);
      for (const request of ready.fetch) {
        // Asked for before the floor rose beyond it, in the same turn: by now the core wants something else for that peer.
        if (request.from > floorIndex) fetchEntries(request, options, () => stopped);
      }
      options.events(ready.events);
    },
    stop() {
      stopped = true;
      held.clear();
      gate.stop();
    },
  };
}

/** What may not be said before the disk has it and the core knows, in the order of the batches. */
function createHeld({ send, install: putInPlace }: Pick<ReadyRunnerOptions, 'send' | 'install'>) {
  const held: Held[] = [];
  let told = 0;
  const say = ({ envelopes, install }: Held): void => {
    for (const envelope of envelopes) send(envelope);
    if (install !== undefined) putInPlace(install);
  };
  return {
    add(one: Held): void {
      if (one.sequence === told) say(one);
      else held.push(one);
    },
    /** The core knows that this batch is durable. */
    release(sequence: number): void {
      told = sequence;
      for (let next = held[0]; next !== undefined && next.sequence <= told; next = held[0]) {
        held.shift();
        say(next);
      }
    },
    clear(): void {
      held.length = 0;
    },
  };
}

function fetchEntries(
  { ticket, from, to, maxBytes }: FetchRequest,
  options: ReadyRunnerOptions,
  stopped: () => boolean,
): void {
  options.logStore
    .read(from, to, maxBytes)
    .then(
      (entries) => {
        if (!stopped()) options.fetched(ticket, entries);
      },
      (error: unknown) => options.readFailed(error),
    )
    .catch(options.broken);
}
