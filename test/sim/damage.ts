// Performs the damage of a plan, where it leaves a majority that has everything: what a quorum has acknowledged may be asked of that
// one only. A node on its way back has nothing left to lose, and may lose that again.
import type { Coverage } from './coverage.ts';
import type { DamageAction, LogDamageAction, StateDamageAction } from './damage-plan.ts';
import { segmentsOf, type Segments } from './log-damage.ts';
import type { Machine } from './machine.ts';
import type { OwnedState } from './state-damage.ts';

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
  /** Nothing is damaged any more. */
  readonly healed: () => boolean;
}

/** Losses in a row that a machine may have before it is back; eight are the end of its patience. */
const MAX_LOSSES = 3;

const isImpaired = ({ lost, rotten, hollow, state }: Machine): boolean =>
  lost || rotten || hollow || state.damaged;

/** A cluster of which nobody has formed has nothing to lose; and one loss more must leave a majority of those who vote,
 * whatever change of members is under way. */
export function mayLose(
  { members, operated, machines }: Pick<DamageWorld, 'members' | 'operated' | 'machines'>,
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

const indexOf = ({ state }: OwnedState): number => state.last?.appliedIndex ?? 0;

export class Damage {
  readonly #world: DamageWorld;

  constructor(world: DamageWorld) {
    this.#world = world;
  }

  perform(machine: Machine, action: DamageAction): void {
    const { later } = this.#world;
    if (action.kind === 'garble') return machine.garble.aim(action.how, action.times);
    const ageMs = action.how === 'old' ? action.ageMs : 0;
    const soon = (run: () => void): void => {
      if (ageMs > 0) later(ageMs, run);
      // Where nothing is read again it would be met at a start, as what is damaged while the node is down.
      else if (action.live && action.how === 'unreadable') machine.disk.aimAtRead(run);
      else run();
    };
    if (action.kind === 'damageLog') {
      const before = segmentsOf(machine.disk.files);
      soon(() => this.#damageLog(machine, action, before));
    } else if (action.how === 'sealed') {
      machine.state.aim(() => this.#damageStage(machine, action));
    } else if (action.how !== 'old' || !machine.state.damaged) {
      const before = machine.state.copy();
      soon(() => this.#damageState(machine, action, before));
    }
  }

  /** A state is made again from the log, or comes from the leader where the log begins behind it; either way it must be the right one. */
  #damageState(
    machine: Machine,
    { how, live, downMs }: StateDamageAction,
    before: OwnedState,
  ): void {
    const { coverage, startAfter, tell } = this.#world;
    if (machine.returning || !mayLose(this.#world, machine)) return;
    // A copy of what it was before it was another data-dir is another node's.
    if (how === 'old' && before.owner !== machine.incarnation) return;
    const from = how === 'other' ? this.#stateOfAnother(machine) : before;
    if (!live) machine.crash(false);
    const done = machine.state.damage(how, from);
    if (done !== undefined) {
      tell(`${machine.id}: ${done}`);
      coverage.count(STATE_COUNTERS[how]);
      if (live) coverage.count('liveDamages');
    }
    if (!live) startAfter(machine, downMs);
  }

  /** Its log begins behind the snapshot that it has just received, so it has no state but that. */
  #damageStage(machine: Machine, { downMs }: StateDamageAction): void {
    const { coverage, startAfter, tell } = this.#world;
    if (this.#world.healed() || !machine.hollow) return;
    machine.crash(false);
    const done = machine.state.damage('sealed', undefined);
    if (done !== undefined) {
      tell(`${machine.id}: of the snapshot it received ${done}`);
      coverage.count(STATE_COUNTERS.sealed);
    }
    startAfter(machine, downMs);
  }

  /** The one that has got furthest: it looks most like a state to go on with. */
  #stateOfAnother(machine: Machine): OwnedState | undefined {
    const others = [...this.#world.machines.values()].filter((one) => one !== machine);
    const states = others.map(({ state }) => state.copy());
    return states.toSorted((one, other) => indexOf(other) - indexOf(one))[0];
  }

  #damageLog(machine: Machine, { how, live, downMs }: LogDamageAction, before: Segments): void {
    const { coverage, machines, startAfter, tell } = this.#world;
    if (this.#world.healed() || !mayLose(this.#world, machine)) return;
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

const STATE_COUNTERS = {
  record: 'damagedRecords',
  loseRecord: 'lostRecords',
  sealed: 'damagedStages',
  unreadable: 'unreadableStates',
  old: 'oldStates',
  other: 'strangeStates',
} as const;
