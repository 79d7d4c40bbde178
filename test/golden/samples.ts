// The formats that fit into a line, each with the value it stands for: the bytes are in samples.json of each version that was
// written down, and have to mean this for ever. Frames between nodes have theirs in test/transport/golden.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logIndex, nodeId, revision, term } from '../../src/lib/ids.ts';
import {
  clusterRecordOf,
  decodeClusterRecord,
  encodeClusterRecord,
  encodeMembership,
  withMembers,
  withReplacing,
} from '../../src/node/cluster-record.ts';
import { decodePageToken, encodePageToken } from '../../src/node/page-token.ts';
import { decodeChunk, encodeChunk } from '../../src/node/snapshot-stream.ts';
import { decodeResumeToken, digestOf, encodeResumeToken } from '../../src/node/watch-token.ts';
import { decodeCommand, encodeCommand } from '../../src/registry/index.ts';
import { IDENTITY_FILE, readIdentity, writeIdentity } from '../../src/storage/identity.ts';
import { decodeMeta, encodeMeta, type StateMeta } from '../../src/storage/keys.ts';
import { decodeMessage, encodeHello, encodeRefusal } from '../../src/transport/wire.ts';
import { commandOf, register } from '../registry/fixtures.ts';
import { sampleHello } from '../support/peer-frames.ts';

interface Sample {
  readonly name: string;
  /** As this version writes it. */
  readonly encode: () => Uint8Array | Promise<Uint8Array>;
  readonly decode: (bytes: Buffer) => unknown;
  readonly value: unknown;
}

const clusterUuid = '0123456789abcdef0123456789abcdef';
const digest = digestOf('a selector');
const resume = { clusterUuid, selectorDigest: digest, revision: revision(2 ** 41), more: true };
const walk = { clusterUuid, selectorDigest: digest };
const page = { revision: revision(77), position: ['default', 'payments', 'pay-1'] };

const members = ['n1', 'n2', 'n3'].map((id) => ({
  nodeId: nodeId(id),
  incarnation: id.repeat(16),
  peerAddress: `${id}.example:7401`,
  clientAddress: `${id}.example:7400`,
}));
const record = clusterRecordOf('golden', members);
const changed = withMembers(
  record,
  record.members.map((member) => ({ ...member, learner: member.nodeId === 'n3' })),
);
/** n3 is on its way back. */
const returning = withReplacing(
  withMembers(
    record,
    changed.members.filter(({ learner }) => !learner),
  ),
  [
    {
      member: {
        nodeId: nodeId('n3'),
        incarnation: 'c'.repeat(32),
        peerAddress: 'n3.example:7401',
        clientAddress: 'n3.example:7400',
      },
      lost: 'n3'.repeat(16),
      voter: true,
    },
  ],
);

const meta: StateMeta = {
  appliedIndex: logIndex(12),
  appliedTerm: 3,
  owner: 'a'.repeat(32),
  configuration: undefined,
  meta: { revision: revision(7), registryTimeMs: 1500, hash: '00c1d2e3f4a5b6c7' },
};
const configuration = { index: logIndex(9), payload: new Uint8Array(encodeMembership(changed)) };
const command = commandOf(register({ instanceId: 'pay-1', tags: ['blue'] }), {
  requestId: 'order-66',
});
const chunk = {
  header: {
    clusterId: 'golden',
    clusterUuid: record.clusterUuid,
    index: logIndex(4711),
    term: term(9),
    configuration,
    meta: meta.meta,
  },
  records: [{ key: 'i/default/pay-1', value: new Uint8Array([1, 2, 200]) }],
  total: 1,
};
const hello = { ...sampleHello('n1', 'n2'), configurationIndex: logIndex(41), lastTerm: term(7) };
const refusal = { reason: 'removed', message: 'n1 was removed' } as const;

const text = (value: string): Uint8Array => Buffer.from(value);

const replacing = {
  formatVersion: 2,
  nodeId: 'n1',
  clusterId: 'golden',
  incarnation: 'b'.repeat(32),
  clusterUuid: '',
  replaces: {
    incarnations: ['a'.repeat(32)],
    clusterUuid: record.clusterUuid,
    members: [{ nodeId: nodeId('n2'), peerAddress: 'n2.example:7401' }],
    found: 'The log is damaged: 0000000001.wal, byte 512',
    setAside: true,
  },
} as const;

/** Through a file, as it always is. */
async function throughIdentityFile<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-identity-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export const samples: readonly Sample[] = [
  {
    name: 'identity 2',
    encode: () =>
      throughIdentityFile(async (directory) => {
        await writeIdentity(directory, replacing);
        return readFileSync(join(directory, IDENTITY_FILE));
      }),
    decode: (bytes) =>
      throughIdentityFile(async (directory) => {
        writeFileSync(join(directory, IDENTITY_FILE), bytes);
        return readIdentity(directory);
      }),
    value: replacing,
  },
  {
    name: 'resume token',
    encode: () => text(encodeResumeToken(resume)),
    decode: (bytes) => decodeResumeToken(bytes.toString(), digest),
    value: { ...resume, selectorDigest: Buffer.from(digest) },
  },
  {
    name: 'page token',
    encode: () => text(encodePageToken(walk, page)),
    decode: (bytes) => decodePageToken(bytes.toString(), walk, 3),
    value: page,
  },
  {
    name: 'cluster record',
    encode: () => encodeClusterRecord(record),
    decode: decodeClusterRecord,
    value: record,
  },
  {
    name: 'membership',
    encode: () => encodeMembership(changed),
    decode: decodeClusterRecord,
    value: changed,
  },
  {
    name: 'membership with a return',
    encode: () => encodeMembership(returning),
    decode: decodeClusterRecord,
    value: returning,
  },
  {
    name: 'state metadata 1',
    encode: () => encodeMeta(meta),
    decode: decodeMeta,
    value: meta,
  },
  {
    name: 'state metadata 2',
    encode: () => encodeMeta({ ...meta, configuration }),
    decode: decodeMeta,
    value: { ...meta, configuration },
  },
  {
    name: 'command',
    encode: () => encodeCommand(command),
    decode: decodeCommand,
    value: command,
  },
  {
    name: 'snapshot of one chunk',
    encode: () => encodeChunk(chunk),
    decode: (bytes) => decodeChunk(bytes, { first: true, last: true }),
    value: chunk,
  },
  {
    name: 'hello',
    encode: () => encodeHello(hello),
    decode: decodeMessage,
    value: [{ kind: 'hello', hello }],
  },
  {
    name: 'refusal',
    encode: () => encodeRefusal(refusal),
    decode: decodeMessage,
    value: [{ kind: 'refusal', refusal }],
  },
];

/** All of them as this version writes them, by name. */
export async function samplesInHex(): Promise<Readonly<Record<string, string>>> {
  const written: Record<string, string> = {};
  for (const { name, encode } of samples) {
    written[name] = Buffer.from(await encode()).toString('hex');
  }
  return written;
}
