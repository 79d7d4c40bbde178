// Leadership handed over by command, as an operator does it.
import type { ExecException } from 'node:child_process';
import { pollUntil } from '../support/poll.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { runCommands } from './runbook.ts';

/** Repeats the command while the hand-over does not succeed in its time, as on a machine that has much else to do. */
export async function untilLeads(
  cluster: ProcessCluster,
  command: string,
  wanted: (leader: ProcessNode) => boolean,
): Promise<void> {
  await pollUntil(
    async () => {
      const refusal = await runCommands(command, cluster.endpoints).then(
        () => '',
        (error: ExecException) => (error.stderr ?? '').trim(),
      );
      if (refusal !== '' && !refusal.includes('in time')) throw new Error(refusal);
      return wanted(await cluster.waitForLeader());
    },
    { what: `another leader after "${command.trim()}"`, timeoutMs: 30_000 },
  );
}
