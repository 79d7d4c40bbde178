// How many watches a connection has. A connection is known by its remote address and port, which no two have at once.
import { RegistryError } from '../../lib/registry-error.ts';

export class ConnectionWatches {
  readonly #limit: number;
  readonly #byPeer = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** One more for this connection; the result takes it back, once. Throws resourceExhausted at the limit. */
  admit(peer: string): () => void {
    const open = this.#byPeer.get(peer) ?? 0;
    if (open >= this.#limit) {
      throw new RegistryError(
        'resourceExhausted',
        `watches per connection, limit ${this.#limit}: use another connection`,
        { retryAfterMs: RETRY_MS },
      );
    }
    this.#byPeer.set(peer, open + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(peer);
    };
  }

  #release(peer: string): void {
    const left = (this.#byPeer.get(peer) ?? 1) - 1;
    if (left > 0) this.#byPeer.set(peer, left);
    else this.#byPeer.delete(peer);
  }
}

/** A watch of the connection has to end first. */
const RETRY_MS = 5000;
