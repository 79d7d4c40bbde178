// Which paths between nodes are cut. Two faults may cut the same path: it is whole again when the last of them has ended.
import type { ArenaNode } from '../arena/arena.ts';

/** All that a cut needs of a node. */
export interface Listener<Node> {
  readonly id: string;
  readonly network: {
    readonly deafen: (from: Node) => Promise<void>;
    readonly hear: (from: Node) => Promise<void>;
  };
}

/** What `from` sends does not arrive at `at`. */
export interface Path<Node = ArenaNode> {
  readonly from: Node;
  readonly at: Node;
}

/** Both ways between every node of one side and every node of the other. */
export function between<Node>(
  side: readonly Node[],
  other: readonly Node[],
): readonly Path<Node>[] {
  return side.flatMap((one) =>
    other.flatMap((two) => [
      { from: one, at: two },
      { from: two, at: one },
    ]),
  );
}

export class PathCuts<Node extends Listener<Node> = ArenaNode> {
  readonly #counts = new Map<string, number>();
  /** One change at a time, so that the rules of a node are those of the last one. */
  #last: Promise<void> = Promise.resolve();

  cut(paths: readonly Path<Node>[]): Promise<void> {
    return this.#next(async () => {
      await Promise.all(
        paths.map(async (path) => {
          if (this.#count(path, 1) === 1) await path.at.network.deafen(path.from);
        }),
      );
    });
  }

  mend(paths: readonly Path<Node>[]): Promise<void> {
    return this.#next(async () => {
      await Promise.all(
        paths.map(async (path) => {
          if (this.#count(path, -1) === 0) await path.at.network.hear(path.from);
        }),
      );
    });
  }

  #count({ from, at }: Path<Node>, by: number): number {
    const path = `${from.id} ${at.id}`;
    const count = (this.#counts.get(path) ?? 0) + by;
    if (count === 0) this.#counts.delete(path);
    else this.#counts.set(path, count);
    return count;
  }

  #next(change: () => Promise<void>): Promise<void> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
