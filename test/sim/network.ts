// The network between the nodes: paths with a direction, each with delays of its own, that can be cut, slowed and made to
// lose. What travels are the bytes of the real wire format.
import { present } from '../../src/lib/assert.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Message } from '../../src/raft/index.ts';
import type { SimTransport } from './transport.ts';
import type { Timeline } from './timeline.ts';

export interface NetworkParameters {
  /** One way, in milliseconds: at least this, and exponentially more. */
  readonly minDelayMs: number;
  readonly meanExtraMs: number;
  /** Share of messages that TCP has to send again: they, and what follows on the stream, come this much later. */
  readonly retransmitted: number;
  readonly retransmitMs: number;
  /** Share of consensus messages that vanish, or that come once more and late. Nothing else on a stream ever does. */
  readonly lost: number;
  readonly duplicated: number;
  /** An unanswered ping ends a stream after so long. */
  readonly pingTimeoutMs: number;
}

export interface NetworkCounts {
  lost: number;
  duplicated: number;
  retransmitted: number;
  /** Times that a pair of nodes had two messages in a row sent again: they may have heard nothing for an election timeout. */
  silences: number;
  broken: number;
  /** Snapshots that were gone on with over another stream. */
  resumed: number;
}

interface Path {
  cut: boolean;
  /** Delays are multiplied by this. */
  slowness: number;
}

/** Two of the longest delays of one message, and the time between two heartbeats. */
const IN_A_ROW_MS = 500;

export class SimNetwork {
  readonly timeline: Timeline;
  readonly parameters: NetworkParameters;
  readonly random: Random;
  readonly counts: NetworkCounts = {
    lost: 0,
    duplicated: 0,
    retransmitted: 0,
    silences: 0,
    broken: 0,
    resumed: 0,
  };
  /** Told of every consensus message as it is sent. */
  said: (from: string, to: string, message: Message) => void = () => undefined;
  /** The stream over which each snapshot was asked for last. */
  readonly #pulls = new Map<string, unknown>();
  readonly #listening = new Map<string, SimTransport>();
  /** When a pair last had a message sent again. */
  readonly #late = new Map<string, number>();
  /** Machines without power: nobody there even refuses. */
  readonly #dark = new Set<string>();
  readonly #paths = new Map<string, Path>();

  constructor(timeline: Timeline, parameters: NetworkParameters, random: Random) {
    this.timeline = timeline;
    this.parameters = parameters;
    this.random = random;
  }

  path(from: string, to: string): Path {
    const key = `${from}>${to}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = { cut: false, slowness: 1 };
      this.#paths.set(key, path);
    }
    return path;
  }

  /** Neither way is cut. */
  whole(one: string, other: string): boolean {
    return !this.path(one, other).cut && !this.path(other, one).cut;
  }

  cut(from: string, to: string): void {
    if (this.path(from, to).cut) return;
    this.path(from, to).cut = true;
    for (const transport of this.#listening.values()) transport.pathChanged(from, to);
  }

  mend(from: string, to: string): void {
    if (!this.path(from, to).cut) return;
    this.path(from, to).cut = false;
    for (const transport of this.#listening.values()) transport.pathChanged(from, to);
  }

  healAll(): void {
    for (const [key, path] of this.#paths) {
      path.slowness = 1;
      const [from, to] = key.split('>');
      this.mend(present(from, 'a path has a beginning'), present(to, 'a path has an end'));
    }
  }

  /** How long the next message on this path takes. */
  delayMs(from: string, to: string): number {
    const { minDelayMs, meanExtraMs } = this.parameters;
    const extraMs = -Math.log(1 - this.random.next()) * meanExtraMs;
    return (minDelayMs + extraMs) * this.path(from, to).slowness;
  }

  /** What TCP adds to a message's delay. */
  retransmissionMs(from: string, to: string): number {
    const { counts, parameters, timeline } = this;
    if (!this.happens(parameters.retransmitted)) return 0;
    counts.retransmitted++;
    const pair = [from, to].toSorted().join('-');
    const before = this.#late.get(pair);
    if (before !== undefined && timeline.nowMs - before < IN_A_ROW_MS) counts.silences++;
    this.#late.set(pair, timeline.nowMs);
    return parameters.retransmitMs;
  }

  happens(share: number): boolean {
    return share > 0 && this.random.next() < share;
  }

  join(transport: SimTransport): void {
    this.#listening.set(transport.address, transport);
    this.#dark.delete(transport.address);
    // Its kernel knows nothing of the streams to its former life, and says so.
    for (const other of this.#listening.values()) other.listenerChanged(transport);
  }

  /** The process behind it has ended. `dark`: with its machine, so that no kernel tells the others. */
  leave(transport: SimTransport, dark: boolean): void {
    if (this.#listening.get(transport.address) === transport) {
      this.#listening.delete(transport.address);
      if (dark) this.#dark.add(transport.address);
    }
    for (const other of this.#listening.values()) other.listenerLost(transport, dark);
  }

  /** A chunk of this snapshot is asked for over this stream. */
  pulled(snapshot: string, stream: unknown): void {
    if (snapshot === '') return;
    const before = this.#pulls.get(snapshot);
    if (before !== undefined && before !== stream) this.counts.resumed++;
    this.#pulls.set(snapshot, stream);
  }

  /** Who listens at an address. */
  at(address: string): SimTransport | undefined {
    return this.#listening.get(address);
  }

  isDark(address: string): boolean {
    return this.#dark.has(address);
  }
}
