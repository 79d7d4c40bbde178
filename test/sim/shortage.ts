// Since when a leader must know that no majority of the voters has room (docs/adr/0019): from then on nothing that needs room may be
// written. It looks at what was done to the machines, never at what they say of it.
import type { Machine } from './machine.ts';
import type { SimNetwork } from './network.ts';
import type { Timeline } from './timeline.ts';

export interface ShortageWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  /** Those that vote, by the newest configuration that is committed. */
  readonly voters: () => readonly Machine[];
  readonly leader: () => Machine | undefined;
  /** A change of members is under way, or may be. */
  readonly changing: () => boolean;
}

const LOOK_MS = 50;
/** A node looks at its disk once a second and says so at once, or a second later where a stream broke; and time on the way. */
const KNOWN_MS = 2500;

export class Shortage {
  readonly #world: ShortageWorld;
  #leads = '';
  /** Full voters that the leader hears, by life, and since when that is so. */
  #full = new Map<string, number>();

  constructor(world: ShortageWorld) {
    this.#world = world;
  }

  begin(): void {
    this.#world.timeline.after(LOOK_MS, undefined, 'look who is full', () => {
      this.#look();
      this.begin();
    });
  }

  /** Since when it must be known; undefined where it need not be. */
  get knownSinceMs(): number | undefined {
    const { voters } = this.#world;
    const since = [...this.#full.values()].toSorted((a, b) => a - b);
    const enough = Math.ceil(voters().length / 2);
    const last = since[enough - 1];
    return last === undefined ? undefined : last + KNOWN_MS;
  }

  #look(): void {
    const { timeline, voters, leader, changing } = this.#world;
    const leads = leader();
    const life = leads?.process?.name ?? '';
    if (leads === undefined || life !== this.#leads || !isWell(leads, timeline.nowMs)) {
      this.#leads = life;
      this.#full.clear();
    }
    if (leads === undefined || changing()) return this.#full.clear();
    const known = this.#full;
    this.#full = new Map();
    for (const machine of voters()) {
      const { process, disk } = machine;
      const heard = disk.full && isWell(machine, timeline.nowMs) && this.#connected(machine, leads);
      if (process === undefined || !heard) continue;
      this.#full.set(process.name, known.get(process.name) ?? timeline.nowMs);
    }
  }

  #connected(one: Machine, other: Machine): boolean {
    const { network } = this.#world;
    return [network.path(one.id, other.id), network.path(other.id, one.id)].every(
      ({ cut, slowness }) => one === other || (!cut && slowness === 1),
    );
  }
}

function isWell({ node, process, disk, lost, rotten }: Machine, nowMs: number): boolean {
  if (node === undefined || process === undefined || lost || rotten) return false;
  return process.pausedUntilMs <= nowMs && disk.stalledUntilMs <= nowMs;
}
