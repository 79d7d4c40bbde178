// The streams a server has open, so that a node that stops can end each of them with a word instead of cutting it off.
import { RegistryError } from '../../lib/registry-error.ts';

/** Ends one stream with this error; must not throw, and does nothing for one that has ended. */
export type EndStream = (error: RegistryError) => void;

export class OpenStreams {
  readonly #ends = new Set<EndStream>();
  #stopping = false;

  get count(): number {
    return this.#ends.size;
  }

  /** A stream that opens while the node stops is ended at once. */
  add(end: EndStream): void {
    if (this.#stopping) end(shuttingDown());
    else this.#ends.add(end);
  }

  remove(end: EndStream): void {
    this.#ends.delete(end);
  }

  /** Ends all of them, and every one that comes later. */
  endAll(): void {
    this.#stopping = true;
    for (const end of this.#ends) end(shuttingDown());
    this.#ends.clear();
  }
}

/** What a node that stops says on every stream. */
function shuttingDown(): RegistryError {
  return new RegistryError('shuttingDown', 'this node is stopping: go on at another one');
}
