// Every core kept busy by others while registrations go on: how many elections that causes. One is needless unless a
// node really did not run for longer than a leader may be silent, which its log says.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { present } from '../../src/lib/assert.ts';
import { closedLoop } from '../load/closed-loop.ts';
import { openConnection } from '../load/grpc-connection.ts';
import type { Target } from '../targets/target.ts';
import { figure, type Workload } from './workload.ts';

/** A scheduling gap this long excuses an election. */
const excusedGapMs = 150;

/** The longest gap that any node noticed in its own event loop, in ms; 0 where none was logged. */
function longestGap(target: Target): number {
  let longest = 0;
  for (let position = 0; position < target.addresses.length; position++) {
    const file = target.logFile?.(position);
    if (file === undefined) continue;
    for (const [, gap] of readFileSync(file, 'utf8').matchAll(/"gap_ms":(\d+)/g)) {
      longest = Math.max(longest, Number(gap));
    }
  }
  return longest;
}

export const busy: Workload = {
  name: 'busy',
  summary: 'elections while every core is kept busy and registrations go on',
  inFlight: [16],
  ownOnly: true,
  run: async (target, { seconds, inFlight, round }) => {
    const highest = async (): Promise<number> => Math.max(...((await target.terms?.()) ?? [0]));
    const termBefore = await highest();
    const burners = Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    );
    try {
      const connections = target.addresses.map(openConnection);
      const result = await closedLoop({
        inFlight,
        seconds,
        maxOperations: 1_000_000,
        operation: (caller, sequence) =>
          target.register(
            present(connections[caller % connections.length], 'a connection'),
            `busy-${sequence % 50}`,
            `busy-${round}-${sequence % 20_000}`,
          ),
      });
      for (const connection of connections) connection.close();
      const elections = (await highest()) - termBefore;
      const gapMs = longestGap(target);
      const needless = elections > 0 && gapMs <= excusedGapMs;
      return {
        void: needless
          ? `${elections} elections without a gap over ${excusedGapMs} ms`
          : result.operations === 0
            ? 'nothing was registered'
            : undefined,
        figures: [
          figure('elections', elections, '', 'lower'),
          figure('longest gap a node noticed', gapMs, 'ms', 'lower'),
          figure('registrations', result.perSecond, '/s', 'higher'),
          figure('errors', result.errors, '', 'lower'),
          figure('registration p99', result.p99Ms, 'ms', 'lower'),
        ],
      };
    } finally {
      for (const burner of burners) burner.kill('SIGKILL');
    }
  },
};
