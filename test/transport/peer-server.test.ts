// The listening side over real sockets: strangers, garbage, replaced streams, limits, and a prompt end.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, type ClientDuplexStream, credentials, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { exchange } from '../../src/transport/exchange.ts';
import {
  decodeMessage,
  encodeFrames,
  encodeHello,
  type Payload,
} from '../../src/transport/wire.ts';
import { sampleHello } from '../support/peer-frames.ts';
import { numbered, startEndpoint, type TransportEndpoint, until } from './transport-endpoint.ts';

interface Dialler extends Disposable {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly heard: Payload[];
  /** Status codes of the end of the stream. */
  readonly ended: number[];
}

/** A dialler that is not ours: it says only what the test wants. */
function dialRaw(address: string): Dialler {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  const call = client.makeBidiStreamRequest(
    exchange.path,
    exchange.requestSerialize,
    exchange.responseDeserialize,
  );
  const heard: Payload[] = [];
  const ended: number[] = [];
  call.on('data', (message: Buffer) => heard.push(...decodeMessage(message)));
  call.on('error', () => {});
  call.on('status', ({ code }) => ended.push(code));
  return { call, heard, ended, [Symbol.dispose]: () => client.close() };
}

const hello = (from: string, to: string): Buffer => encodeHello(sampleHello(from, to));
const frame = (id: number): Buffer => Buffer.concat([...encodeFrames([numbered(id)], 1000)]);
const ids = (endpoint: TransportEndpoint): number[] =>
  endpoint.received.map(({ frame: received }) => ('id' in received ? received.id : -1));

describe('an inbound stream', () => {
  test('is answered with a hello and then with nothing', async () => {
    await using n2 = await startEndpoint('n2');
    using n1 = dialRaw(n2.transport.address);
    n1.call.write(hello('n1', 'n2'));
    n1.call.write(frame(1));
    await until('the frame', () => n2.received.length === 1);
    expect(n1.heard).toEqual([{ kind: 'hello', hello: sampleHello('n2', 'n1') }]);
    expect(n2.received[0]?.from).toBe('n1');
  });

  test('of a refused peer ends with the refusal, and its frames count for nothing', async () => {
    const refusal = { reason: 'notAMember', message: 'n1 is no member: add it.' } as const;
    await using n2 = await startEndpoint('n2', {}, () => refusal);
    using n1 = dialRaw(n2.transport.address);
    n1.call.write(hello('n1', 'n2'));
    n1.call.write(frame(1));
    await until('the end', () => n1.ended.length === 1);
    expect(n1.heard).toEqual([{ kind: 'refusal', refusal }]);
    expect(n2.received).toEqual([]);
  });

  test('meant for another node is refused without asking the node', async () => {
    await using n2 = await startEndpoint('n2');
    using n1 = dialRaw(n2.transport.address);
    n1.call.write(hello('n1', 'n3'));
    await until('the refusal', () => n1.heard.length === 1);
    const [answer] = n1.heard;
    expect(answer?.kind === 'refusal' && answer.refusal.reason).toBe('wrongTarget');
  });

  test('replaces the older one of the same peer, whose later frames count for nothing', async () => {
    await using n2 = await startEndpoint('n2');
    using older = dialRaw(n2.transport.address);
    older.call.write(hello('n1', 'n2'));
    older.call.write(frame(1));
    await until('its frame', () => n2.received.length === 1);
    using newer = dialRaw(n2.transport.address);
    newer.call.write(hello('n1', 'n2'));
    newer.call.write(frame(2));
    older.call.write(frame(3));
    await until('the end of the older', () => older.ended.length === 1);
    newer.call.write(frame(4));
    await until('the last frame', () => ids(n2).includes(4));
    // Frame 3 may come before the newer hello, never after it.
    expect([
      [1, 2, 4],
      [1, 3, 2, 4],
    ]).toContainEqual(ids(n2));
    expect(older.ended).not.toEqual([status.OK]);
  });

  test.for<[string, readonly Buffer[]]>([
    ['a frame before the hello', [frame(1)]],
    ['garbage before the hello', [Buffer.from('garbage')]],
    ['two hellos in one message', [Buffer.concat([hello('n1', 'n2'), hello('n1', 'n2')])]],
    [
      'a hello over its limit',
      [encodeHello({ ...sampleHello('n1', 'n2'), clusterId: 'x'.repeat(20_000) })],
    ],
    ['garbage after the hello', [hello('n1', 'n2'), Buffer.from([0x0a, 0x01, 0xc1])]],
    ['a second hello', [hello('n1', 'n2'), hello('n1', 'n2')]],
    ['a message over the limit', [hello('n1', 'n2'), Buffer.alloc(5 << 20)]],
  ])('is dropped for %s, and harms no other', async ([, messages]) => {
    await using n2 = await startEndpoint('n2');
    await using n3 = await startEndpoint('n3');
    n3.dial({ n2: n2.transport.address });
    await until('a good stream', () => n3.count('connected n2') === 1);
    for (let attempt = 0; attempt < 3; attempt++) {
      using bad = dialRaw(n2.transport.address);
      for (const message of messages) bad.call.write(message);
      await until('the end', () => bad.ended.length === 1);
      expect(bad.ended).not.toEqual([status.OK]);
    }
    n3.transport.send(sampleHello('n2', 'n2').nodeId, [numbered(9)]);
    await until('the frame of the good one', () => ids(n2).includes(9));
    expect(n3.events).toEqual(['connected n2']);
    expect(n2.received).toHaveLength(1);
    expect(n2.log.filter(({ msg }) => msg === 'peer sent what is no frame').length).toBeLessThan(2);
  });

  test('is out of reach for junk on the socket and for other HTTP/2 requests', async () => {
    await using n2 = await startEndpoint('n2');
    const [host = '', port = ''] = n2.transport.address.split(':');
    const junk = connect(Number(port), host);
    junk.on('error', () => {}).resume();
    junk.write('GET / HTTP/1.1\r\n\r\n');
    await once(junk, 'close');
    const session = connectHttp2(`http://${n2.transport.address}`);
    session.on('error', () => {});
    const request = session.request({ ':path': '/', ':method': 'POST' });
    request.on('error', () => {});
    request.end('not grpc');
    await once(request, 'close');
    session.destroy();
    using n1 = dialRaw(n2.transport.address);
    n1.call.write(hello('n1', 'n2'));
    await until('an answer to a good hello', () => n1.heard.length === 1);
  });

  test('that says no hello in time loses its connection, with or without HTTP/2', async () => {
    await using n2 = await startEndpoint('n2', { helloTimeoutMs: 500 });
    const [host = '', port = ''] = n2.transport.address.split(':');
    const mute = connect(Number(port), host).resume();
    const closed = once(mute, 'close');
    using n1 = dialRaw(n2.transport.address);
    await until('the end', () => n1.ended.length === 1);
    await closed;
    using good = dialRaw(n2.transport.address);
    good.call.write(hello('n1', 'n2'));
    await until('the hello', () => good.heard.length === 1);
    good.call.write(frame(1));
    await until('the frame', () => n2.received.length === 1);
    expect(good.ended).toEqual([]);
  });

  test('pushes out the oldest of too many connections without a hello, never an admitted one', async () => {
    await using n2 = await startEndpoint('n2', { maxPendingHellos: 3 });
    using admitted = dialRaw(n2.transport.address);
    admitted.call.write(hello('n1', 'n2'));
    await until('the hello', () => admitted.heard.length === 1);
    const [host = '', port = ''] = n2.transport.address.split(':');
    let closed = 0;
    const mutes = Array.from({ length: 20 }, () => {
      const socket = connect(Number(port), host);
      socket.on('error', () => {}).resume();
      return socket.on('close', () => (closed += 1));
    });
    await until('all but three to be closed', () => closed === 17);
    using late = dialRaw(n2.transport.address);
    late.call.write(hello('n3', 'n2'));
    await until('its hello', () => late.heard.length === 1);
    expect(admitted.ended).toEqual([]);
    for (const socket of mutes) socket.destroy();
  });
});

describe('a transport', () => {
  test('says which address it cannot listen on', async () => {
    await using n1 = await startEndpoint('n1');
    await expect(startEndpoint('n2', {}, undefined, n1.transport.address)).rejects.toThrow(
      `cannot listen for peers on ${n1.transport.address}: `,
    );
  });

  test('stops promptly with streams open in both directions, and frees its port', async () => {
    await using n1 = await startEndpoint('n1');
    const n2 = await startEndpoint('n2');
    n1.dial({ n2: n2.transport.address });
    n2.dial({ n1: n1.transport.address });
    await until('both', () => n1.count('connected n2') + n2.count('connected n1') === 2);
    using stranger = dialRaw(n2.transport.address);
    const began = performance.now();
    await n2.transport.stop();
    expect(performance.now() - began).toBeLessThan(500);
    await until('the stranger to be dropped', () => stranger.ended.length === 1);
    await using again = await startEndpoint('n2', {}, undefined, n2.transport.address);
    expect(again.transport.address).toBe(n2.transport.address);
  });

  test('delivers what it took before it was stopped', async () => {
    await using n2 = await startEndpoint('n2');
    const n1 = await startEndpoint('n1');
    n1.dial({ n2: n2.transport.address });
    await until('the stream', () => n1.count('connected n2') === 1);
    const peer = sampleHello('n2', 'n2').nodeId;
    const wanted = Array.from({ length: 1000 }, (_, id) => id);
    for (const id of wanted) expect(n1.transport.send(peer, [numbered(id)])).toBe(true);
    await n1.transport.stop();
    await until('all', () => n2.received.length === wanted.length);
    expect(ids(n2)).toEqual(wanted);
  });
});
