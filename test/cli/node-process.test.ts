// `npm start` runs `rollcall dev`: a node that died of what the next start repairs is started again, one that needs an operator is not.
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { NodeProcess } from '../../src/cli/dev/node-process.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { pollUntil } from '../support/poll.ts';

let node: NodeProcess | undefined;
afterEach(() => node?.stop(0));

/** A process that ends with this code as soon as it runs; what is heard of it. */
function ending(code: number): readonly (number | undefined)[] {
  const restarts: (number | undefined)[] = [];
  const addresses = { clientAddress: '127.0.0.1:1', peerAddress: '127.0.0.1:2' };
  node = new NodeProcess({
    plan: { name: 'n1', dataDir: '.', ...addresses, arguments: [`process.exit(${code})`] },
    command: [process.execPath, '-e'],
    environment: {},
    log: new PassThrough().resume(),
    events: {
      onReady: () => undefined,
      onDied: (_end, _code, restartMs) => restarts.push(restartMs),
    },
  });
  node.start();
  return restarts;
}

const died = (restarts: readonly unknown[], times: number): Promise<void> =>
  pollUntil(() => restarts.length >= times, { what: `${times} ends`, timeoutMs: 20_000 });

test('a node that found damage while it ran is started again, and the start repairs it', async () => {
  const restarts = ending(EXIT.diskError);
  await died(restarts, 2);
  expect(restarts.slice(0, 2)).toEqual([500, 1000]);
  expect(node?.alive).toBe(true);
});

test.for([EXIT.usage, EXIT.damagedData, EXIT.stateDiffers, EXIT.dataDirRefused])(
  'a node that ended with %i waits for an operator',
  async (code) => {
    const restarts = ending(code);
    await died(restarts, 1);
    expect(restarts).toEqual([undefined]);
    expect(node?.alive).toBe(false);
  },
);
