// Everything a chaos run leaves behind, from which the verdict and the report are made. It is written to one directory, so
// that both can be made again later from a kept run.
import type { FinalList, Violation } from '../../checkers/history.ts';
import type { FaultKind } from '../faults/fault.ts';
import type { Stretch } from './times.ts';

/** One fault as it went. Times as in clients/event.ts. */
export interface FaultRecord {
  readonly kind: FaultKind;
  readonly what: string;
  readonly nodes: readonly string[];
  readonly atMs: number;
  readonly healedAtMs: number;
  readonly gap: 'kill' | 'pause' | 'partition' | 'powerCutAll' | undefined;
  /** What was seen of it; undefined: nothing, and the run is void. */
  readonly effect: string | undefined;
}

/** What one node said of itself at one moment; no `status` when it did not answer. */
export interface Sight {
  readonly atMs: number;
  readonly node: string;
  readonly term?: number;
  readonly role?: string;
  readonly leader?: string;
  readonly appliedIndex?: number;
  readonly revision?: number;
  /** How long its process wanted a processor and had none since the look before; absent where the host does not tell. */
  readonly waitedMs?: number;
}

/** What the harness saw happen that must not. */
export interface Finding extends Violation {
  /** It is that something did not come in this time. */
  readonly waited?: Stretch;
}

export interface RunRecord {
  readonly seed: number;
  readonly nodes: number;
  readonly kinds: readonly FaultKind[];
  /** Faults that this host does not allow, with the reason. */
  readonly skipped: readonly { readonly kind: FaultKind; readonly reason: string }[];
  readonly beganAtMs: number;
  /** From here on nothing failed and everything ran. */
  readonly healedAtMs: number;
  readonly endedAtMs: number;
  /** One healthy leader from the first moment to the second. */
  readonly stable: { readonly fromMs: number; readonly toMs: number } | undefined;
  readonly faults: readonly FaultRecord[];
  readonly sights: readonly Sight[];
  /** What the harness saw happen that must not, whatever the faults: a node that ended by itself, one that never came back. */
  readonly broken: readonly Finding[];
  /** Linearizable lists read from every node at the end. */
  readonly finals: readonly (Omit<FinalList, 'instances'> & {
    readonly instances: readonly (readonly [string, string])[];
  })[];
  /** Node -> state hash at one applied index, at the end (G12). */
  readonly hashes: Readonly<Record<string, string>>;
  /** One line that does the same again. */
  readonly replay: string;
}

/** The names in a run's directory. */
export const runFile = 'run.json';
/** One file for each client process. */
export const historySuffix = '.history.jsonl';
export const reportFile = 'report.html';
