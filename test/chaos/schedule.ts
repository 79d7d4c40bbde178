// Which faults strike when: drawn from a seed, in rounds. In a round one, two or three faults overlap as far as they leave a
// majority; then everything is healed and calm for a moment, so that one round explains nothing of the next.
import { assert } from '../../src/lib/assert.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { faults } from './faults/catalog.ts';
import type { FaultKind } from './faults/fault.ts';

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Since the round began. */
  readonly afterMs: number;
  readonly lastsMs: number;
  /** Decides whom it strikes and how. */
  readonly seed: number;
}

export interface Round {
  /** From 1. */
  readonly number: number;
  /** In the order they begin in. */
  readonly faults: readonly PlannedFault[];
  /** Nothing happens for so long afterwards. */
  readonly calmMs: number;
}

export interface ScheduleSettings {
  readonly seed: number;
  readonly nodes: number;
  /** None twice; at least one. */
  readonly kinds: readonly FaultKind[];
}

/** Members change one at a time: two faults that do it would wait for each other. */
const memberChanges: ReadonlySet<FaultKind> = new Set(['wipe', 'rotLog', 'changeMembers']);

/** Whether a fault may strike while the others are in effect. */
export function composes(others: readonly FaultKind[], kind: FaultKind, nodes: number): boolean {
  if (others.length === 0) return true;
  const all = [...others, kind];
  if (others.includes(kind) || all.some((one) => faults[one].alone)) return false;
  if (all.filter((one) => memberChanges.has(one)).length > 1) return false;
  const taken = all.reduce((sum, one) => sum + faults[one].takes(nodes), 0);
  return taken <= Math.floor((nodes - 1) / 2);
}

const mostAtOnce = 3;
/** How often a round takes one fault more, where one is left that composes. */
const oneMore = 0.6;
/** All faults of a round begin within this time, so that they overlap. */
const spreadMs = 1200;

/** Rounds without end. Every kind strikes once before one strikes again. */
export function* rounds({ seed, nodes, kinds }: ScheduleSettings): Generator<Round, never> {
  assert(kinds.length > 0, 'a schedule has faults to draw from');
  const random = seededRandom(seed);
  const deck: FaultKind[] = [];
  for (let number = 1; ; number++) {
    if (deck.length === 0) deck.push(...shuffled(random, kinds));
    const chosen: FaultKind[] = [];
    do {
      const next = deck.findIndex((kind) => composes(chosen, kind, nodes));
      if (next < 0) break;
      chosen.push(...deck.splice(next, 1));
    } while (chosen.length < mostAtOnce && random.next() < oneMore);
    const planned = chosen.map((kind, position) => ({
      kind,
      afterMs: position === 0 ? 0 : random.integer(0, spreadMs),
      lastsMs: faults[kind].lastsMs(random),
      seed: random.integer(1, 2 ** 31),
    }));
    yield {
      number,
      faults: planned.toSorted((one, two) => one.afterMs - two.afterMs),
      calmMs: random.integer(1600, 2400),
    };
  }
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .toSorted((one, two) => one.key - two.key)
    .map(({ item }) => item);
}
