// The wall clock of one node, moved by the library that was preloaded into its server.
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode, NodeClock } from './arena.ts';
import type { ControlPage } from './control-page.ts';

const nsPerMs = 1e6;
/** 64 bits of nanoseconds end at 292 years; dates before 1970 are not for this. */
const maxShiftMs = 200 * 365 * 24 * 3600 * 1000;

export function createClock(node: ArenaNode, page: ControlPage): NodeClock {
  return {
    shift: (byMs) => {
      const offsetNs = page.read('wallOffsetNs') + byMs * nsPerMs;
      if (!(Math.abs(offsetNs) <= maxShiftMs * nsPerMs)) {
        return Promise.reject(new RangeError(`a clock is moved by 200 years at most: ${byMs} ms`));
      }
      page.write('wallOffsetNs', Math.round(offsetNs));
      return Promise.resolve();
    },
    offsetMs: async () => {
      const readsBefore = page.read('wallReads');
      await pollUntil(
        async () => {
          // Answering a call, a server looks at the clock; an idle one may not.
          if (page.read('wallReads') === readsBefore) await node.status();
          return page.read('wallReads') !== readsBefore;
        },
        { what: `${node.id} to look at its wall clock`, timeoutMs: 5000 },
      );
      return page.read('wallServedOffsetNs') / nsPerMs;
    },
  };
}

/** The host's own clock, which is not ours to move. */
export const fixedClock = (reason: string): NodeClock => ({
  shift: () => Promise.reject(new Error(reason)),
  offsetMs: () => Promise.resolve(0),
});
