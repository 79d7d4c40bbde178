// A scenario: one failure that other implementations had (facts of public issue trackers), played again step by step, so
// that it is certain to happen where random seeds would have to be lucky.
import type { Violation } from '../../checkers/history.ts';

export interface Scenario {
  /** What it shows not to happen, as a sentence. */
  readonly name: string;
  /** The projects and issues in which it did. */
  readonly seenIn: string;
  /** What went wrong; nothing, if all is well. */
  readonly run: () => Promise<readonly Violation[]>;
}
