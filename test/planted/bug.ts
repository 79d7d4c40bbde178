// A planted bug: small changes to a copy of src, and what must notice them.

/** Replaces the one place where `find` stands in `file` (under src). None, or several, is an error. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export type Hunter =
  /** Random schedules against the core. */
  | { readonly kind: 'schedules' }
  /** These test files (under test). */
  | { readonly kind: 'tests'; readonly files: readonly string[] }
  /** The whole system on simulated time, seed after seed. */
  | { readonly kind: 'simulation' };

export interface PlantedBug {
  readonly name: string;
  readonly patches: readonly Patch[];
  readonly hunter: Hunter;
  /** Which part of the system it breaks, for the table in docs/testing.md. */
  readonly area?: string;
  /** A scenario of test/sim/scenarios that must fail with this bug, besides whatever the hunter finds. */
  readonly scenario?: string;
}

export const schedules: Hunter = { kind: 'schedules' };

export const simulation: Hunter = { kind: 'simulation' };

export function tests(...files: string[]): Hunter {
  return { kind: 'tests', files };
}
