// Where the revisions of a new cluster epoch begin: above all that any earlier epoch has given, though nobody knows how many it gave
// after the backup was saved (docs/adr/0017).
import { type Revision, revision } from '../lib/ids.ts';

/** Revisions kept free for each millisecond of Unix time. No cluster makes a million in a second, so by any moment all epochs together have
 * given fewer than this times the moment, whichever backup each of them began with. */
const PER_MS = 2 ** 10;
/** Where the clock cannot be right, because more is known to have been given: as many as are given in years. */
const LEAP = 2 ** 40;
/** What must be left for the epoch itself, of the 2^53 that a number holds exactly. */
const ROOM = 2 ** 50;
const HIGHEST = Number.MAX_SAFE_INTEGER - ROOM;

export interface KnownRevisions {
  /** Of the state that the epoch begins with. */
  readonly from: number;
  /** Another one that is known to have been given, as by a client; 0: none. */
  readonly above: number;
}

/** The revision of the first state of the epoch. Its first change has the next one. Throws when there is no room: the clock is centuries
 * ahead, or the revisions are used up. */
export function epochRevision({ from, above }: KnownRevisions, unixNowMs: number): Revision {
  const known = Math.max(from, above);
  const byClock = Math.floor(unixNowMs) * PER_MS;
  // No leap where the clock decides: the epoch after this one could not count on it.
  const first = byClock > known ? byClock : known + LEAP;
  if (first <= HIGHEST) return revision(first);
  const cause =
    first === byClock
      ? `by the clock of this machine it is ${new Date(unixNowMs).toISOString()}: set it right first`
      : `the revision ${known} leaves no room for another epoch`;
  throw new Error(`The revisions of the new cluster would begin at ${first}: ${cause}`);
}
