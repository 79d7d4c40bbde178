// Performs the damage of a plan, where it leaves a majority that has everything: what a quorum has acknowledged may be asked of that
// one only. A node on its way back has nothing left to lose, and may lose that again.
import type { Coverage } from './coverage.ts';
import type { LogDamageAction, StateDamageAction } from './damage-plan.ts';
import { type DamagedDisk, segmentsOf, type Segments } from './log-damage.ts';
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
/** How often it is looked whether a log has gone on. */
const MAX_WAITS = 3;

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

const lastOf = (segments: Segments): string | undefined => [...segments.keys()].at(-1);

const indexOf = ({ state }: OwnedState): number => state.last?.appliedIndex ?? 0;

export class Damage {
  readonly #world: DamageWorld;

  constructor(world: DamageWorld) {
    this.#world = world;
  }

  perform(machine: Machine, action: LogDamageAction | StateDamageAction): void {
    const { later } = this.#world;
    if (action.kind === 'damageLog') return this.#performOnLog(machine, action);
    if (action.how === 'sealed' || action.how === 'otherSealed') return this.#aimAtStages(action);
    const before = machine.state.copy();
    if (action.how !== 'old') this.#damageState(machine, action, before);
    else if (!machine.state.damaged) {
      later(action.ageMs, () => this.#damageState(machine, action, before));
    }
  }

  #performOnLog(machine: Machine, action: LogDamageAction): void {
    const before = segmentsOf(machine.disk.files);
    const { how, live } = action;
    const waits = how === 'old' || how === 'drop';
    if (waits) return this.#onceSealed(machine, action, before, MAX_WAITS);
    if (!live || how === 'zeroSector') return this.#damageLog(machine, action, { before });
    // Where nothing is read again it would be met at a start, as what is damaged while the node is down: so it strikes who reads next.
    const machines = [...this.#world.machines.values()];
    for (const one of machines) {
      one.disk.aimAtRead((place) => {
        for (const { disk } of machines) disk.aimAtRead(undefined);
        this.#damageLog(one, action, { before, place });
      });
    }
  }

  /** Once the log goes on in another segment: one that is as it was, or gone, is then in the middle of what is needed. */
  #onceSealed(machine: Machine, action: LogDamageAction, before: Segments, waits: number): void {
    this.#world.later(action.ageMs, () => {
      const [then, now] = [before, segmentsOf(machine.disk.files)].map(lastOf);
      if (then !== now || waits === 0) this.#damageLog(machine, action, { before });
      else this.#onceSealed(machine, action, before, waits - 1);
    });
  }

  /** At the next snapshot that has come whole, wherever that is. */
  #aimAtStages(action: StateDamageAction): void {
    const machines = [...this.#world.machines.values()];
    for (const machine of machines) {
      machine.state.aim(() => {
        for (const { state } of machines) state.aim(undefined);
        this.#damageStage(machine, action);
      });
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
  #damageStage(machine: Machine, { how, downMs }: StateDamageAction): void {
    const { coverage, startAfter, tell } = this.#world;
    if (this.#world.healed() || !machine.hollow) return;
    machine.crash(false);
    const done = machine.state.damage(how, undefined);
    if (done !== undefined) {
      tell(`${machine.id}: of the snapshot it received ${done}`);
      coverage.count(STATE_COUNTERS[how]);
    }
    startAfter(machine, downMs);
  }

  /** The one that has got furthest: it looks most like a state to go on with. */
  #stateOfAnother(machine: Machine): OwnedState | undefined {
    const others = [...this.#world.machines.values()].filter((one) => one !== machine);
    const states = others.map(({ state }) => state.copy());
    return states.toSorted((one, other) => indexOf(other) - indexOf(one))[0];
  }

  #damageLog(
    machine: Machine,
    { how, live, downMs }: LogDamageAction,
    from: Pick<DamagedDisk, 'before' | 'place'>,
  ): void {
    const { coverage, machines, startAfter, tell } = this.#world;
    if (this.#world.healed() || !mayLose(this.#world, machine)) return;
    // A log that is gone is not told from one that never was before its data-dir belongs to a cluster.
    if (how === 'drop' && !machine.formed) return;
    const others = [...machines.values()].filter((one) => one !== machine);
    const other = new Map(others.flatMap(({ disk }) => [...segmentsOf(disk.files)]));
    if (!live) machine.crash(false);
    const done = machine.damageLog(how, { ...from, other });
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
  otherSealed: 'strangeStages',
  unreadable: 'unreadableStates',
  old: 'oldStates',
  other: 'strangeStates',
} as const;
