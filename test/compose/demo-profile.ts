// The profile `demo`, by the commands of docs/operations.md: three services register themselves, one says goodbye, one falls
// silent, and the watching client tells it all.
import { present } from '../../src/lib/assert.ts';
import { readRunbook } from '../cluster/runbook.ts';
import { pollUntil } from '../support/poll.ts';
import type { Trial } from './trial.ts';

/** The part's one look at the client's log prints all of these. */
const told: readonly (readonly [part: string, expected: readonly RegExp[]])[] = [
  ['start', [1, 2, 3].map((n) => new RegExp(`put +payment/payment-${n} `))],
  ['goodbye', [/remove +payment\/payment-2 {2}\(deregistered\)/]],
  ['silence', [/remove +payment\/payment-3 {2}\(ttl_expired\)/]],
];

export async function playDemo({ cluster, say }: Trial): Promise<void> {
  const book = readRunbook('demo');
  const commands = (part: string): string => present(book.get(part), `demo: ${part}`);
  for (const [part, expected] of told) {
    await cluster.run(commands(part));
    let log = '';
    await pollUntil(
      async () => {
        log = await cluster.run(commands('look'));
        return expected.every((line) => line.test(log));
      },
      {
        what: `the client to tell ${expected.join(', ')}`,
        timeoutMs: 30_000,
        everyMs: 500,
        explain: () => log,
      },
    );
  }
  await cluster.run(commands('stop'));
  say('demo: three services seen by the client, one gone by goodbye, one by silence');
}
