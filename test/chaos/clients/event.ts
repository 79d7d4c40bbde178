// What the client processes write down while a run goes on: one JSON line an event, in the terms of test/checkers/history.ts.
// All times are milliseconds of the host's monotonic clock (process.hrtime), which all processes of a run share.
import type {
  BeatRecord,
  KeepRecord,
  ReadRecord,
  WatchMessageRecord,
  WriteRecord,
} from '../../checkers/history.ts';

/** Maps as lists of pairs, as JSON has no maps. */
export type ReadLine = Omit<ReadRecord, 'instances' | 'values'> & {
  readonly instances: readonly (readonly [string, string])[];
  readonly values: readonly (readonly [string, string])[];
};

export type ClientEvent =
  /** A write whose outcome is known, or known to stay unknown. */
  | { readonly kind: 'write'; readonly client: string; readonly write: WriteRecord }
  | { readonly kind: 'read'; readonly read: ReadLine }
  /** A read that got no answer in time: its error code. */
  | {
      readonly kind: 'readFailed';
      readonly client: string;
      readonly atMs: number;
      readonly code: string;
    }
  | { readonly kind: 'beat'; readonly beat: BeatRecord }
  | { readonly kind: 'keep'; readonly keep: KeepRecord }
  /** A reader of everything, or of one service, opened its first stream. */
  | {
      readonly kind: 'watch';
      readonly watcher: string;
      readonly service?: string;
      readonly atMs: number;
    }
  | { readonly kind: 'message'; readonly watcher: string; readonly message: WatchMessageRecord }
  /** A stream ended and the next one, which began with the last token, tells its first message; at which endpoint. */
  | {
      readonly kind: 'resumed';
      readonly watcher: string;
      readonly atMs: number;
      readonly endpoint: string;
    }
  /** The process itself was kept from running for so long: what it says of time then is worth little. */
  | {
      readonly kind: 'stalled';
      readonly client: string;
      readonly fromMs: number;
      readonly toMs: number;
    };

/** From a client process to the harness, several times a second, over its IPC channel. */
export interface ClientProgress {
  readonly kind: 'progress';
  readonly acknowledged: number;
  readonly rejected: number;
  readonly unknown: number;
  readonly reads: number;
  readonly messages: number;
  readonly resumes: number;
  /** Highest revision that every watcher of everything in it has been shown. */
  readonly watchedRevision: number;
  /** When the last write was acknowledged, and how long it took. */
  readonly lastAcknowledgedAtMs: number;
}

/** From the harness to a client process. */
export type ClientOrder =
  /** Begin nothing new, bring every write to an outcome, keep watching. Answered with `settled`. */
  | { readonly kind: 'settle' }
  /** End; everything is written down. */
  | { readonly kind: 'end' }
  /** So many readers more connect at once, all with the token of a watcher, and leave again once each was answered. */
  | { readonly kind: 'herd'; readonly count: number };

export type ClientAnswer = ClientProgress | { readonly kind: 'ready' | 'settled' | 'herded' };

/** What a client process is started with, as JSON in its first argument. */
export interface ClientSettings {
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly seed: number;
  /** The file its events go to. */
  readonly history: string;
  /** How many of each play in this process. */
  readonly writers: number;
  readonly keepers: number;
  /** Registered once and never heard of again: they must expire. */
  readonly silent: number;
  /** Read, then read elsewhere with the revision seen as the minimum (G11). */
  readonly sessions: number;
  readonly walkers: number;
  readonly watchers: number;
  /** Watchers that stop reading for seconds at a time. */
  readonly stuckWatchers: number;
}
