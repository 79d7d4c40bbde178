// Carries rounds out: strikes and heals each fault of a round in its time, keeps nodes that one fault holds from another, and
// writes down what was seen.
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../src/lib/random.ts';
import { monotonicMs } from '../support/monotonic-clock.ts';
import type { Arena, ArenaNode } from './arena/arena.ts';
import { findLeader, untilWell } from './cluster-view.ts';
import { faults } from './faults/catalog.ts';
import { type Battlefield, Broken, NoEffect, type Strike } from './faults/fault.ts';
import { PathCuts } from './faults/path-cuts.ts';
import type { PlannedFault, Round } from './schedule.ts';
import type { FaultRecord, Finding } from './verdict/evidence.ts';

export interface BattleOptions {
  readonly arena: Arena;
  readonly herd: (count: number) => Promise<void>;
  readonly excuse: (node: ArenaNode, exitCode: number) => void;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

export class Battle {
  readonly records: FaultRecord[] = [];
  readonly broken: Finding[] = [];
  readonly #options: BattleOptions;
  readonly #cuts = new PathCuts();
  /** Node -> how many faults hold it. */
  readonly #held = new Set<string>();
  readonly #active = new Set<string>();
  /** One strike at a time, so that each knows what the one before it holds. */
  #lastStrike: Promise<unknown> = Promise.resolve();

  constructor(options: BattleOptions) {
    this.#options = options;
  }

  /** In words, what is in effect now. */
  get active(): readonly string[] {
    return [...this.#active];
  }

  /** Strikes, heals, and waits until all nodes are well again; then calm. What goes wrong is in `records` and `broken`. */
  async fight(round: Round): Promise<void> {
    const beganAtMs = monotonicMs();
    const done = await Promise.allSettled(
      round.faults.map((planned) => this.#carryOut(planned, beganAtMs)),
    );
    const { arena, signal } = this.#options;
    await this.#guard('after the round', () => untilWell(arena, signal));
    await this.#pause(round.calmMs);
    for (const outcome of done) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async #carryOut(planned: PlannedFault, beganAtMs: number): Promise<void> {
    const { kind, afterMs, lastsMs } = planned;
    await this.#pause(beganAtMs + afterMs - monotonicMs());
    const striking = this.#lastStrike.then(() => this.#strike(planned));
    this.#lastStrike = striking.catch(() => undefined);
    const strike = await striking;
    if (strike === undefined) return;
    const { what, nodes, holds, atMs, gap } = strike;
    await this.#pause(atMs + lastsMs - monotonicMs());
    let effect: string | undefined;
    await this.#guard(what, async () => {
      effect = await strike.heal();
    });
    for (const id of holds) this.#held.delete(id);
    this.#active.delete(what);
    const healedAtMs = monotonicMs();
    this.records.push({ kind, what, nodes, atMs, healedAtMs, gap, effect });
    const words = effect ?? 'NO EFFECT SEEN';
    this.#options.tell(`${what}, for ${((healedAtMs - atMs) / 1000).toFixed(1)} s: ${words}`);
  }

  async #strike({ kind, seed }: PlannedFault): Promise<Strike | undefined> {
    let strike: Strike | undefined;
    const atMs = monotonicMs();
    await this.#guard(kind, async () => {
      strike = await faults[kind].strike(this.#field(seed));
    });
    if (strike === undefined) {
      const what = `${kind}, which could not be struck`;
      const healedAtMs = monotonicMs();
      const nothing = { nodes: [], gap: undefined, effect: undefined };
      this.records.push({ kind, what, atMs, healedAtMs, ...nothing });
      return undefined;
    }
    for (const id of strike.holds) this.#held.add(id);
    this.#active.add(strike.what);
    return strike;
  }

  /** What the fault found out is kept: that nothing was seen of it, or that a guarantee did not hold. */
  async #guard(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Broken) {
        this.broken.push(findingOf(what, error));
      } else if (error instanceof NoEffect) this.#options.tell(`no effect: ${error.message}`);
      else if (!this.#options.signal.aborted) this.#options.tell(`${what}: ${String(error)}`);
    }
  }

  #field(seed: number): Battlefield {
    const { arena, herd, excuse, signal } = this.#options;
    const free = (): readonly ArenaNode[] =>
      arena.nodes.filter((node) => node.running && !this.#held.has(node.id));
    const leader = (): Promise<ArenaNode> => findLeader(arena);
    return {
      arena,
      random: seededRandom(seed),
      leader,
      free,
      cuts: this.#cuts,
      herd,
      excuse,
      signal,
    };
  }

  /** For so long, or until the run is interrupted. */
  async #pause(forMs: number): Promise<void> {
    if (forMs <= 0) return;
    await delay(forMs, undefined, { signal: this.#options.signal }).catch(() => undefined);
  }
}

export function findingOf(what: string, { guarantee, message, sinceMs }: Broken): Finding {
  const waited = sinceMs === undefined ? {} : { waited: { fromMs: sinceMs, toMs: monotonicMs() } };
  return { guarantee, evidence: `${what}: ${message}`, ...waited };
}
