// A client that begins something at its own pace whether or not what it began before was answered, so that calls which wait
// for a node that is gone do not keep others from finding the next leader.
import type { Random } from '../../../src/lib/random.ts';
import type { OpenWork } from './open-work.ts';

export interface Pace {
  /** Mean pause between two beginnings. */
  readonly pauseMs: number;
  /** Of what it began; at the limit it begins nothing. */
  readonly maxOpen: number;
  readonly random: Random;
}

/** Until there is rest. `begin` may begin nothing. */
export async function keepPace(
  work: OpenWork,
  { pauseMs, maxOpen, random }: Pace,
  begin: () => Promise<unknown> | undefined,
): Promise<void> {
  let open = 0;
  while (!work.resting) {
    await work.pause(2 * pauseMs * random.next());
    if (work.resting || open >= maxOpen) continue;
    const begun = begin();
    if (begun === undefined) continue;
    open++;
    work.start(
      begun.then(() => {
        open--;
      }),
    );
  }
}
