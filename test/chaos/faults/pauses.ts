// SIGSTOP: a process that holds its sockets and answers nobody, and that wakes up believing what it last knew. Who then finds
// nobody to put it right believes it for longer.
import type { ArenaNode } from '../arena/arena.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { processState } from '../../support/process-state.ts';
import { type Battlefield, type Fault, type Strike, ofAll, ofOne } from './fault.ts';
import { expectEffect, idsOf, leaderSeenBy, takeLeader, viewOf } from './node-state.ts';
import { between } from './path-cuts.ts';

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

/** Sees whether it knows better by itself: that it may not lead, nor answer as who leads. */
async function expectResignation(node: ArenaNode, wokeAtMs: number): Promise<string> {
  let words = '';
  await expectEffect(`${node.id} to give its office up`, 5000, async () => {
    const view = await viewOf(node);
    words = `gave its office up within ${(monotonicMs() - wokeAtMs).toFixed(0)} ms`;
    return view !== undefined && view.role !== 'LEADER';
  });
  return words;
}

async function expectSuccessor(field: Battlefield, node: ArenaNode): Promise<string> {
  let words = '';
  const others = field.arena.nodes.filter((other) => other !== node && other.running);
  await expectEffect(`another leader than ${node.id}`, 10_000, async () => {
    const views = await Promise.all(others.map(viewOf));
    const leader = views.map((view) => view?.leader_id ?? '').find((id) => id !== '');
    words = `led by ${leader ?? 'nobody'} meanwhile`;
    return leader !== undefined && leader !== node.id;
  });
  return words;
}

/** Cut off from the first moment on, so that no word of its successor waits for it. About as long as a lease: who talks to it
 * alone expires elsewhere before it wakes up, or just after. */
export const wakeCutOff: Fault = {
  kind: 'wakeCutOff',
  needs: ['network'],
  ...ofOne,
  lastsMs: (random) => random.integer(1500, 5000),
  strike: async (field) => {
    const node = await takeLeader(field);
    const { pid } = node;
    const paths = between(
      [node],
      field.arena.nodes.filter((other) => other !== node),
    );
    const atMs = monotonicMs();
    node.signal('SIGSTOP');
    await field.cuts.cut(paths);
    return {
      what: `SIGSTOP of ${node.id}, the leader, which wakes up cut off from all others`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: 'pause',
      heal: async () => {
        try {
          await expectEffect(`${node.id} to stand still`, 2000, () => processState(pid) === 'T');
          const meanwhile = await expectSuccessor(field, node);
          const wokeAtMs = monotonicMs();
          node.signal('SIGCONT');
          return `state T; ${meanwhile}; awake and alone it ${await expectResignation(node, wokeAtMs)}`;
        } finally {
          node.signal('SIGCONT');
          await field.cuts.mend(paths);
        }
      },
    };
  },
};
