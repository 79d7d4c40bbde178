// A member of the former cluster that was believed lost, comes back with its old data and finds the new cluster at the addresses it
// knows: it must be refused, and disturb nobody (docs/adr/0017).
import { pollUntil } from '../support/poll.ts';
import { expectThat } from './client.ts';
import type { Town } from './town.ts';

const quietMs = 2000;

export async function expectFenced(town: Town, id: string, dataDir: string): Promise<void> {
  const leader = await town.cluster.waitForLeader(60_000);
  const before = await leader.status();
  const old = await town.find(id, dataDir);
  await pollUntil(
    async () =>
      (await old.status()).problems.some((line) => line.includes('two different clusters')),
    { what: `${id} to be refused`, timeoutMs: 60_000, everyMs: 50 },
  );
  const untilMs = performance.now() + quietMs;
  while (performance.now() < untilMs) {
    const [itself, now] = await Promise.all([old.status(), leader.status()]);
    expectThat(itself.role !== 'LEADER', `${id} leads with data of the former cluster`);
    expectThat(itself.leader_id === '', `${id} follows ${itself.leader_id}`);
    expectThat(now.term === before.term, `the term went from ${before.term} to ${now.term} (G16)`);
    expectThat(Number(itself.revision) < Number(before.revision), `${id} was brought forward`);
  }
  await old.kill('SIGKILL');
}
