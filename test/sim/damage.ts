// Performs the damage of a plan, where it leaves a majority that has everything: what a quorum has acknowledged may be asked of that
// one only. A node on its way back has nothing left to lose, and may lose that again.
import type { Coverage } from './coverage.ts';
import type { DamageAction } from './damage-plan.ts';
import { segmentsOf } from './log-damage.ts';
import type { Machine } from './machine.ts';

export interface DamageWorld {
  readonly coverage: Coverage;
  readonly machines: ReadonlyMap<string, Machine>;
  /** Those that vote, by the newest configuration that is committed. */
  readonly members: () => readonly Machine[];
  /** An operator's change of members is under way, or may be. */
  readonly operated: () => boolean;
  /** So long afterwards, unless everything is healed by then. */
  readonly later: (delayMs: number, run: () => void) => void;
  readonly startAfter: (machine: Machine, delayMs: number) => void;
  readonly tell: (what: string) => void;
}

/** Losses in a row that a machine may have before it is back; eight are the end of its patience. */
const MAX_LOSSES = 3;

const isImpaired = ({ lost, rotten, hollow }: Machine): boolean => lost || rotten || hollow;

/** A cluster of which nobody has formed has nothing to lose; and one loss more must leave a majority of those who vote,
 * whatever change of members is under way. */
export function mayLose(
  { members, operated, machines }: Omit<DamageWorld, 'coverage' | 'tell'>,
  machine: Machine,
): boolean {
  if (operated()) return false;
  const voters = members();
  const left = voters.filter((one) => one !== machine && !isImpaired(one));
  if (2 * left.length <= voters.length) return false;
  if (machine.returning) return machine.losses < MAX_LOSSES;
  if ([...machines.values()].some(({ returning }) => returning)) return false;
  if (machine.node === undefined || machine.node.status().revision === 0) return false;
  return voters.includes(machine);
}

export class Damage {
  readonly #world: DamageWorld;

  constructor(world: DamageWorld) {
    this.#world = world;
  }

  perform(machine: Machine, action: DamageAction): void {
    const { later } = this.#world;
    const before = segmentsOf(machine.disk.files);
    if (action.how !== 'old') return this.#damageLog(machine, action, before);
    later(action.ageMs, () => this.#damageLog(machine, action, before));
  }

  #damageLog(
    machine: Machine,
    { how, live, downMs }: DamageAction,
    before: ReturnType<typeof segmentsOf>,
  ): void {
    const { coverage, machines, startAfter, tell } = this.#world;
    if (!mayLose(this.#world, machine)) return;
    // A log that is gone is not told from one that never was before its data-dir belongs to a cluster.
    if (how === 'drop' && !machine.formed) return;
    const others = [...machines.values()].filter((one) => one !== machine);
    const other = new Map(others.flatMap(({ disk }) => [...segmentsOf(disk.files)]));
    if (!live) machine.crash(false);
    const done = machine.damageLog(how, { before, other });
    if (done !== undefined) {
      tell(`${machine.id}: ${done}`);
      coverage.count(machine.returning ? 'lossesOnTheWay' : COUNTERS[how]);
      if (live) coverage.count('liveDamages');
    }
    if (!live) startAfter(machine, downMs);
  }
}

const COUNTERS = {
  bit: 'flippedBits',
  zeroSector: 'zeroedSectors',
  truncate: 'truncatedSegments',
  drop: 'droppedSegments',
  old: 'oldSegments',
  other: 'strangeSegments',
  unreadable: 'unreadableSegments',
} as const;
