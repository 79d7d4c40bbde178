// SIGTERM to one node after the other, the leader last, as in an upgrade: each hands over, finishes and ends with 0.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { pollUntil } from '../../support/poll.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, Broken, type Fault } from './fault.ts';
import { idsOf, revive } from './node-state.ts';

/** What docs/operations.md tells an operator to wait for. */
async function untilCaughtUp(field: Battlefield, node: ArenaNode): Promise<void> {
  const wanted = Number((await (await field.leader()).status()).commit_index);
  await pollUntil(
    async () => {
      const { applied_index: applied, leader_id: leader } = await node.status();
      return leader !== '' && Number(applied) >= wanted;
    },
    { what: `${node.id} to catch up after its restart`, timeoutMs: 30_000, everyMs: 30 },
  );
}

async function restartEach(field: Battlefield, nodes: readonly ArenaNode[]): Promise<string> {
  const times: string[] = [];
  for (const node of nodes) {
    if (field.signal.aborted) break;
    const pid = node.pid;
    const beganAtMs = monotonicMs();
    await node.kill('SIGTERM');
    const { exitCode } = node;
    const tookMs = Math.round(monotonicMs() - beganAtMs);
    await revive(node);
    if (exitCode !== 0) {
      throw new Broken('G15', `${node.id} ended with ${exitCode ?? 'a signal'} after SIGTERM`);
    }
    await untilCaughtUp(field, node);
    times.push(`${node.id} (${pid}) ended with 0 in ${tookMs} ms`);
  }
  return times.join(', ');
}

export const rollingRestart: Fault = {
  kind: 'rollingRestart',
  needs: [],
  alone: true,
  takes: () => 1,
  lastsMs: (random) => random.integer(500, 1500),
  strike: async (field) => {
    const leader = await field.leader();
    const nodes = [...field.free().filter((node) => node !== leader), leader];
    const atMs = monotonicMs();
    const restarted = restartEach(field, nodes);
    restarted.catch(() => undefined);
    return {
      what: `rolling restart: ${idsOf(nodes).join(', ')}`,
      nodes: idsOf(nodes),
      holds: idsOf(nodes),
      atMs,
      gap: undefined,
      heal: () => restarted,
    };
  },
};
