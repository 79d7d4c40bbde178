// Generations of each instance that clients were told: what they name in writes and heartbeats, current or replaced.
import { type Revision, revision } from '../../src/lib/ids.ts';

/** Which generation a write names: none, the newest that is known, or one that was replaced. */
export type NamedGeneration = 'any' | 'current' | 'stale';

/** Only the last two are ever named; older ones that are told late must not pass for newer. */
const KEPT = 4;

export class KnownGenerations {
  readonly #known = new Map<string, readonly Revision[]>();

  learn(instanceId: string, generation: Revision): void {
    const known = this.#known.get(instanceId) ?? [];
    if (known.includes(generation)) return;
    const sorted = [...known, generation].toSorted((a, b) => a - b);
    this.#known.set(instanceId, sorted.slice(-KEPT));
  }

  of(instanceId: string, named: NamedGeneration): Revision {
    const known = this.#known.get(instanceId) ?? [];
    const found = named === 'any' ? undefined : known.at(named === 'current' ? -1 : -2);
    return found ?? revision(0);
  }
}
