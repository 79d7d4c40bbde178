// SIGSTOP: a process that holds its sockets and answers nobody, and that wakes up believing what it last knew.
import type { ArenaNode } from '../arena/arena.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { processState } from '../../support/process-state.ts';
import { type Battlefield, type Fault, type Strike, ofAll, ofOne } from './fault.ts';
import { expectEffect, idsOf, leaderSeenBy, takeLeader } from './node-state.ts';

async function pause(
  field: Battlefield,
  nodes: readonly ArenaNode[],
  what: string,
  gap: Strike['gap'],
): Promise<Strike> {
  const pids = nodes.map((node) => node.pid);
  const before = await leaderSeenBy(nodes[0] ?? (await field.leader()));
  const atMs = monotonicMs();
  for (const node of nodes) node.signal('SIGSTOP');
  const expectState = (wanted: string, stopped: boolean): Promise<void> =>
    expectEffect(wanted, 2000, () => pids.every((pid) => (processState(pid) === 'T') === stopped));
  return {
    what,
    nodes: idsOf(nodes),
    holds: idsOf(nodes),
    atMs,
    gap,
    heal: async () => {
      try {
        await expectState(`${idsOf(nodes).join(', ')} to stand still`, true);
        const witness = field.arena.nodes.find((node) => !nodes.includes(node) && node.running);
        const meanwhile = witness === undefined ? 'nobody awake' : await leaderSeenBy(witness);
        return `state T; led by ${before}, meanwhile ${meanwhile}`;
      } finally {
        for (const node of nodes) node.signal('SIGCONT');
        await expectState(`${idsOf(nodes).join(', ')} to run again`, false);
      }
    },
  };
}

export const pauseLeader: Fault = {
  kind: 'pauseLeader',
  needs: [],
  ...ofOne,
  lastsMs: (random) => random.integer(400, 6000),
  strike: async (field) => {
    const node = await takeLeader(field);
    return pause(field, [node], `SIGSTOP of ${node.id}, the leader`, 'pause');
  },
};

/** Longer than the leases of the clients: none of them may expire for it. */
export const pauseAll: Fault = {
  kind: 'pauseAll',
  needs: [],
  ...ofAll,
  lastsMs: (random) => random.integer(500, 5000),
  strike: (field) => pause(field, field.free(), 'SIGSTOP of all nodes at once', undefined),
};
