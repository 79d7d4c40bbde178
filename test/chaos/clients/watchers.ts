// All watchers of a process: opened before its first write, open until the end.
import { seededRandom } from '../../../src/lib/random.ts';
import { pollUntil } from '../../support/poll.ts';
import type { ClientWorld } from './client-world.ts';
import { SERVICES } from './targets.ts';
import { Watcher } from './watcher.ts';

const FIRST_STATE_TIMEOUT_MS = 30_000;

export class Watchers {
  readonly #all: readonly Watcher[];
  /** Readers of everything. */
  readonly #whole: readonly Watcher[];

  /** Every third watcher reads one service alone, and every third stuck one. */
  constructor(world: ClientWorld) {
    const { name, watchers, stuckWatchers, seed } = world.settings;
    const kinds = [
      ...Array.from({ length: watchers }, (_, number) => ({ number, sticks: false })),
      ...Array.from({ length: stuckWatchers }, (_, number) => ({ number, sticks: true })),
    ];
    this.#all = kinds.map(({ number, sticks }, position) => {
      const service = number % 3 === 2 ? SERVICES[position % SERVICES.length] : undefined;
      return new Watcher(world, {
        name: `${name}.${sticks ? 'stuck' : 'watcher'}${number}`,
        random: seededRandom(seed + 104_729 * (position + 1)),
        service,
        sticks,
        first: position,
      });
    });
    this.#whole = this.#all.filter(({ service }) => service === undefined);
  }

  /** Resolves once each has its first state. */
  ready(): Promise<void> {
    return pollUntil(() => this.#all.every(({ revision }) => revision >= 0), {
      what: 'the first state of every watcher',
      timeoutMs: FIRST_STATE_TIMEOUT_MS,
    });
  }

  /** What every reader of everything has been shown; 0 where there is none. */
  get revision(): number {
    return this.#whole.length === 0 ? 0 : Math.min(...this.#whole.map(({ revision }) => revision));
  }

  /** Some reader of everything that holds a whole state. */
  holding(): ReturnType<Watcher['held']> {
    for (const watcher of this.#whole) {
      const held = watcher.held();
      if (held !== undefined) return held;
    }
    return undefined;
  }

  close(): void {
    for (const watcher of this.#all) watcher.close();
  }
}
