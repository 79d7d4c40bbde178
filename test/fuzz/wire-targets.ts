// What comes over the network: messages of peers, what their entries hold, tokens that clients bring back, and clients' requests.
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import {
  decodeAddMember,
  decodeDeregister,
  decodeGetInstance,
  decodeHealthCheck,
  decodeHeartbeat,
  decodeListInstances,
  decodeListServices,
  decodeMemberId,
  decodeRegister,
  decodeRegisterBatch,
  decodeSetStatus,
  decodeWatch,
} from '../../src/api/grpc/decode.ts';
import { parseAddMember, parseMemberId } from '../../src/api/rules-cluster.ts';
import {
  parseBeat,
  parseDeregister,
  parseRead,
  parseRegister,
  parseRegisterBatch,
  parseSelector,
  parseSetStatus,
  parseTarget,
} from '../../src/api/rules-request.ts';
import { defaultLimits } from '../../src/config/limits.ts';
import { InvariantError } from '../../src/lib/assert.ts';
import { nodeId } from '../../src/lib/ids.ts';
import { RegistryError } from '../../src/lib/registry-error.ts';
import { UnknownFormatError } from '../../src/lib/unknown-format.ts';
import { membershipOf } from '../../src/node/cluster-record.ts';
import { decodePageToken } from '../../src/node/page-token.ts';
import { decodeResumeToken, digestOf } from '../../src/node/watch-token.ts';
import { decodeCommand } from '../../src/registry/index.ts';
import { clientConstructors } from '../../src/rpc/clients.ts';
import { frameToArray } from '../../src/transport/frame-wire.ts';
import { WireError } from '../../src/transport/msgpack.ts';
import { decodeMessage, encodeFrames } from '../../src/transport/wire.ts';
import { samplesInHex } from '../golden/samples.ts';
import { sampleFrames } from '../support/peer-frames.ts';
import { peerFrame } from '../transport/frame-arbitraries.ts';
import { mutated } from './mutation.ts';
import { type Target, target, unlessRefused } from './target.ts';

const written = await samplesInHex();
const sampled = (name: string): Buffer => Buffer.from(written[name] ?? '', 'hex');

const messages = [
  sampled('hello'),
  sampled('refusal'),
  ...sampleFrames.flatMap((frame) => [...encodeFrames([frame], 1 << 20)]),
];

const packr = new Packr({ useRecords: false });
/** What has no place where something else was. */
const oddValue = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    [],
    [[]],
    -1,
    0.5,
    Number.MAX_SAFE_INTEGER,
    2 ** 60,
    Number.NaN,
  ),
  fc.maxSafeInteger(),
  fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
  fc.array(fc.nat(20), { maxLength: 4 }),
  fc.date({ noInvalidDate: true }),
);

/** A value with one part of it, as deep as the numbers lead, exchanged. */
function exchanged(value: unknown, path: readonly number[], odd: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || !Array.isArray(value) || value.length === 0) return odd;
  const at = step % (value.length + 1);
  if (at === value.length) return [...(value as unknown[]), odd];
  return (value as unknown[]).map((part, position) =>
    position === at ? exchanged(part, rest, odd) : part,
  );
}

const oddMessage = fc
  .tuple(peerFrame, fc.array(fc.nat(12), { minLength: 1, maxLength: 5 }), oddValue)
  .map(([frame, path, odd]) => {
    const packed = packr.pack(exchanged([2, frameToArray(frame)], path, odd));
    const length = [
      (packed.length & 0x7f) | 0x80,
      ((packed.length >>> 7) & 0x7f) | 0x80,
      packed.length >>> 14,
    ];
    return Buffer.concat([Buffer.of(0x0a, ...length), packed]);
  });

const payloads = [sampled('command'), sampled('cluster record'), sampled('membership')];

async function readPayload(bytes: Buffer): Promise<void> {
  const self = { nodeId: nodeId('n1'), incarnation: 'a' };
  await unlessRefused(() => decodeCommand(bytes), InvariantError, UnknownFormatError);
  await unlessRefused(() => membershipOf(bytes, self), InvariantError, UnknownFormatError);
}

const digest = digestOf('a selector');
const walk = { clusterUuid: '0123456789abcdef0123456789abcdef', selectorDigest: digest };
const rawTokens = ['resume token', 'page token'].map((name) =>
  Buffer.from(sampled(name).toString(), 'base64url'),
);

/** As text, with the checksum that the bytes should have. */
function resealedToken(bytes: Buffer): string {
  if (bytes.length >= 4) bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes.toString('base64url');
}

async function readToken(text: string): Promise<void> {
  await unlessRefused(() => decodeResumeToken(text, digest), RegistryError);
  await unlessRefused(() => decodePageToken(text, walk, 3), RegistryError);
  await unlessRefused(() => decodePageToken(text, walk, 2), RegistryError);
}

const { service } = clientConstructors().Registry;
const instance = {
  namespace: 'default',
  service_name: 'payments',
  instance_id: 'pay-1',
  host: '10.0.0.1',
  port: 8080,
  metadata: { region: 'eu', empty: '' },
  tags: ['blue', 'grün'],
  ports: { admin: 9000 },
  weight: 7,
  ttl_ms: 5000,
};
const selector = {
  namespace: '*',
  services: ['a', 'b'],
  tags: ['x'],
  statuses: [1, 2],
  metadata: { a: 'b' },
};
const requests = [
  service.Register.requestSerialize({ instance, request_id: 'r1', if_generation: 7 }),
  service.RegisterBatch.requestSerialize({
    instances: [instance, instance, instance],
    request_id: 'b',
  }),
  service.Heartbeat.requestSerialize({ beats: [{ instance_id: 'pay-1', generation: 2 ** 40 }] }),
  service.Deregister.requestSerialize({
    instance_id: 'pay-1',
    reason: 'gone',
    drain: { timeout_ms: 5 },
  }),
  service.SetStatus.requestSerialize({ instance_id: 'pay-1', status: 1, maintenance: 1 }),
  service.Watch.requestSerialize({
    selector: selector as never,
    resume_token: 't',
    acknowledge: 9,
  }),
  service.ListInstances.requestSerialize({
    selector: selector as never,
    page_size: 7,
    page_token: 'p',
  }),
];

const limits = defaultLimits;
/** Each as its handler reads it: decoded, and held against the rules. */
const handlers: readonly ((bytes: Buffer) => unknown)[] = [
  (bytes) => parseRegister(decodeRegister(bytes, limits), limits),
  (bytes) => parseRegisterBatch(decodeRegisterBatch(bytes, limits), limits),
  (bytes) => decodeHeartbeat(bytes, limits).map((beat) => parseBeat(beat, limits)),
  (bytes) => parseDeregister(decodeDeregister(bytes), limits),
  (bytes) => parseSetStatus(decodeSetStatus(bytes), limits),
  (bytes) => {
    const { selector: wanted, read } = decodeWatch(bytes, limits);
    parseRead(read);
    return wanted && parseSelector(wanted, limits);
  },
  (bytes) => parseSelector(decodeListInstances(bytes, limits).selector, limits),
  (bytes) => parseRead(decodeListServices(bytes).read),
  (bytes) => parseTarget(decodeGetInstance(bytes), limits),
  (bytes) => parseAddMember(decodeAddMember(bytes)),
  (bytes) => parseMemberId(decodeMemberId(bytes)),
  decodeHealthCheck,
];

export const wireTargets: readonly Target[] = [
  target({
    name: 'peer-messages',
    what: 'messages between nodes, their bytes changed or a part of them exchanged',
    cases: fc.oneof(mutated(messages), oddMessage),
    run: async (bytes) => void (await unlessRefused(() => decodeMessage(bytes), WireError)),
  }),
  target({
    name: 'entries',
    what: 'commands and cluster records, as entries of the log hold them',
    cases: mutated(payloads),
    run: readPayload,
  }),
  target({
    name: 'tokens',
    what: 'resume and page tokens, with wrong and with right checksums',
    cases: fc.oneof(
      mutated(rawTokens).map((bytes) => bytes.toString('base64url')),
      mutated(rawTokens).map(resealedToken),
      mutated(rawTokens.map((bytes) => Buffer.from(bytes.toString('base64url')))).map(String),
      fc.string({ unit: 'binary', maxLength: 300 }),
    ),
    run: readToken,
  }),
  target({
    name: 'requests',
    what: 'requests of clients, up to the rules that they are held against',
    cases: mutated(requests),
    run: async (bytes) => {
      for (const handle of handlers) await unlessRefused(() => handle(bytes), RegistryError);
    },
  }),
];
