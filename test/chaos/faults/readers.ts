// A herd: as after an outage of a network, many readers come at once, each with the token of what it has seen last.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { Fault } from './fault.ts';

export const herd: Fault = {
  kind: 'herd',
  needs: [],
  alone: false,
  takes: () => 0,
  lastsMs: (random) => random.integer(200, 1000),
  strike: async (field) => {
    const count = field.random.integer(50, 200);
    const atMs = monotonicMs();
    let tookMs = 0;
    const answered = field.herd(count).then(() => {
      tookMs = monotonicMs() - atMs;
    });
    answered.catch(() => undefined);
    return {
      what: `${count} readers connect at once`,
      nodes: [],
      holds: [],
      atMs,
      gap: undefined,
      heal: async () => {
        await answered;
        return `all ${count} were answered within ${tookMs.toFixed(0)} ms`;
      },
    };
  },
};
