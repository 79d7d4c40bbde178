// The bytes that peers exchange: pinned by golden vectors, equal after a round trip, and harmless when garbled.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/lib/assert.ts';
import { logIndex, term } from '../../src/lib/ids.ts';
import {
  NEWEST_FRAME,
  type PeerFrame,
  type Refusal,
  type RefusalReason,
} from '../../src/node/peer-protocol.ts';
import { WireError } from '../../src/transport/msgpack.ts';
import {
  decodeMessage,
  encodeFrames,
  encodeHello,
  encodeRefusal,
} from '../../src/transport/wire.ts';
import { sampleFrames, sampleHello } from '../support/peer-frames.ts';
import { peerFrame } from './frame-arbitraries.ts';

const MAX_BYTES = 4 << 20;
const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL('golden/payloads.json', import.meta.url)), 'utf8'),
) as Readonly<Record<string, string>>;

const encodeOne = (frame: PeerFrame): Buffer => {
  const [message, ...more] = encodeFrames([frame], MAX_BYTES);
  if (message === undefined || more.length > 0) throw new Error('one frame makes one message');
  return message;
};
const reasons: readonly RefusalReason[] = [
  'protocolVersion',
  'otherCluster',
  'wrongTarget',
  'notAMember',
  'otherIncarnation',
  'removed',
];
const refusalFor = (reason: RefusalReason): Refusal => ({ reason, message: `because: ${reason}` });

const laterHello = { ...sampleHello('n1', 'n2'), configurationIndex: logIndex(4711) };
const latestHello = { ...laterHello, lastTerm: term(12) };
const lostHello = { ...sampleHello('n1', 'n2'), replaces: ['f'.repeat(32), 'e'.repeat(32)] };
/** As an empty node sends it. */
const knowingHello = { ...sampleHello('n1', 'n2'), newestFrame: 13 };

/** Every sample under a name of its own, with its bytes. */
const samples = new Map<string, Buffer>([
  ['hello', encodeHello(sampleHello('n1', 'n2'))],
  ['hello with configuration index', encodeHello(laterHello)],
  ['hello with last term', encodeHello(latestHello)],
  ['hello of a lost log', encodeHello(lostHello)],
  ['hello with newest frame', encodeHello(knowingHello)],
  ...reasons.map((reason): [string, Buffer] => [
    `refusal ${reason}`,
    encodeRefusal(refusalFor(reason)),
  ]),
  ...sampleFrames.map((frame, position): [string, Buffer] => [
    `${position} ${frame.kind}${frame.kind === 'raft' ? ` ${frame.message.kind}` : ''}`,
    encodeOne(frame),
  ]),
]);

/** Any msgpack value behind the tag and length of a PeerMessage. */
function messageOf(value: unknown, options = {}): Buffer {
  const packed = new Packr({ useRecords: false, ...options }).pack(value);
  const length = [(packed.length & 0x7f) | 0x80, (packed.length >>> 7) & 0x7f];
  return Buffer.concat([Buffer.from([0x0a, ...length]), packed]);
}

const helloFields = [0, 1, 'c', '', 'n1', 'i', 'p', 'c', 'v', 'n2'];
const append = (...entries: unknown[]): unknown => [2, [0, [4, 8, 3, 40, 7, entries, 39]]];

/** False when the bytes are refused; anything but a WireError is thrown on. */
const decodes = (bytes: Uint8Array): boolean => {
  try {
    decodeMessage(bytes);
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
};

describe('the wire format', () => {
  test('has not changed: golden vectors', () => {
    const encoded = Object.fromEntries([...samples].map(([name, b]) => [name, b.toString('hex')]));
    expect(encoded).toEqual(golden);
  });

  test('reads its golden vectors', () => {
    expect(decodeMessage(Buffer.from(golden['hello'] ?? '', 'hex'))).toEqual([
      { kind: 'hello', hello: sampleHello('n1', 'n2') },
    ]);
    const later = decodeMessage(Buffer.from(golden['hello with configuration index'] ?? '', 'hex'));
    expect(later).toEqual([{ kind: 'hello', hello: laterHello }]);
    const latest = decodeMessage(Buffer.from(golden['hello with last term'] ?? '', 'hex'));
    expect(latest).toEqual([{ kind: 'hello', hello: latestHello }]);
    const lost = decodeMessage(Buffer.from(golden['hello of a lost log'] ?? '', 'hex'));
    expect(lost).toEqual([{ kind: 'hello', hello: lostHello }]);
    const knowing = decodeMessage(Buffer.from(golden['hello with newest frame'] ?? '', 'hex'));
    expect(knowing).toEqual([{ kind: 'hello', hello: knowingHello }]);
    const frames = Object.entries(golden).filter(([name]) => /^\d/.test(name));
    const decoded = frames.map(([, hex]) => decodeMessage(Buffer.from(hex, 'hex')));
    expect(decoded).toEqual(sampleFrames.map((frame) => [{ kind: 'frames', frames: [frame] }]));
  });

  test.for(reasons)('carries the refusal %s', (reason) => {
    const refusal = refusalFor(reason);
    expect(decodeMessage(encodeRefusal(refusal))).toEqual([{ kind: 'refusal', refusal }]);
  });

  test('gives back any frames in their order', () => {
    fc.assert(
      fc.property(fc.array(peerFrame, { minLength: 1, maxLength: 6 }), (frames) => {
        const [message] = encodeFrames(frames, MAX_BYTES);
        expect(decodeMessage(message ?? Buffer.alloc(0))).toEqual([{ kind: 'frames', frames }]);
      }),
      { numRuns: 500 },
    );
  });

  test('is what proto/rollcall/peer/v1/peer.proto says', () => {
    const file = fileURLToPath(new URL('../../proto/rollcall/peer/v1/peer.proto', import.meta.url));
    const definition = loadSync(file)['rollcall.peer.v1.Peer'];
    if (definition === undefined || !('Exchange' in definition)) throw new Error('no service');
    const { requestSerialize, requestDeserialize, path } = definition['Exchange'] as {
      readonly path: string;
      readonly requestSerialize: (value: object) => Buffer;
      readonly requestDeserialize: (bytes: Buffer) => { readonly payload: readonly Buffer[] };
    };
    expect(path).toBe('/rollcall.peer.v1.Peer/Exchange');
    const all = Buffer.concat([...samples.values()]);
    const { payload } = requestDeserialize(all);
    expect(payload).toHaveLength(samples.size);
    expect(requestSerialize({ payload }).equals(all)).toBe(true);
  });

  test('joins messages by joining their bytes', () => {
    const [first, second] = sampleFrames.map(encodeOne);
    if (first === undefined || second === undefined) throw new Error('two samples');
    expect(decodeMessage(Buffer.concat([first, second]))).toHaveLength(2);
  });

  test('cuts a batch between frames, and never a frame', () => {
    const payload = new Uint8Array(3000);
    const frames = Array.from(
      { length: 10 },
      (_, id): PeerFrame => ({
        kind: 'writeResponse',
        id,
        outcome: { kind: 'failed', code: 'notLeader', message: 'x'.repeat(payload.length) },
      }),
    );
    const messages = encodeFrames(frames, 10_000);
    expect(messages.length).toBeGreaterThan(3);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(10_000);
    const back = messages.flatMap((m) => decodeMessage(m));
    expect(back.flatMap((p) => (p.kind === 'frames' ? p.frames : []))).toEqual(frames);
    expect(() => encodeFrames(frames.slice(0, 1), 2000)).toThrow(InvariantError);
  });

  test('keeps no receive buffer alive for the payload of an entry', () => {
    const message = Buffer.concat(sampleFrames.map(encodeOne));
    for (const payload of decodeMessage(message)) {
      if (payload.kind !== 'frames') continue;
      for (const frame of payload.frames) {
        if (frame.kind !== 'raft' || frame.message.kind !== 'appendEntries') continue;
        const { entries } = frame.message;
        const total = entries.reduce((sum, entry) => sum + entry.payload.length, 0);
        for (const entry of entries) expect(entry.payload.buffer.byteLength).toBe(total);
      }
    }
  });

  test('names the newest of its frames in the hello, by which peers know what they may send', () => {
    // A frame of another kind would not compile without a number of its own, and this one is the last sample.
    const newest = encodeOne({ kind: 'diskReport', freeBytes: 1, short: true });
    expect(newest.subarray(2)).toEqual(Buffer.from([0x92, 2, 0x93, NEWEST_FRAME, 1, 0xc3]));
    expect(() => decodeMessage(messageOf([2, [NEWEST_FRAME + 1]]))).toThrow('no such number');
  });

  test('rounds times to whole milliseconds, which is all the reader takes', () => {
    const frame: PeerFrame = { kind: 'lastHeartbeatResponse', id: 1, unixTimeMs: 1.5 };
    expect(decodeMessage(encodeOne(frame))).toEqual([
      { kind: 'frames', frames: [{ ...frame, unixTimeMs: 2 }] },
    ]);
  });

  test('reads the hello of a later version that has appended fields', () => {
    const hello = sampleHello('n1', 'n2');
    const { protocolVersion, clusterId, clusterUuid, nodeId, incarnation } = hello;
    const known = [protocolVersion + 1, clusterId, clusterUuid, nodeId, incarnation];
    const rest = [hello.peerAddress, hello.clientAddress, hello.softwareVersion, hello.target];
    const later = messageOf([0, ...known, ...rest, 0, 0, 'new', [1, 2]]);
    expect(decodeMessage(later)).toEqual([
      { kind: 'hello', hello: { ...hello, protocolVersion: protocolVersion + 1 } },
    ]);
  });
});

describe('garbled bytes', () => {
  const entry = [41, 7, 2, Buffer.from('x')];
  let deep: unknown = [];
  for (let level = 0; level < 40; level++) deep = [deep];

  test.for<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['another protobuf field', Buffer.from([0x12, 0x00])],
    ['a length beyond the end', Buffer.from([0x0a, 0x05, 0x90])],
    ['a length without end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['an empty payload', Buffer.from([0x0a, 0x00])],
    ['bytes behind the array', Buffer.from([0x0a, 0x02, 0x90, 0x90])],
    ['an array that claims four billion items', Buffer.from('0a05ddffffffff', 'hex')],
    ['a binary that claims four billion bytes', Buffer.from('0a0691c6ffffffff', 'hex')],
    ['an extension', messageOf([2, new Date(0)], { moreTypes: true })],
    ['a map', messageOf([2, { a: 1 }])],
    ['deep nesting', messageOf(deep)],
    ['an unknown payload', messageOf([9])],
    ['an unknown frame', messageOf([2, [99, 1]])],
    ['a frame that is no array', messageOf([2, 7])],
    ['a message with a field too many', messageOf([2, [0, [9, 1, 2, 3, 4]]])],
    ['a negative term', messageOf([2, [0, [8, -1, 2]]])],
    ['a fractional term', messageOf([2, [0, [8, 1.5, 2]]])],
    ['a term beyond the safe integers', messageOf([2, [0, [8, 2 ** 60, 2]]])],
    ['a term that is a string', messageOf([2, [0, [8, '1', 2]]])],
    ['a vote that is a number', messageOf([2, [0, [1, 8, 1]]])],
    ['an entry out of sequence', messageOf(append(entry, entry))],
    ['an entry of unknown kind', messageOf(append([41, 7, 9, Buffer.from('x')]))],
    ['an entry without payload', messageOf(append([41, 7, 2, 'x']))],
    ['a command of unknown kind', messageOf([2, [2, 1, [77], '', '', '']])],
    ['a result of unknown kind', messageOf([2, [3, 1, [0, [77]]]])],
    ['a refusal for no known reason', messageOf([1, 42, 'why'])],
    ['a vote whose fifth field says no more', messageOf([2, [0, [2, 8, 41, 7, 1]]])],
    ['a hello whose configuration index is a text', messageOf([...helloFields, 'x'])],
    ['a hello without a node id', messageOf([0, 1, 'c', '', '', 'i', 'p', 'c', 'v', 'n2'])],
  ])('are refused with a WireError: %s', ([, bytes]) => {
    expect(() => decodeMessage(bytes)).toThrow(WireError);
  });

  test.for<[string, unknown]>([
    ['an extension', new Date(0)],
    ['a map', { a: 1 }],
    ['deep nesting', deep],
  ])('are refused even in a field that nobody reads: %s', ([, value]) => {
    const hello = [...helloFields, 0];
    expect(decodeMessage(messageOf([...hello, 1], { moreTypes: true }))).toHaveLength(1);
    expect(() => decodeMessage(messageOf([...hello, value], { moreTypes: true }))).toThrow(
      WireError,
    );
  });

  test('accepts the entry that the refused ones are made from', () => {
    expect(decodeMessage(messageOf(append(entry)))).toHaveLength(1);
  });

  test('give frames or a WireError after any mutation of a good message', () => {
    const edit = fc.tuple(
      fc.constantFrom('set', 'insert', 'remove', 'cut'),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
    );
    let refused = 0;
    fc.assert(
      fc.property(peerFrame, fc.array(edit, { minLength: 1, maxLength: 4 }), (frame, edits) => {
        const bytes = [...encodeOne(frame)];
        for (const [kind, where, value] of edits) {
          const position = where % (bytes.length + 1);
          if (kind === 'set') bytes[position] = value;
          else if (kind === 'insert') bytes.splice(position, 0, value);
          else if (kind === 'remove') bytes.splice(position, 1);
          else bytes.length = position;
        }
        if (!decodes(Uint8Array.from(bytes))) refused += 1;
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test('give frames or a WireError for any single changed byte of each sample', () => {
    for (const message of samples.values()) {
      for (let position = 0; position < message.length; position++) {
        for (const value of [0x00, 0x7f, 0x80, 0x91, 0xc1, 0xcf, 0xd4, 0xdd, 0xff]) {
          const copy = Uint8Array.from(message);
          copy[position] = value;
          decodes(copy);
        }
      }
    }
  });

  test('give frames or a WireError for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        decodes(noise);
        decodes(Uint8Array.from([0x0a, noise.length, ...noise]));
      }),
      { numRuns: 5000 },
    );
  });
});
