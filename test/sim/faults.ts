// Performs the faults of a plan on the machines and the network.
import type { Coverage } from './coverage.ts';
import { Damage, type DamageWorld, mayLose } from './damage.ts';
import type { FaultAction } from './fault-plan.ts';
import type { Machine } from './machine.ts';
import type { SimNetwork } from './network.ts';
import type { Timeline } from './timeline.ts';

export interface FaultWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly coverage: Coverage;
  /** Those that vote, by the newest configuration that is committed. */
  readonly members: () => readonly Machine[];
  /** An operator's change of members is under way, or may be. */
  readonly operated: () => boolean;
  readonly tell: (what: string) => void;
  /** The machine of that name, or the one that leads now. */
  readonly machine: (name: string) => Machine | undefined;
  /** When the faults end. */
  readonly untilMs: number;
  /** True once the world is healed: what would end a fault is of the past. */
  readonly healed: () => boolean;
}

const kindsOfAll = [
  'crashAll',
  'pauseAll',
  'split',
  'dethrone',
  'breakPull',
  'holdNote',
  'garble',
] as const;
const kindsOfLinks = ['cut', 'flap', 'slowLink', 'reset'] as const;
const kindsOfDisks = [
  'discardState',
  'wipe',
  'flipBit',
  'damageLog',
  'damageState',
  'fullDisk',
  'diskStall',
  'diskError',
] as const;

type Of<Kinds extends readonly string[]> = Extract<FaultAction, { readonly kind: Kinds[number] }>;
type FaultOfAll = Of<typeof kindsOfAll>;
type FaultOfLinks = Of<typeof kindsOfLinks>;
type FaultOfDisk = Of<typeof kindsOfDisks>;
type FaultOfProcess = Exclude<FaultAction, FaultOfAll | FaultOfLinks | FaultOfDisk>;

function isOf<Kinds extends readonly string[]>(
  kinds: Kinds,
  fault: FaultAction,
): fault is Of<Kinds> {
  return kinds.includes(fault.kind);
}

const RESTART_AFTER_ERROR_MS = 500;
const DOWN_AFTER_STALL_MS = 200;
/** What a flipped bit is as a damage. */
const DAMAGE = { how: 'bit', live: false, ageMs: 0 } as const;

export class Faults {
  readonly #world: FaultWorld;
  /** How many faults hold each path cut. */
  readonly #cuts = new Map<string, number>();
  readonly #aimedAtPulls: Extract<FaultAction, { readonly kind: 'breakPull' }>[] = [];

  readonly #aimedAtNotes: Extract<FaultAction, { readonly kind: 'holdNote' }>[] = [];

  readonly #damageWorld: DamageWorld;
  readonly #damage: Damage;

  constructor(world: FaultWorld) {
    this.#world = world;
    this.#damageWorld = {
      ...world,
      later: (delayMs, run) => this.#later(delayMs, run),
      startAfter: (machine, delayMs) => this.#startAfter(machine, delayMs),
    };
    this.#damage = new Damage(this.#damageWorld);
  }

  perform(fault: FaultAction): void {
    if (isOf(kindsOfAll, fault)) return this.#performOnAll(fault);
    const machine = this.#world.machine('node' in fault ? fault.node : fault.from);
    if (machine === undefined) return;
    if (isOf(kindsOfLinks, fault)) this.#performOnLinks(machine, fault);
    else if (isOf(kindsOfDisks, fault)) this.#performOnDisk(machine, fault);
    else this.#performOnProcess(machine, fault);
  }

  #performOnAll(fault: FaultOfAll): void {
    const { coverage, machines } = this.#world;
    switch (fault.kind) {
      case 'crashAll':
        coverage.count(fault.power ? 'powerCuts' : 'crashes');
        for (const machine of machines.values()) this.#down(machine, fault.power, fault.downMs);
        return;
      case 'pauseAll':
        coverage.count('pausesOfAll');
        for (const machine of machines.values()) this.#pause(machine, fault.forMs);
        return;
      case 'split':
        this.#split(fault.side, fault.node, fault.forMs);
        return;
      case 'dethrone':
        this.#dethrone(fault);
        return;
      case 'breakPull':
        this.#aimedAtPulls.push(...Array.from({ length: fault.times }, () => fault));
        return;
      case 'holdNote':
        this.#aimedAtNotes.push(fault);
        return;
      case 'garble':
        for (const { garble } of machines.values()) garble.aim(fault.how, fault.times);
    }
  }

  /** A node begins to pull a snapshot: what was aimed at the next pull strikes. */
  pullBegan(node: string, source: string): void {
    const { machines, coverage } = this.#world;
    const fault = this.#aimedAtPulls.pop();
    const [puller, giver] = [machines.get(node), machines.get(source)];
    if (fault === undefined || puller === undefined || giver === undefined) return;
    this.#later(fault.afterMs, () => {
      coverage.count('pullsBroken');
      if (fault.how === 'reset') puller.transport?.reset(giver.id);
      else this.#down(fault.how === 'crashSource' ? giver : puller, false, DOWN_AFTER_STALL_MS);
    });
  }

  /** A node begins to note that it is a member: for how many milliseconds that hangs. */
  noteBegan(node: string): number {
    const { machines, coverage, timeline, tell, untilMs } = this.#world;
    const machine = machines.get(node);
    const fault = this.#world.healed() ? undefined : this.#aimedAtNotes.shift();
    const process = machine?.process;
    if (fault === undefined || machine === undefined) return 0;
    const { forMs, ends, downMs } = fault;
    coverage.count('notesHeld');
    tell(`${node} cannot note that it is a member for ${forMs} ms, which ends: ${ends}`);
    if (ends !== 'well') {
      this.#later(forMs * 0.8, () => {
        if (machine.process !== process || machine.formed) return;
        if (ends === 'crash') machine.crash(false);
        else {
          machine.beginAnew();
          coverage.count('lossesBeforeNotes');
        }
        this.#startAfter(machine, downMs);
      });
    }
    return Math.max(0, Math.min(forMs, untilMs - timeline.nowMs));
  }

  #performOnProcess(machine: Machine, fault: FaultOfProcess): void {
    const { coverage } = this.#world;
    switch (fault.kind) {
      case 'crash':
        coverage.count(fault.power ? 'powerCuts' : 'crashes');
        if (!fault.inWrite) this.#down(machine, fault.power, fault.downMs);
        else {
          machine.disk.aim(() => {
            if (!this.#world.healed()) this.#down(machine, fault.power, fault.downMs);
          });
        }
        return;
      case 'stop':
        void machine.stop().then(() => this.#startStopped(machine, fault.downMs));
        // One that had not started yet, or that dies while it stops, is started all the same.
        this.#startAfter(machine, fault.downMs + 2500);
        return;
      case 'pause':
        coverage.count('pauses');
        this.#pause(machine, fault.forMs);
        return;
      case 'wallJump':
        machine.clock.wallOffsetMs += fault.byMs;
    }
  }

  #performOnLinks(machine: Machine, fault: FaultOfLinks): void {
    const { network, coverage, machines } = this.#world;
    switch (fault.kind) {
      case 'cut':
        for (const to of fault.to) this.#cut(machine.id, to, fault.bothWays, fault.forMs);
        return;
      case 'flap':
        this.#flap(machine.id, fault.times, fault.everyMs);
        return;
      case 'slowLink': {
        network.path(machine.id, fault.to).slowness = fault.by;
        this.#later(fault.forMs, () => {
          network.path(machine.id, fault.to).slowness = 1;
        });
        return;
      }
      case 'reset':
        coverage.count('resets');
        machine.transport?.reset(machines.get(fault.to)?.id ?? machine.id);
    }
  }

  #performOnDisk(machine: Machine, fault: FaultOfDisk): void {
    const { timeline, coverage } = this.#world;
    switch (fault.kind) {
      case 'discardState':
        // Where the log is whole, the state can be made again; where it is not, this is a loss like any other.
        if (machine.trimmed && !this.#mayLose(machine)) return;
        machine.state.discardAtOpen();
        coverage.count('crashes');
        this.#down(machine, false, fault.downMs);
        return;
      case 'wipe':
        if (!this.#mayLose(machine)) return;
        coverage.count('wipedDisks');
        machine.wipe();
        this.#startAfter(machine, fault.downMs);
        return;
      case 'flipBit':
        return this.#damage.perform(machine, { ...DAMAGE, ...fault, kind: 'damageLog' });
      case 'damageLog':
      case 'damageState':
        return this.#damage.perform(machine, fault);
      case 'fullDisk':
        for (const name of [machine.id, ...(fault.others ?? [])]) {
          this.#fill(this.#world.machine(name), fault.forMs);
        }
        return;
      case 'diskStall':
        coverage.count('diskStalls');
        machine.disk.stalledUntilMs = timeline.nowMs + fault.forMs;
        if (!fault.dies) return;
        this.#later(fault.forMs * 0.8, () => {
          this.#down(machine, false, DOWN_AFTER_STALL_MS);
          machine.disk.stalledUntilMs = 0;
        });
        return;
      case 'diskError':
        coverage.count('diskErrors');
        if (fault.what === 'write') machine.disk.failWrites = 1;
        else if (fault.what === 'read') machine.disk.failReads = 1;
        else machine.state.failWrites = 1;
        this.#startAfter(machine, RESTART_AFTER_ERROR_MS);
    }
  }

  #fill(machine: Machine | undefined, forMs: number): void {
    if (machine === undefined) return;
    this.#world.coverage.count('fullDisks');
    machine.disk.full = true;
    this.#later(forMs, () => {
      machine.disk.makeRoom();
      machine.start();
    });
  }

  #mayLose(machine: Machine): boolean {
    return !machine.returning && mayLose(this.#damageWorld, machine);
  }

  #pause(machine: Machine, forMs: number): void {
    // Healing finds nobody asleep: what a stopped process missed is in line for the moment it goes on.
    machine.pause(Math.min(this.#world.timeline.nowMs + forMs, this.#world.untilMs));
  }

  #split(side: readonly string[], bridge: string, forMs: number): void {
    const joins = this.#world.machine(bridge || 'leader')?.id;
    const all = [...this.#world.machines.keys()].filter((id) => bridge === '' || id !== joins);
    this.#world.coverage.count(bridge === '' ? 'splits' : 'bridges');
    for (const one of all.filter((id) => side.includes(id))) {
      for (const other of all.filter((id) => !side.includes(id))) {
        this.#cut(one, other, true, forMs);
      }
    }
  }

  #dethrone({ how, times, forMs, everyMs }: Extract<FaultAction, { kind: 'dethrone' }>): void {
    const { machines, coverage } = this.#world;
    for (let time = 0; time < times; time++) {
      this.#later(time * everyMs, () => {
        const leader = this.#world.machine('leader');
        if (leader === undefined) return;
        coverage.count('dethronings');
        if (how === 'crash') this.#down(leader, false, forMs);
        else if (how === 'pause') this.#pause(leader, forMs);
        else for (const other of machines.keys()) this.#cut(leader.id, other, true, forMs);
      });
    }
  }

  #down(machine: Machine, power: boolean, downMs: number): void {
    machine.crash(power);
    this.#startAfter(machine, downMs);
  }

  /** A stop that outlasted the faults, as on a full disk: healing found the machine running. */
  #startStopped(machine: Machine, delayMs: number): void {
    if (this.#world.healed()) machine.start();
    else this.#startAfter(machine, delayMs);
  }

  #startAfter(machine: Machine, delayMs: number): void {
    this.#later(delayMs, () => machine.start());
  }

  #later(delayMs: number, run: () => void): void {
    this.#world.timeline.after(delayMs, undefined, 'fault ends', () => {
      if (!this.#world.healed()) run();
    });
  }

  #cut(one: string, other: string, bothWays: boolean, forMs: number): void {
    if (one === other) return;
    this.#world.coverage.count('cuts');
    this.#hold(one, other);
    if (bothWays) this.#hold(other, one);
    this.#later(forMs, () => {
      this.#release(one, other);
      if (bothWays) this.#release(other, one);
    });
  }

  #flap(node: string, times: number, everyMs: number): void {
    const others = [...this.#world.machines.keys()].filter((other) => other !== node);
    for (let time = 0; time < times; time++) {
      this.#later(2 * time * everyMs, () => {
        for (const other of others) this.#cut(node, other, true, everyMs);
      });
    }
  }

  #hold(from: string, to: string): void {
    const path = `${from}>${to}`;
    this.#cuts.set(path, (this.#cuts.get(path) ?? 0) + 1);
    this.#world.network.cut(from, to);
  }

  #release(from: string, to: string): void {
    const path = `${from}>${to}`;
    const left = (this.#cuts.get(path) ?? 1) - 1;
    this.#cuts.set(path, left);
    if (left === 0) this.#world.network.mend(from, to);
  }
}
