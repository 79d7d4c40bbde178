// The volume of a node is lost: replaced by the commands of docs/operations.md, its service the same as before.
import { present } from '../../src/lib/assert.ts';
import { finalList } from '../cluster/final-list.ts';
import { containerCommands } from './first-start.ts';
import type { Trial } from './trial.ts';

const incarnationIn = (table: string): string =>
  present(/^n2 .* yes +([0-9a-f]{32})/m.exec(table)?.[1], `n2 votes in\n${table}`);

export async function replaceLostVolume({ cluster, say }: Trial): Promise<void> {
  const lost = present(cluster.nodes[1], 'n2');
  const beganMs = performance.now();
  const old = await cluster.run(containerCommands('members'));
  await cluster.compose('rm', '-sf', lost.id);
  await cluster.docker('volume', 'rm', `${cluster.project}_${lost.id}-data`);
  for (const part of ['take out the lost one', 'join anew', 'back in its place']) {
    await cluster.run(containerCommands(part));
  }
  const now = await cluster.run(containerCommands('members'));
  if (incarnationIn(old) === incarnationIn(now)) throw new Error('void: n2 is who it was');
  await cluster.waitForEqualHashes();
  const [first, second] = await Promise.all(
    [0, 1].map((n) => finalList(`n${n + 1}`, present(cluster.endpoints[n], 'three'))),
  );
  if (first?.instances.size !== second?.instances.size) throw new Error('n2 lists something else');
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  say(`a lost volume replaced in ${seconds} s; n2 has ${second?.instances.size} instances again`);
}
