// The limits the doors hold. Names, defaults and ranges are in config/limits.ts; node/ holds those of the node itself.
import type { LimitName, Limits } from '../config/limits.ts';

type NodeOnly =
  | 'maxInstances'
  | 'maxRememberedAnswers'
  | 'rememberAnswersMs'
  | 'ringChanges'
  | 'maxWatches'
  | 'maxPendingWrites'
  | 'maxPendingWriteBytes'
  | 'logEntries'
  | 'logBytes'
  | 'logBytesForTransfer'
  | 'snapshotChunkBytes'
  | 'snapshotIdleMs'
  | 'diskReserveBytes';

/** What a door needs of the Limits. */
export type ApiLimits = Pick<Limits, Exclude<LimitName, NodeOnly>>;
