// What every benchmark returns: named figures, each with its unit and which direction is better.
import type { Target } from '../targets/target.ts';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}

/** One measured round. `void` says why its figures do not count, where they do not. */
export interface Round {
  readonly figures: readonly Figure[];
  readonly void: string | undefined;
}

interface WorkloadOptions {
  readonly seconds: number;
  readonly inFlight: number;
  /** Distinguishes ids of different rounds: they are never reused. */
  readonly round: number;
}

export interface Workload {
  readonly name: string;
  readonly summary: string;
  /** Values of `inFlight` to run; one round each. */
  readonly inFlight: readonly number[];
  /** How many nodes it needs; 3 by default. */
  readonly nodes?: number;
  /** Server flags beyond the defaults. */
  readonly flags?: readonly string[];
  /** True where only this program can be the target, not another system. */
  readonly ownOnly?: boolean;
  run(target: Target, options: WorkloadOptions): Promise<Round>;
}

export const figure = (
  name: string,
  value: number,
  unit: string,
  better: Figure['better'],
): Figure => ({ name, value, unit, better });

/** How busy the generator's own thread was, 0 to 1. */
export const generatorLoadName = 'generator load';
/** Above this the generator may be what was measured, and the report says so. */
export const generatorLimit = 0.9;
