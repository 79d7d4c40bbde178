// How an empty node gets into a cluster that exists: it asks to be added until it is, keeps streams to the members it was
// told of, and lets the leader fill its log. Asking again is harmless, because the same data-dir is added once; so a start in
// the middle of it all does the same from the beginning.
import type { MemberIdentity } from './peer-protocol.ts';
import type { Clock } from './ports.ts';
import type { NodeOptions } from './registry-node.ts';

export interface JoiningOptions {
  readonly self: MemberIdentity;
  readonly join: NonNullable<NodeOptions['join']>;
  readonly clock: Clock;
  readonly log: NodeOptions['log'];
  /** The members of the cluster, this node among them. */
  readonly added: (members: readonly MemberIdentity[]) => void;
}

const RETRY_MS = 1000;

export class Joining {
  readonly #options: JoiningOptions;
  #added = false;
  #failure = '';
  #cancel = (): void => undefined;
  #stopped = false;

  constructor(options: JoiningOptions) {
    this.#options = options;
  }

  /** What is awaited, in plain words. */
  get problem(): string {
    if (this.#added)
      return 'this node was added as a learner and waits for the leader to send it the log';
    const asks = 'this node asks the cluster to add it as a learner';
    return this.#failure === '' ? asks : `${asks}, and was refused: ${this.#failure}`;
  }

  ask(): void {
    if (this.#stopped) return;
    const { join, self, added, log, clock } = this.#options;
    join(self).then(
      (members) => {
        if (this.#stopped) return;
        log.info({ event: 'joined', members: members.map(({ nodeId }) => nodeId) });
        this.#added = true;
        added(members);
      },
      (error: unknown) => {
        if (this.#stopped) return;
        const message = error instanceof Error ? error.message : String(error);
        if (message !== this.#failure) log.warn({ event: 'join_refused', detail: message });
        this.#failure = message;
        this.#cancel = clock.after(RETRY_MS, () => this.ask());
      },
    );
  }

  /** The log says that this node is a member, or the node ends. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }
}
