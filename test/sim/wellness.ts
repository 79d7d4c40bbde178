// Who is well, and since when: through which times a majority was healthy and connected, as G15 means it, and whether a term
// was begun while nobody had a reason to (G16). It looks at what was done to the machines, never at what they say of it.
import type { Violation } from '../checkers/history.ts';
import type { HealthyTime } from '../checkers/availability-checker.ts';
import type { Machine } from './machine.ts';
import type { SimNetwork } from './network.ts';
import type { Timeline } from './timeline.ts';

export interface WellnessWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  /** Those that vote now. */
  readonly voters: () => readonly Machine[];
  readonly highestTerm: () => number;
  /** Times that leadership was handed over because somebody asked for it. */
  readonly handOvers: () => number;
}

interface Group {
  readonly who: readonly string[];
  fromMs: number;
}

const LOOK_MS = 50;
/** Shorter times say nothing. */
const WORTH_MS = 5000;
/** By then a whole and undisturbed cluster has elected, for good. */
const SETTLED_MS = 2500;

export class Wellness {
  readonly violations: Violation[] = [];
  readonly #world: WellnessWorld;
  readonly #healthy: HealthyTime[] = [];
  /** Majorities that are well now, by their names. */
  readonly #groups = new Map<string, Group>();
  #calm: { readonly lives: string; readonly sinceMs: number; term: number | undefined } | undefined;
  #over = false;

  constructor(world: WellnessWorld) {
    this.#world = world;
  }

  begin(): void {
    this.#world.timeline.after(LOOK_MS, undefined, 'look who is well', () => {
      if (this.#over) return;
      this.#look();
      this.begin();
    });
  }

  end(): void {
    this.#over = true;
    for (const key of this.#groups.keys()) this.#close(key);
  }

  healthyTimes(): readonly HealthyTime[] {
    return this.#healthy;
  }

  #look(): void {
    const { timeline } = this.#world;
    const voters = this.#world.voters();
    const well = voters.filter((machine) => isWell(machine, timeline.nowMs));
    const now = new Set<string>();
    for (const group of majorities(well, (voters.length >>> 1) + 1)) {
      if (!this.#connected(group)) continue;
      const who = group.map(({ id }) => id);
      const key = `${livesOf(group)} of ${voters.length}`;
      now.add(key);
      if (!this.#groups.has(key)) this.#groups.set(key, { who, fromMs: timeline.nowMs });
    }
    for (const key of this.#groups.keys()) if (!now.has(key)) this.#close(key);
    const whole = well.length === voters.length && this.#connected(voters);
    const { silences } = this.#world.network.counts;
    const lives = `${livesOf(voters)} after ${this.#world.handOvers()} and ${silences}`;
    this.#watchTerm(whole ? lives : undefined);
  }

  #close(key: string): void {
    const group = this.#groups.get(key);
    this.#groups.delete(key);
    // The last look that found them well.
    const toMs = this.#world.timeline.nowMs - LOOK_MS;
    if (group === undefined || toMs - group.fromMs < WORTH_MS) return;
    this.#healthy.push({ fromMs: group.fromMs, toMs, who: group.who.join(', ') });
  }

  /** A whole cluster in which nothing goes wrong keeps its leader. */
  #watchTerm(lives: string | undefined): void {
    const { timeline, highestTerm } = this.#world;
    if (lives !== this.#calm?.lives) this.#calm = undefined;
    if (lives === undefined) return;
    this.#calm ??= {
      lives,
      sinceMs: timeline.nowMs,
      term: undefined,
    };
    if (timeline.nowMs < this.#calm.sinceMs + SETTLED_MS) return;
    const term = highestTerm();
    this.#calm.term ??= term;
    if (this.#calm.term === term) return;
    const evidence = `term ${term} began at about ${timeline.nowMs.toFixed(0)} ms although nothing was wrong since ${this.#calm.sinceMs.toFixed(0)} ms`;
    this.violations.push({ guarantee: 'G16', evidence });
    this.#calm.term = term;
  }

  #connected(group: readonly Machine[]): boolean {
    const { network } = this.#world;
    return group.every((one) =>
      group.every((other) => {
        const { cut, slowness } = network.path(one.id, other.id);
        return one === other || (!cut && slowness === 1);
      }),
    );
  }
}

/** A machine that was restarted between two looks is another one. */
const livesOf = (group: readonly Machine[]): string =>
  group.map(({ process }) => process?.name ?? '').join('+');

function isWell(machine: Machine, nowMs: number): boolean {
  const { node, process, disk, troubled } = machine;
  if (node === undefined || process === undefined || troubled) return false;
  return process.pausedUntilMs <= nowMs && disk.stalledUntilMs <= nowMs && !disk.full;
}

/** Every group of so many of them. */
function majorities(of: readonly Machine[], count: number): readonly (readonly Machine[])[] {
  if (count === 0) return [[]];
  return of.flatMap((first, at) =>
    majorities(of.slice(at + 1), count - 1).map((rest) => [first, ...rest]),
  );
}
