// What a client remembers between its calls, and what all of them found out about generations.
import type { Random } from '../../src/lib/random.ts';
import { type Revision, revision } from '../../src/lib/ids.ts';
import type { Attempt } from '../checkers/availability-checker.ts';
import type { BeatRecord, KeepRecord, ReadRecord, WriteRecord } from '../checkers/history.ts';
import type { KnownGenerations } from '../support/known-generations.ts';
import type { Coverage } from './coverage.ts';
import type { Door } from './door.ts';
import type { Machine } from './machine.ts';
import type { Timeline } from './timeline.ts';

/** One client's session. */
export class Session {
  readonly name: string;
  /** The highest revision it was shown. */
  seen: Revision = revision(0);

  constructor(name: string) {
    this.name = name;
  }

  saw(at: Revision): void {
    if (at > this.seen) this.seen = at;
  }
}

/** Everything that clients write down. */
export interface Records {
  readonly writes: WriteRecord[];
  readonly reads: ReadRecord[];
  /** The linearizable ones that were begun. */
  readonly readsBegun: Attempt[];
  readonly beats: BeatRecord[];
  readonly keeps: KeepRecord[];
}

export interface ClientWorld {
  readonly timeline: Timeline;
  readonly door: Door;
  readonly coverage: Coverage;
  readonly blame: (guarantee: string, evidence: string) => void;
  readonly machines: () => readonly Machine[];
  /** Who leads, or did last. */
  readonly leader: () => Machine;
  /** Since when what needs room must be refused; undefined where it need not be. */
  readonly shortSinceMs: () => number | undefined;
  readonly generations: KnownGenerations;
  readonly records: Records;
  /** For readable traces. */
  readonly tell: (who: string, what: string) => void;
  /** True once everyone rests: nobody begins anything new. */
  readonly resting: () => boolean;
}

export function anyMachine(world: ClientWorld, random: Random): Machine {
  const machines = world.machines();
  const machine = machines[random.integer(0, machines.length)];
  if (machine === undefined) throw new Error('a world has machines');
  return machine;
}
