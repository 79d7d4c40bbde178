// Which paths between nodes are cut. Two faults may cut the same path: it is whole again when the last of them has ended.
import type { ArenaNode } from '../arena/arena.ts';

/** What `from` sends does not arrive at `at`. */
export interface Path {
  readonly from: ArenaNode;
  readonly at: ArenaNode;
}

const keyOf = ({ from, at }: Path): string => `${from.id} ${at.id}`;

/** Both ways between every node of one side and every node of the other. */
export function between(side: readonly ArenaNode[], other: readonly ArenaNode[]): readonly Path[] {
  return side.flatMap((one) =>
    other.flatMap((two) => [
      { from: one, at: two },
      { from: two, at: one },
    ]),
  );
}

export class PathCuts {
  readonly #counts = new Map<string, number>();
  /** One change at a time, so that the rules of a node are those of the last one. */
  #last: Promise<void> = Promise.resolve();

  cut(paths: readonly Path[]): Promise<void> {
    return this.#next(async () => {
      await Promise.all(
        paths.map(async (path) => {
          if (this.#count(path, 1) === 1) await path.at.network.deafen(path.from);
        }),
      );
    });
  }

  mend(paths: readonly Path[]): Promise<void> {
    return this.#next(async () => {
      await Promise.all(
        paths.map(async (path) => {
          if (this.#count(path, -1) === 0) await path.at.network.hear(path.from);
        }),
      );
    });
  }

  #count(path: Path, by: number): number {
    const count = (this.#counts.get(keyOf(path)) ?? 0) + by;
    if (count === 0) this.#counts.delete(keyOf(path));
    else this.#counts.set(keyOf(path), count);
    return count;
  }

  #next(change: () => Promise<void>): Promise<void> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
