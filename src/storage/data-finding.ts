// What `rollcall check-data` finds, and the advice that more than one part of it gives. It is for operators: plain words.
import { UnknownFormatError } from '../lib/unknown-format.ts';

/** `sound`: as it should be. `note`: a start settles it by itself and nothing is lost. `later`: a later version wrote it,
 * and this one does not read it. `damaged`: it is not what was written. */
type Verdict = 'sound' | 'note' | 'later' | 'damaged';

type Part = 'directory' | 'identity' | 'log' | 'state' | 'content';

export interface Finding {
  readonly part: Part;
  readonly verdict: Verdict;
  /** One sentence, or a few. */
  readonly text: string;
  /** What to do; '' where nothing has to be done. */
  readonly advice: string;
}

export type Add = (verdict: Verdict, text: string, advice?: string) => void;

/** Adds to `found` what is said of one part. */
export const addingTo =
  (found: Finding[], part: Part): Add =>
  (verdict, text, advice = '') => {
    found.push({ part, verdict, text, advice });
  };

export const advice = {
  replace:
    'Do not delete anything. If the other members are a majority, keep these files and replace this node ("Replace a dead node" in ' +
    'docs/operations.md); otherwise see docs/recovery.md.',
  useThat: 'Nothing here is lost. Keep it as it is, and use the version that wrote it.',
  byItself:
    'Do not delete anything. Start the node: while the others are a majority it gives this log up and comes back by itself. If they are ' +
    'none, see docs/recovery.md.',
  byHand:
    'Do not delete anything. The node does not start while damaged-log is as it is: put the log in it back ("All logs were only away" in ' +
    'docs/recovery.md), or, where it is not needed, move damaged-log out of the data directory.',
  fromLog: 'Nothing to do: the next start makes it again from the log, which is whole.',
  fromLeader:
    'Start the node while the others are a majority: it gets the state from the leader as a snapshot, and serves nothing before. If ' +
    'there is no majority any more, see docs/recovery.md: this node alone cannot bring the state back.',
} as const;

/** What `read` makes of a part; `otherwise` where a later version wrote it, which is added as a finding. */
export async function orLater<T>(read: () => Promise<T>, otherwise: T, add: Add): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnknownFormatError)) throw error;
    add('later', `${error.message}.`, advice.useThat);
    return otherwise;
  }
}
