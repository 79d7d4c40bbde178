// Two of three nodes are lost for good: the third goes on, with every acknowledged write that it has, as another cluster.
import { pollUntil } from '../support/poll.ts';
import { contentOf, expectThat, failureOf, LongLivedClient } from './client.ts';
import { expectFenced } from './former-member.ts';
import type { Town } from './town.ts';

const instances = 40;

export async function majorityLost(town: Town): Promise<string> {
  const survivor = town.node('n1');
  const client = new LongLivedClient(survivor.clientAddress);
  for (let number = 0; number < instances; number++) {
    await client.registerAnew(`i${number}`, 8000 + number, `before-${number}`);
  }
  await town.cluster.waitForEqualHashes(town.cluster.nodes, 60_000);
  const before = contentOf(await client.list());
  const token = (await client.watch('')).at(-1)?.resume_token ?? '';
  const elsewhere = await town.lose('n2');
  await town.lose('n3');
  // A leader that has not noticed yet would take the write, and could not say what became of it.
  await pollUntil(async () => (await survivor.status()).leader_id === '', {
    what: 'n1 to know of no leader',
    timeoutMs: 60_000,
    everyMs: 50,
  });
  const refusal = await failureOf(client.register('none', 1, 'none'));
  expectThat(refusal.startsWith('no_quorum'), `without a majority a write got: ${refusal}`);
  await survivor.kill('SIGTERM');
  const sound = await town.follow('check', 'on the host of n1');
  expectThat(sound.includes('is sound'), `the survivor is not sound:\n${sound}`);
  const told = await town.follow('recover', 'on the host of n1', { typed: 'n1' });
  expectThat(told.includes('the only member of a new cluster'), `recover said:\n${told}`);
  town.startServer('recover', 'on the host of n1, the server', 'n1');
  await town.completeCluster();
  const after = await client.list();
  expectThat(contentOf(after).join() === before.join(), 'acknowledged writes are missing (G1)');
  expectThat(Number(after.revision) > client.highest, 'the revisions did not leap');
  const [first] = await client.watch(token);
  expectThat(first?.reset === true, 'a token of the former cluster was continued');
  await expectFenced(town, 'n2', elsewhere);
  await client.registerAnew('last', 9999, 'last');
  return `${instances} acknowledged writes, all there`;
}
