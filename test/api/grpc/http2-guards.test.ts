// What grpc-js and HTTP/2 would do to us by default, and does not: each guard against the server it guards.
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { timeoutMs } from '../../../src/api/grpc/http2-guards.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { pollUntil } from '../../support/poll.ts';
import { call, instance, startWorld } from './door-world.ts';

const nodeLine = Number.parseInt(process.versions.node, 10);

describe('rapid resets', () => {
  const title = '1500 cancelled calls leave a watch on the same connection alone';
  if (nodeLine < 22) {
    test(`${title} - not on Node ${nodeLine}: its http2 has no option for the burst`, async () => {
      await using world = await startWorld();
      expect(world.logged).toContainEqual(
        expect.objectContaining({ event: 'stream_reset_guard', raised: false }),
      );
    });
    return;
  }
  test(title, { timeout: 30_000 }, async () => {
    await using world = await startWorld();
    const client = world.registry();
    const watch = client.watch();
    const messages: WatchResponse__Output[] = [];
    let error: Error | undefined;
    watch.on('data', (message: WatchResponse__Output) => messages.push(message));
    watch.on('error', (failed: Error) => {
      error = failed;
    });
    watch.write({});
    await pollUntil(() => messages.length > 0, { what: 'the state', timeoutMs: 5000 });
    const read = { consistency: 'STALE', min_revision: '1000000' } as const;
    for (let sent = 0; sent < 1500; sent += 100) {
      const calls = Array.from({ length: 100 }, () =>
        client.getInstance({ instance_id: 'p1', read }, () => {}),
      );
      await new Promise((resolve) => setImmediate(resolve));
      await call((done) => client.listServices({}, done));
      for (const waiting of calls) waiting.cancel();
    }
    await call((done) => client.register({ instance: instance() }, done));
    await pollUntil(() => messages.length > 1 || error !== undefined, {
      what: 'the change',
      timeoutMs: 5000,
    });
    expect(error).toBeUndefined();
    expect(messages.at(-1)?.changes).toHaveLength(1);
  });
});

describe('deadlines', () => {
  test.for([
    ['1S', 1000],
    ['5m', 5],
    ['99999999H', 99_999_999 * 3_600_000],
    ['1000u', 1],
    ['2M', 120_000],
  ] as const)('%s is %d ms', ([header, wanted]) => {
    expect(timeoutMs(header)).toBeCloseTo(wanted, 6);
  });
  test.for(['', 'S', '1', '1x', '123456789S', '-1S'])('%j is none', (header) => {
    expect(timeoutMs(header)).toBeNaN();
  });

  test('of 30 days is no overflow: the call is answered', async () => {
    await using world = await startWorld();
    const client = world.registry();
    const deadline = Date.now() + 30 * 24 * 3_600_000;
    await expect(
      call((done) => client.register({ instance: instance() }, { deadline }, done)),
    ).resolves.toMatchObject({ revision: '1' });
  });

  test('of the caller is kept by the node', async () => {
    await using world = await startWorld();
    const client = world.registry();
    const read = { consistency: 'STALE', min_revision: '77' } as const;
    const started = performance.now();
    await expect(
      call((done) =>
        client.getInstance({ instance_id: 'a', read }, { deadline: Date.now() + 400 }, done),
      ),
    ).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('a connection', () => {
  test('has at most as many calls open as the limit; the others wait or are refused', async () => {
    await using world = await startWorld({ limits: { streamsPerConnection: 100 } });
    const session = connect(`http://${world.address}`);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(100);
    session.destroy();
  });

  test('beyond the limit is closed, the others live on (G17)', async () => {
    await using world = await startWorld({ limits: { connections: 10 } });
    const port = Number(world.address.split(':')[1]);
    const sockets = Array.from({ length: 14 }, () => createConnection(port, '127.0.0.1'));
    let closed = 0;
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.on('close', () => {
        closed += 1;
      });
      socket.resume();
    }
    await pollUntil(() => closed === 4, { what: 'four to be closed', timeoutMs: 5000 });
    for (const socket of sockets) socket.destroy();
    await pollUntil(() => closed === 14, { what: 'all to close', timeoutMs: 5000 });
    await expect(call((done) => world.registry().listServices({}, done))).resolves.toBeDefined();
  });
});
