// Which instances the clients of all processes write to. A few are fought over by all of them; who they are changes with the
// time, so that the search over one instance's history stays short however long a run is. Every process draws them from the
// clock that all share.
import type { Random } from '../../../src/lib/random.ts';
import { pick } from './pick.ts';

export const SERVICES = ['orders', 'payments'] as const;
/** Never silent for long enough to expire. */
export const LONG_TTL_MS = 3_600_000;
/** The shortest TTL that a server takes by default. */
export const LEASE_TTL_MS = 2000;

const ERA_MS = 10_000;
const CONTENDED = ['c1', 'c2', 'c3'];
const LEASED = ['l1', 'l2', 'l3'];
const BATCHED = ['b1', 'b2', 'b3', 'b4', 'b5', 'b6'];
const OWN = Array.from({ length: 12 }, (_, number) => `p${number}`);
/** Writes to one instance that are open at one time in one process: more would entangle its history. */
const MAX_OPEN = 2;

export const eraAt = (atMs: number): number => Math.floor(atMs / ERA_MS);

export class Targets {
  readonly #own: string;
  readonly #open = new Map<string, number>();

  /** `own` names the process: nobody else writes to some of its instances. */
  constructor(own: string) {
    this.#own = own;
  }

  contended = (random: Random, era: number): string => `${pick(random, CONTENDED)}.${era}`;
  leased = (random: Random, era: number): string => `${pick(random, LEASED)}.${era}`;
  own = (random: Random, era: number): string => `${pick(random, OWN)}.${this.#own}.${era}`;

  batch(random: Random, era: number): readonly string[] {
    const left = [...BATCHED];
    return Array.from({ length: random.integer(2, 5) }, () =>
      left.splice(random.integer(0, left.length), 1),
    ).flatMap((ids) => ids.map((id) => `${id}.${era}`));
  }

  any(random: Random, era: number): string {
    const draw = pick(random, [this.contended, this.leased, this.own]);
    return random.next() < 0.25 ? `${pick(random, BATCHED)}.${era}` : draw(random, era);
  }

  /** Those of an era that do not go away by themselves and that this process answers for. */
  leftovers(era: number): readonly string[] {
    const shared = [...CONTENDED, ...BATCHED].map((id) => `${id}.${era}`);
    return [...shared, ...OWN.map((id) => `${id}.${this.#own}.${era}`)];
  }

  /** False while too many writes to one of them are open. */
  claim(ids: readonly string[]): boolean {
    if (ids.some((id) => (this.#open.get(id) ?? 0) >= MAX_OPEN)) return false;
    for (const id of ids) this.#open.set(id, (this.#open.get(id) ?? 0) + 1);
    return true;
  }

  release(ids: readonly string[]): void {
    for (const id of ids) {
      const left = (this.#open.get(id) ?? 0) - 1;
      if (left > 0) this.#open.set(id, left);
      else this.#open.delete(id);
    }
  }
}
