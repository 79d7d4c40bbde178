// What is served beside the Registry: Cluster.Status, health, and reflection as other tools use it.
import { type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BackupPart, decodeBackup } from '../../../src/node/backup-stream.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { SnapshotChunk__Output } from '../../../src/rpc/gen/rollcall/v1/SnapshotChunk.ts';
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { pollUntil } from '../../support/poll.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { type DoorWorld, call, failure, instance, startWorld } from './door-world.ts';
import type { HealthCheckResponse } from './health-messages.ts';

let world: DoorWorld;
beforeAll(async () => {
  world = await startWorld({ limits: { healthWatches: 2 } });
});
afterAll(() => world[Symbol.asyncDispose]());

type Method = (request: object, done?: unknown) => unknown;
const method = (client: Client & Record<string, unknown>, name: string) =>
  (client[name] as Method).bind(client);

describe('Cluster', () => {
  test('Status tells this node as it is now', async () => {
    const client = world.registry();
    await call((done) => client.register({ instance: instance() }, done));
    const cluster = world.cluster();
    const answer = await call<StatusResponse__Output>((done) => cluster.status({}, done));
    expect(answer).toMatchObject({
      cluster_id: 'rollcall',
      node_id: 'n1',
      version: '9.9.9',
      role: 'LEADER',
      leader_id: 'n1',
      revision: '1',
      instances: '1',
      watches: '0',
      problems: [],
    });
    expect(Number(answer.term)).toBeGreaterThan(0);
    expect(Number(answer.applied_index)).toBeGreaterThan(1);
    expect(answer.state_hash).toMatch(/^[0-9a-f]{16}$/);
    expect(answer.members).toEqual([
      {
        node_id: 'n1',
        peer_address: 'memory:n1',
        client_address: 'memory:n1',
        learner: false,
        incarnation: '1'.padStart(32, '0'),
      },
    ]);
  });

  test('Status tells the sizes on disk and where the log begins', async () => {
    const cluster = world.cluster();
    const answer = await call<StatusResponse__Output>((done) => cluster.status({}, done));
    expect(answer).toMatchObject({
      first_index: String(world.node.status().firstIndex),
      log_bytes: String(world.node.status().logBytes),
      state_bytes: String(world.node.status().stateBytes),
      disk_free_bytes: '0',
      scrubbed_records: '0',
      scrubbed_at_ms: '0',
    });
    expect(Number(answer.first_index)).toBeGreaterThan(0);
  });

  test('TransferLeadership answers with the new leader, whoever was asked', async () => {
    await using three = await startWorld({ members: 3 });
    const cluster = three.cluster();
    for (let times = 0; times < 4; times++) {
      let told: readonly string[] = [];
      await pollUntil(
        async () => {
          // Refused where the hand-over was too slow for so short an election timeout, on a busy machine.
          const { leaderId: before } = three.node.status();
          const answer = await call<StatusResponse__Output>((done) =>
            cluster.transferLeadership({}, done),
          );
          told = [before, answer.leader_id];
          return true;
        },
        { what: 'a hand-over', timeoutMs: 10_000 },
      );
      expect(told[1]).not.toBe(told[0]);
      expect(['n1', 'n2', 'n3']).toContain(told[1]);
    }
  });

  test('SaveSnapshot streams a backup with everything acknowledged before', async () => {
    const client = world.registry();
    const { revision } = await call<RegisterResponse__Output>((done) =>
      client.register({ instance: instance({ instance_id: 'just-now' }) }, done),
    );
    const parts = await backupOf(world.cluster());
    const header = parts.find((part) => part.kind === 'header');
    expect(header?.header.meta.revision).toBeGreaterThanOrEqual(Number(revision));
    const keys = parts.flatMap((part) => (part.kind === 'records' ? part.records : []));
    expect(keys.map(({ key }) => key)).toContain('i/default/just-now');
    expect(parts.at(-1)).toEqual({ kind: 'end', total: keys.length });
  });
});

async function backupOf(cluster: ReturnType<DoorWorld['cluster']>): Promise<BackupPart[]> {
  const chunks: Buffer[] = [];
  const stream = cluster.saveSnapshot({}) as AsyncIterable<SnapshotChunk__Output>;
  for await (const { data } of stream) chunks.push(data);
  let rest = Buffer.concat(chunks);
  const parts: BackupPart[] = [];
  const read = (count: number): Promise<Buffer> => {
    const part = rest.subarray(0, count);
    rest = rest.subarray(count);
    return Promise.resolve(part);
  };
  for await (const part of decodeBackup(read)) parts.push(part);
  return parts;
}

const check = (service: string) =>
  call<HealthCheckResponse>((done) =>
    method(world.client('grpc.health.v1.Health'), 'check')({ service }, done),
  );

describe('grpc.health.v1', () => {
  test('Check answers for the node and for the Registry, and NOT_FOUND for others', async () => {
    expect(await check('')).toEqual({ status: 'SERVING' });
    expect(await check('rollcall.v1.Registry')).toEqual({ status: 'SERVING' });
    const told = await failure(check('rollcall.v1.Nothing'));
    expect(told).toMatchObject({ code: status.NOT_FOUND, reason: 'not_found' });
  });

  test('List names both', async () => {
    const answer = await call<{ statuses: unknown }>((done) =>
      method(world.client('grpc.health.v1.Health'), 'list')({}, done),
    );
    expect(answer.statuses).toEqual({
      '': { status: 'SERVING' },
      'rollcall.v1.Registry': { status: 'SERVING' },
    });
  });

  test('Watch of an unknown name stays open with SERVICE_UNKNOWN; their number is limited (G17)', async () => {
    const client = world.client('grpc.health.v1.Health');
    const open: HealthStream[] = [];
    for (const service of ['', 'unknown']) open.push(watchHealth(client, service));
    for (const stream of open) await stream.first();
    expect(open.map(({ told }) => told)).toEqual([['SERVING'], ['SERVICE_UNKNOWN']]);
    const third = watchHealth(client, '');
    await pollUntil(() => third.error !== undefined, { what: 'a refusal', timeoutMs: 5000 });
    expect(third.error?.details).toBe('resource_exhausted: health watches of this node, limit 2');
    for (const stream of open) stream.cancel();
  });
});

interface HealthStream {
  readonly told: string[];
  error: ServiceError | undefined;
  first(): Promise<void>;
  cancel(): void;
}

function watchHealth(client: Client & Record<string, unknown>, service: string): HealthStream {
  const stream = method(client, 'watch')({ service }) as ClientReadableStream<HealthCheckResponse>;
  const watching: HealthStream = {
    told: [],
    error: undefined,
    first: () => pollUntil(() => watching.told.length > 0, { what: 'a state', timeoutMs: 5000 }),
    cancel: () => stream.cancel(),
  };
  stream.on('data', (message: HealthCheckResponse) => watching.told.push(message.status));
  stream.on('error', (error: ServiceError) => {
    watching.error = error;
  });
  return watching;
}

describe('reflection', () => {
  /** One question to the reflection service of this version of its protocol. */
  async function ask(version: string, question: object): Promise<Record<string, unknown>> {
    const proto = `grpc/reflection/${version}/reflection.proto`;
    const definition = loadSync(proto, {
      includeDirs: [join(repositoryRoot(), 'node_modules/@grpc/reflection/build/proto')],
      keepCase: true,
      bytes: Buffer,
    });
    let found: unknown = loadPackageDefinition(definition);
    for (const part of ['grpc', 'reflection', version, 'ServerReflection']) {
      found = (found as Record<string, unknown>)[part];
    }
    const client = new (found as ServiceClientConstructor)(
      world.address,
      credentials.createInsecure(),
    );
    try {
      return await new Promise((resolve, reject) => {
        const stream = (client['ServerReflectionInfo'] as unknown as () => Stream).call(client);
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.write(question);
        stream.end();
      });
    } finally {
      client.close();
    }
  }
  interface Stream {
    on(event: string, listener: (value: never) => void): void;
    write(message: object): void;
    end(): void;
  }

  test.for(['v1', 'v1alpha'])('%s lists the services and describes them', async (version) => {
    const listed = await ask(version, { list_services: '*' });
    const { service } = listed['list_services_response'] as { service: { name: string }[] };
    expect(service.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'rollcall.v1.Registry',
        'rollcall.v1.Cluster',
        'grpc.health.v1.Health',
      ]),
    );
    expect(service.map(({ name }) => name)).not.toContain('rollcall.peer.v1.Peer');
    const described = await ask(version, { file_containing_symbol: 'rollcall.v1.Registry.Watch' });
    const { file_descriptor_proto: files } = described['file_descriptor_response'] as {
      file_descriptor_proto: Buffer[];
    };
    expect(files.some((file) => file.includes('WatchResponse'))).toBe(true);
    expect(files.some((file) => file.includes('deregister_after_ms'))).toBe(true);
  });
});
