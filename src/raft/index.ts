// The public surface of the core: one factory, one synchronous object.
import type { LogIndex } from '../lib/ids.ts';
import type { RaftConfig } from './config.ts';
import type { Input } from './input.ts';
import type { RaftView, Ready } from './ready.ts';
import type { HardState, LogEntry, TermRun } from './types.ts';

export type { RaftConfig } from './config.ts';
export { raftDefaults } from './config.ts';
export type { Input, Proposal, Token } from './input.ts';
export type * from './messages.ts';
export type * from './ready.ts';
export type * from './types.ts';

/** What a node knows when it (re)starts: exactly what was persisted, nothing else. */
export interface RaftStart {
  readonly config: RaftConfig;
  readonly hardState: HardState;
  /** Term runs of the whole log, ascending; empty for an empty log. */
  readonly runs: readonly TermRun[];
  readonly lastIndex: LogIndex;
  /** The entries after `appliedIndex`, up to lastIndex: not yet applied, so they must be at hand. */
  readonly tail: readonly LogEntry[];
  readonly appliedIndex: LogIndex;
}

/** The core. `step` changes state, `takeReady` hands out what must be done since the last call; several steps may
 * precede one takeReady: that is group commit. Throws InvariantError when an invariant is broken; the host must stop. */
export interface Raft {
  step(input: Input): void;
  /** True when takeReady would return anything to do. */
  hasReady(): boolean;
  takeReady(): Ready;
  view(): RaftView;
}
