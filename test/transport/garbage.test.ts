// Peers that speak garbage, again and again, while three nodes talk to each other: each is dropped, a line a minute says so, and the
// frames between the three arrive, all and in order.
import { once } from 'node:events';
import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { nodeId } from '../../src/lib/ids.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { exchange } from '../../src/transport/exchange.ts';
import { encodeHello } from '../../src/transport/wire.ts';
import { sampleHello } from '../support/peer-frames.ts';
import { numbered, startEndpoint, type TransportEndpoint, until } from './transport-endpoint.ts';

const random = seededRandom(11);
const noise = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, () => random.integer(0, 256)));

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const emptySettings = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
/** An HTTP/2 frame: length, type, flags, stream, content. */
function http2Frame(length: number, type: number, stream: number, content: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, content]);
}

/** What goes to the port as it is. */
const rawBytes: readonly (readonly [string, () => Buffer])[] = [
  ['noise', () => noise(2000)],
  ['HTTP/1.1', () => Buffer.from('GET /metrics HTTP/1.1\r\nHost: n1\r\n\r\n')],
  ['the beginning of TLS', () => Buffer.concat([Buffer.of(0x16, 3, 1, 0x02, 0, 1), noise(500)])],
  ['HTTP/2 and then noise', () => Buffer.concat([preface, emptySettings, noise(2000)])],
  [
    'a frame as long as can be',
    () => Buffer.concat([preface, emptySettings, http2Frame(0xffffff, 0, 1, noise(900))]),
  ],
  [
    'headers that are none',
    () => Buffer.concat([preface, emptySettings, http2Frame(300, 1, 1, noise(300))]),
  ],
  ['settings on a stream', () => Buffer.concat([preface, http2Frame(6, 4, 3, noise(6))])],
];

async function sendRaw(address: string, bytes: Buffer): Promise<void> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => {}).resume();
  const closed = once(socket, 'close');
  // Where the node waits for more, as for a frame that never ends, the stranger leaves.
  socket.end(bytes);
  await closed;
}

/** A stream that begins as `before` says, and goes on with noise; resolves when it was ended. */
async function sendStream(address: string, before: readonly Buffer[]): Promise<void> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  const call = client.makeBidiStreamRequest(
    exchange.path,
    exchange.requestSerialize,
    exchange.responseDeserialize,
  );
  let ended = false;
  call.on('data', () => {});
  call.on('error', () => {});
  call.on('status', () => (ended = true));
  for (const message of before) call.write(message);
  call.write(noise(1 + random.integer(0, 3000)));
  await until('the end of the stream', () => ended);
  client.close();
}

interface Mesh {
  readonly ends: readonly TransportEndpoint[];
  /** Every node sends to both others. */
  readonly talk: () => void;
  /** True when everything that was sent has arrived, in order and once. */
  readonly heard: () => boolean;
}

async function connectAll(ends: readonly TransportEndpoint[]): Promise<Mesh> {
  const names = ['n1', 'n2', 'n3'];
  const addresses = Object.fromEntries(
    names.map((name, at) => [name, ends[at]?.transport.address ?? '']),
  );
  for (const [at, end] of ends.entries()) {
    const others = Object.entries(addresses).filter(([name]) => name !== names[at]);
    end.dial(Object.fromEntries(others));
  }
  await until('every stream', () => ends.every(({ events }) => events.length === 2));
  let sent = 0;
  return {
    ends,
    talk: () => {
      for (const [at, end] of ends.entries()) {
        for (const name of names) {
          if (name === names[at]) continue;
          expect(end.transport.send(nodeId(name), [numbered(sent)])).toBe(true);
        }
      }
      sent++;
    },
    heard: () =>
      ends.every(({ received }, at) =>
        names.every((name) => {
          if (name === names[at]) return true;
          const got = received.filter(({ from }) => from === name);
          return (
            got.length === sent && got.every(({ frame }, id) => 'id' in frame && frame.id === id)
          );
        }),
      ),
  };
}

/** Warnings of one event about one peer: at most one, in the minute that the test does not last. */
function expectFewLines({ log }: TransportEndpoint): void {
  const lines = new Map<string, number>();
  for (const { msg, peer, level } of log) {
    if (Number(level) < 40) continue;
    const key = `${msg} ${String(peer)}`;
    lines.set(key, (lines.get(key) ?? 0) + 1);
  }
  expect([...lines].filter(([, count]) => count > 1)).toEqual([]);
}

describe('three nodes that talk', () => {
  test('are not disturbed by strangers who send what is no HTTP/2, or no more than its beginning', async () => {
    await using n1 = await startEndpoint('n1', { helloTimeoutMs: 1000 });
    await using n2 = await startEndpoint('n2');
    await using n3 = await startEndpoint('n3');
    const mesh = await connectAll([n1, n2, n3]);
    for (let round = 0; round < 4; round++) {
      const attacks = rawBytes.map(([, bytes]) => sendRaw(n1.transport.address, bytes()));
      for (let turn = 0; turn < 20; turn++) mesh.talk();
      await Promise.all(attacks);
      await until('every frame', mesh.heard);
    }
    for (const end of mesh.ends) expect(end.events).toHaveLength(2);
    expect(n1.log.some(({ msg }) => msg === 'a connection ended without a hello')).toBe(true);
    expectFewLines(n1);
  });

  test('drop a peer that says its hello and then noise, as often as it comes', async () => {
    await using n1 = await startEndpoint('n1');
    await using n2 = await startEndpoint('n2');
    await using n3 = await startEndpoint('n3');
    const mesh = await connectAll([n1, n2, n3]);
    const hello = encodeHello(sampleHello('n4', 'n1'));
    for (let round = 0; round < 5; round++) {
      const attacks = [[], [hello], [noise(50)], [hello, hello]].map((before) =>
        sendStream(n1.transport.address, before),
      );
      for (let turn = 0; turn < 20; turn++) mesh.talk();
      await Promise.all(attacks);
      await until('every frame', mesh.heard);
    }
    for (const end of mesh.ends) expect(end.events).toHaveLength(2);
    const about = n1.log.filter(({ msg }) => msg === 'peer sent what is no frame');
    expect(new Set(about.map(({ peer }) => peer))).toEqual(new Set(['127.0.0.1', 'n4']));
    expectFewLines(n1);
  });
});
