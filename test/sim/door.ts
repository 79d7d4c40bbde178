// The way of a client's call to a node and back, as far as a client can tell: it takes time, the node may be down or die
// before it answers, and a client that has waited for long enough stops waiting.
import { deferred } from '../../src/lib/deferred.ts';
import type { Random } from '../../src/lib/random.ts';
import { RegistryError } from '../../src/lib/registry-error.ts';
import type { RegistryNode } from '../../src/node/registry-node.ts';
import type { Machine } from './machine.ts';
import type { Process, Timeline } from './timeline.ts';

export type Reply<T> =
  | { readonly kind: 'value'; readonly value: T }
  /** The node said so. */
  | { readonly kind: 'refused'; readonly error: RegistryError }
  /** No answer: the connection broke, or the client gave up. */
  | { readonly kind: 'lost' };

export interface DoorWorld {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly blame: (guarantee: string, evidence: string) => void;
}

export class Door {
  readonly #world: DoorWorld;

  constructor(world: DoorWorld) {
    this.#world = world;
  }

  delayMs(): number {
    return 0.1 + 2 * this.#world.random.next() ** 4;
  }

  /** Calls the node that runs on the machine. Never rejects. */
  call<T>(
    machine: Machine,
    timeoutMs: number,
    run: (node: RegistryNode, process: Process) => Promise<T>,
  ): Promise<Reply<T>> {
    const { timeline } = this.#world;
    const reply = deferred<Reply<T>>();
    let over = false;
    const end = (outcome: Reply<T>): void => {
      if (over) return;
      over = true;
      cancelTimeout();
      reply.resolve(outcome);
    };
    const cancelTimeout = timeline.after(timeoutMs, undefined, 'client gives up', () =>
      end({ kind: 'lost' }),
    );
    const { process, node } = machine;
    if (process === undefined || node === undefined) {
      timeline.after(this.delayMs(), undefined, 'no connection', () => end({ kind: 'lost' }));
      return reply.promise;
    }
    const answer = (outcome: Reply<T>): void => {
      timeline.after(this.delayMs(), undefined, 'client answer', () => end(outcome));
    };
    timeline.after(this.delayMs(), process, `call ${process.name}`, () => {
      // The client's cancellation arrives together with what it cancels.
      if (over) return;
      run(node, process).then(
        (value) => {
          if (process.alive) answer({ kind: 'value', value });
        },
        (error: unknown) => {
          if (!process.alive) return;
          if (error instanceof RegistryError) answer({ kind: 'refused', error });
          else this.#world.blame('node', `a call ended with ${String(error)}`);
        },
      );
    });
    return reply.promise;
  }
}

/** The error table of the contract: may what was refused with this have happened? */
export const isCertain = (error: RegistryError): boolean => error.code !== 'outcomeUnknown';
