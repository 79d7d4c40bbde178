// What is fuzzed: an arbitrary, and what is done with each case of it. The property is the same everywhere: an answer or an error of the types
// that the part has for bad input, no other error, and no memory that the case did not bring along.
import { getHeapStatistics } from 'node:v8';
import * as fc from 'fast-check';

interface TargetOf<Case> {
  readonly name: string;
  /** In one sentence, for --help. */
  readonly what: string;
  readonly cases: fc.Arbitrary<Case>;
  /** Throws for what no input may bring about. */
  readonly run: (bad: Case) => void | Promise<void>;
}

/** A target with the type of its cases inside. */
export interface Target extends Pick<TargetOf<unknown>, 'name' | 'what'> {
  /** A property that fails when the target does. `each` is called before each case. */
  readonly property: (each: () => void) => fc.IAsyncProperty<[unknown]>;
}

/** More than any case holds, or may make this program hold. */
const mostBytes = 96 * 2 ** 20;

export function target<Case>({ name, what, cases, run }: TargetOf<Case>): Target {
  return {
    name,
    what,
    property: (each) =>
      fc.asyncProperty<[unknown]>(cases, async (bad) => {
        each();
        const before = bytesInUse();
        await run(bad as Case);
        const taken = bytesInUse() - before;
        if (taken > mostBytes) throw new Error(`took ${Math.round(taken / 2 ** 20)} MiB`);
      }),
  };
}

function bytesInUse(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

type ErrorClass = abstract new (...given: never[]) => Error;

/** What `work` makes of the case; undefined where it refuses it with an error of one of these classes. Any other error is a defect. */
export async function unlessRefused<T>(
  work: () => T | Promise<T>,
  ...classes: readonly ErrorClass[]
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    // By its very class: a RangeError is no RegistryError, whatever both extend.
    if (error instanceof Error && classes.some((one) => error.constructor === one))
      return undefined;
    throw error;
  }
}
