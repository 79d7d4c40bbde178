// One of three gets an empty disk in the place of its own: it is refused, and disturbs nobody, until it is replaced by the runbook of
// docs/operations.md; then it votes. It is the same cluster, so whoever reads and writes notices nothing.
import { mkdirSync } from 'node:fs';
import { pollUntil } from '../support/poll.ts';
import { contentOf, expectThat, LongLivedClient } from './client.ts';
import type { Town } from './town.ts';

const instances = 40;

export async function diskReplaced(town: Town): Promise<string> {
  const client = new LongLivedClient(town.node('n1').clientAddress);
  for (let number = 0; number < instances; number++) {
    await client.registerAnew(`i${number}`, 8000 + number, `before-${number}`);
  }
  const token = (await client.watch('')).at(-1)?.resume_token ?? '';
  await town.lose('n2');
  await startOnEmptyDisk(town);
  await client.registerAnew('meanwhile', 9000, 'meanwhile');
  await town.follow('replace', "on a member's host");
  town.startServer('replace', 'on the new host, the server', 'n2');
  const table = await town.follow('replace', "on a member's host, afterwards");
  expectThat(table.includes('n2'), `n2 is not in the table:\n${table}`);
  await town.expectWhole();
  // Its vote counts, and what it holds is all that was acknowledged: one of the others is gone now.
  await town.node('n3').kill('SIGKILL');
  await town.cluster.waitForLeader(60_000);
  const last = await client.registerAnew('last', 9999, 'last');
  const replaced = new LongLivedClient(town.node('n2').clientAddress);
  replaced.highest = last.revision;
  const [here, there] = [await client.list(), await replaced.list()];
  expectThat(here.instances.length === instances + 2, 'acknowledged writes are missing (G1)');
  expectThat(contentOf(there).join() === contentOf(here).join(), 'n2 holds something else (G12)');
  const [first] = await replaced.watch(token);
  expectThat(first?.reset === false, 'a token was not continued, though the cluster is the same');
  return `${here.instances.length} acknowledged writes, all on the new disk; the token was continued`;
}

/** As an operator may well do first: the node must not take part under the name of the one that was lost (G14). */
async function startOnEmptyDisk(town: Town): Promise<void> {
  const node = town.node('n2');
  mkdirSync(node.dataDir);
  node.start();
  await pollUntil(
    async () => {
      const { problems } = await node.status();
      return problems.some((line) => line.includes('with another data directory'));
    },
    { what: 'n2 to be refused', timeoutMs: 60_000, everyMs: 50 },
  );
  await node.kill('SIGTERM');
  town.empty('n2');
}
