// One node after the other, the leader last: SIGTERM and started again, or exchanged for another release as in an upgrade. Each
// hands over, finishes and ends with 0.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, Broken, type Fault, NoEffect } from './fault.ts';
import { answerOf, idsOf, revive } from './node-state.ts';

/** What docs/operations.md tells an operator to wait for. */
async function untilCaughtUp(field: Battlefield, node: ArenaNode): Promise<void> {
  const wanted = Number((await answerOf(await field.leader())).commit_index);
  await pollUntil(
    async () => {
      const { applied_index: applied, leader_id: leader } = await node.status();
      return leader !== '' && Number(applied) >= wanted;
    },
    { what: `${node.id} to catch up after its restart`, timeoutMs: 30_000, everyMs: 30 },
  );
}

/** Ends a node and starts it again; with its exit code, undefined where a signal ended it, and what was seen besides. */
type Turn = (
  node: ArenaNode,
) => Promise<{ readonly exitCode: number | undefined; readonly seen: string }>;

async function restart(node: ArenaNode): ReturnType<Turn> {
  const { pid } = node;
  const beganAtMs = monotonicMs();
  await node.kill('SIGTERM');
  const { exitCode } = node;
  const tookMs = Math.round(monotonicMs() - beganAtMs);
  await revive(node);
  return { exitCode, seen: `(${pid}) ended with 0 in ${tookMs} ms` };
}

async function upgrade(node: ArenaNode): ReturnType<Turn> {
  const { pid } = node;
  const before = await node.release.name();
  const exitCode = await node.release.exchange();
  await revive(node);
  const after = await node.release.name();
  if (after === before || node.pid === pid) {
    throw new NoEffect(`${node.id} ran ${before} as ${pid}, and now ${after} as ${node.pid}`);
  }
  return { exitCode, seen: `from ${before} to ${after}` };
}

async function turnEach(
  field: Battlefield,
  nodes: readonly ArenaNode[],
  turn: Turn,
): Promise<string> {
  const words: string[] = [];
  for (const node of nodes) {
    if (field.signal.aborted) break;
    const { exitCode, seen } = await turn(node);
    if (exitCode !== 0) {
      throw new Broken('G15', `${node.id} ended with ${exitCode ?? 'a signal'} after SIGTERM`);
    }
    await untilCaughtUp(field, node);
    words.push(`${node.id} ${seen}`);
  }
  return words.join(', ');
}

const rolling = (
  name: string,
  turn: Turn,
): Pick<Fault, 'alone' | 'takes' | 'lastsMs' | 'strike'> => ({
  alone: true,
  takes: () => 1,
  lastsMs: (random) => random.integer(500, 1500),
  strike: async (field) => {
    const leader = await field.leader();
    const nodes = [...field.free().filter((node) => node !== leader), leader];
    const atMs = monotonicMs();
    const turned = turnEach(field, nodes, turn);
    turned.catch(() => undefined);
    return {
      what: `${name}: ${idsOf(nodes).join(', ')}`,
      nodes: idsOf(nodes),
      holds: idsOf(nodes),
      atMs,
      gap: undefined,
      heal: () => turned,
    };
  },
});

export const rollingRestart: Fault = {
  kind: 'rollingRestart',
  needs: [],
  ...rolling('rolling restart', restart),
};

export const rollingUpgrade: Fault = {
  kind: 'rollingUpgrade',
  needs: ['release'],
  ...rolling('rolling upgrade', upgrade),
};
