// The dialling side over real sockets: how fast a death is noticed, what is no death, and what a bad listener can do.
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { peerService } from '../../src/transport/exchange.ts';
import { encodeFrames, encodeHello } from '../../src/transport/wire.ts';
import { sampleHello } from '../support/peer-frames.ts';
import { startSocketRelay } from './socket-relay.ts';
import { numbered, startEndpoint, until } from './transport-endpoint.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/** A listener that is not ours: it does with each stream what the test wants. */
async function startFakeListener(onStream: (call: Call) => void): Promise<{
  readonly address: string;
  [Symbol.dispose](): void;
}> {
  const server = new Server();
  server.addService(peerService, { exchange: onStream });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => server.forceShutdown() };
}

describe('a dialled stream', () => {
  test('tells within 100 ms that a peer whose port is closed is gone', async () => {
    const delaysMs: number[] = [];
    // The machine may be busy, so the best of some rounds counts: a backoff would delay them all.
    for (let round = 0; round < 5; round++) {
      await using n1 = await startEndpoint('n1');
      const n2 = await startEndpoint('n2');
      n1.dial({ n2: n2.transport.address });
      await until('the stream', () => n1.count('connected n2') === 1);
      const stopped = n2.transport.stop();
      await until('the break', () => n1.count('broken n2') === 1);
      const brokenAt = performance.now();
      await until('the peer to be gone', () => n1.count('gone n2') >= 1);
      delaysMs.push(performance.now() - brokenAt);
      await stopped;
    }
    expect(Math.min(...delaysMs)).toBeLessThan(100);
  });

  test('survives a cut with one broken and one connected at once, and nobody is gone', async () => {
    const limits = { minRedialDelayMs: 60_000, maxRedialDelayMs: 60_000 };
    await using n1 = await startEndpoint('n1', limits);
    await using n2 = await startEndpoint('n2');
    const relay = await startSocketRelay(n2.transport.address);
    n1.dial({ n2: relay.address });
    await until('the stream', () => n1.count('connected n2') === 1);
    relay.cut();
    await until('the next stream', () => n1.count('connected n2') === 2);
    expect(n1.events).toEqual(['connected n2', 'broken n2', 'connected n2']);
    n1.transport.send(sampleHello('n2', 'n2').nodeId, [numbered(5)]);
    await until('a frame', () => n2.received.length === 1);
    await relay.close();
  });

  test('tells after two heartbeats that a dial stays unanswered, and again at the next', async () => {
    const silent = await startSocketRelay(undefined);
    await using n1 = await startEndpoint('n1', { heartbeatMs: 20, dialTimeoutMs: 160 });
    const began = performance.now();
    n1.dial({ n2: silent.address });
    await until('the peer to be gone', () => n1.count('gone n2') === 1);
    expect(performance.now() - began).toBeGreaterThan(38);
    expect(silent.accepted()).toBe(1);
    await until('the next dial', () => n1.count('gone n2') === 2);
    expect(silent.accepted()).toBe(2);
    expect(new Set(n1.events)).toEqual(new Set(['gone n2']));
    await silent.close();
  });

  test('takes the answer of a slow peer after it was called gone', async () => {
    await using n1 = await startEndpoint('n1', { heartbeatMs: 20, dialTimeoutMs: 5000 });
    const calls: Call[] = [];
    using slow = await startFakeListener((call) => void calls.push(call));
    n1.dial({ n2: slow.address });
    await until('the peer to be gone', () => n1.count('gone n2') === 1);
    for (const call of calls) call.write(encodeHello(sampleHello('n2', 'n1')));
    await until('the stream', () => n1.count('connected n2') === 1);
    expect(n1.events).toEqual(['gone n2', 'connected n2']);
  });

  test('ends a link on which no byte passes any more', async () => {
    await using n1 = await startEndpoint('n1', { pingIntervalMs: 300, pingTimeoutMs: 300 });
    await using n2 = await startEndpoint('n2');
    const relay = await startSocketRelay(n2.transport.address);
    n1.dial({ n2: relay.address });
    await until('the stream', () => n1.count('connected n2') === 1);
    relay.stall();
    await until('the next stream', () => n1.count('connected n2') === 2);
    expect(n1.count('broken n2')).toBe(1);
    await relay.close();
  });

  test('retries a name that does not resolve like a refusal', async () => {
    await using n1 = await startEndpoint('n1');
    n1.dial({ n2: 'no-such-host.invalid:7401' });
    await until('two tries', () => n1.count('gone n2') >= 2);
    expect(n1.log.filter(({ msg }) => msg === 'cannot reach peer')).toHaveLength(1);
  });

  test('does not take a peer that is away for long but retries at a bounded pace', async () => {
    await using n1 = await startEndpoint('n1', { minRedialDelayMs: 1, maxRedialDelayMs: 8 });
    n1.dial({ n2: '127.0.0.1:1' });
    const began = performance.now();
    await until('twenty tries', () => n1.count('gone n2') >= 20);
    // After 1, 2 and 4 ms every delay is at least half of 8 ms.
    expect(performance.now() - began).toBeGreaterThan(16 * 4);
    expect(n1.log.filter(({ msg }) => msg === 'cannot reach peer')).toHaveLength(1);
  });

  test('is dialled at once when the peer has just been heard of', async () => {
    const limits = { minRedialDelayMs: 60_000, maxRedialDelayMs: 60_000 };
    await using n1 = await startEndpoint('n1', limits);
    const n2 = await startEndpoint('n2');
    const { address } = n2.transport;
    await n2.transport.stop();
    n1.dial({ n2: address });
    await until('the peer to be gone', () => n1.count('gone n2') === 1);
    await using back = await startEndpoint('n2', {}, undefined, address);
    back.dial({ n1: n1.transport.address });
    await until('the stream', () => n1.count('connected n2') === 1);
    expect(n1.events).toEqual(['gone n2', 'connected n2']);
  });

  test('drops a listener that sends frames, and says so once', async () => {
    await using n1 = await startEndpoint('n1', { minRedialDelayMs: 5 });
    using talker = await startFakeListener((call) => {
      call.on('data', () => {
        call.write(encodeHello(sampleHello('n2', 'n1')));
        for (const frames of encodeFrames([numbered(1)], 1000)) call.write(frames);
      });
    });
    n1.dial({ n2: talker.address });
    await until('two breaks', () => n1.count('broken n2') >= 2);
    expect(n1.received).toEqual([]);
    expect(n1.log.filter(({ msg }) => msg === 'stream to peer broke')).toHaveLength(1);
  });

  test.for<[string, (call: Call) => void]>([
    ['garbage', (call) => call.write(Buffer.from('garbage'))],
    [
      'frames instead of a hello',
      (call) => call.write(Buffer.concat([...encodeFrames([numbered(1)], 1000)])),
    ],
    ['a message over every limit', (call) => call.write(Buffer.alloc(1 << 20))],
    ['an end without a hello', (call) => call.end()],
    ['an error', (call) => call.emit('error', { code: 12, details: 'unknown method' })],
  ])('is no stream when the listener answers with %s', async ([, answer]) => {
    await using n1 = await startEndpoint('n1');
    using listener = await startFakeListener((call) => {
      call.on('error', () => {});
      call.on('data', () => answer(call));
    });
    n1.dial({ n2: listener.address });
    await until('two tries', () => n1.count('gone n2') >= 2);
    expect(new Set(n1.events)).toEqual(new Set(['gone n2']));
    expect(n1.log.filter(({ msg }) => msg === 'cannot reach peer')).toHaveLength(1);
  });

  test('refuses to queue beyond its bytes while the peer does not read', async () => {
    await using n1 = await startEndpoint('n1', { maxQueuedBytes: 3 << 20 });
    using deaf = await startFakeListener((call) => {
      call.once('data', () => {
        call.write(encodeHello(sampleHello('n2', 'n1')));
        call.pause();
      });
    });
    n1.dial({ n2: deaf.address });
    await until('the stream', () => n1.count('connected n2') === 1);
    const peer = sampleHello('n2', 'n2').nodeId;
    const large = {
      kind: 'lastHeartbeatRequest',
      id: 1,
      namespace: 'default',
      instanceId: 'x'.repeat(1 << 20),
    } as const;
    const answers = Array.from({ length: 4 }, () => n1.transport.send(peer, [large]));
    expect(answers).toEqual([true, true, false, false]);
    // What is small still fits: the bound is in bytes.
    expect(n1.transport.send(peer, [numbered(1)])).toBe(true);
  });
});
