// Rollcall as the system under test: three server processes on loopback with default settings.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { present } from '../../src/lib/assert.ts';
import { freePorts, ProcessCluster, ProcessNode } from '../../test/support/process-cluster.ts';
import { repositoryRoot } from '../../test/support/repository-root.ts';
import { countField } from '../load/count-field.ts';
import { type GrpcConnection, openConnection } from '../load/grpc-connection.ts';
import { instanceValue, registerRequest, ttlMs } from './payload.ts';
import type { HeartbeatStream, JoiningNode, Target } from './target.ts';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(repositoryRoot(), 'proto', target);
root.loadSync(['rollcall/v1/registry.proto'], { keepCase: true });
const message = (name: string): protobuf.Type => root.lookupType(`rollcall.v1.${name}`);
const listRequest = message('ListInstancesRequest');
const watchRequest = message('WatchRequest');
const watchResponse = message('WatchResponse');
const registerBatchRequest = message('RegisterBatchRequest');
const heartbeatRequest = message('HeartbeatRequest');
const heartbeatResponse = message('HeartbeatResponse');
const instance = message('Instance');

/** ListInstancesResponse.instances. */
const listedInstances = 2;

const path = (method: string): string => `/rollcall.v1.Registry/${method}`;

const encode = (type: protobuf.Type, value: object): Uint8Array =>
  type.encode(type.fromObject(value)).finish();

const batchSize = 1000;
const leaseTtlMs = 60_000;

async function registerMany(
  address: string,
  count: number,
  ttl_ms: number,
): Promise<readonly string[]> {
  const connection = openConnection(address);
  const ids = Array.from({ length: count }, (_, n) => `lease-${n}`);
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next += batchSize;
      const instances = ids.slice(from, from + batchSize).map((id) => ({
        ...instance.toObject(instance.decode(instanceValue(`leases-${from / batchSize}`, id))),
        ttl_ms,
      }));
      await connection.unary(path('RegisterBatch'), encode(registerBatchRequest, { instances }));
    }
  };
  await Promise.all([caller(), caller()]);
  connection.close();
  return ids;
}

/** One HeartbeatStream for all its ids; a beat is one message and its one answer. */
function heartbeatStream(connection: GrpcConnection, ids: readonly string[]): HeartbeatStream {
  const request = encode(heartbeatRequest, { beats: ids.map((instance_id) => ({ instance_id })) });
  const waiting: (() => void)[] = [];
  const stream = connection.stream(
    path('HeartbeatStream'),
    (answer) => {
      const { failures } = heartbeatResponse.decode(answer) as unknown as { failures: unknown[] };
      if (failures.length > 0) throw new Error(`${failures.length} heartbeats failed`);
      waiting.shift()?.();
    },
    () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  );
  return {
    beat: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        stream.write(request);
      }),
    close: () => stream.close(),
  };
}

function watchService(
  connection: GrpcConnection,
  service: string,
  onChange: (id: string) => void,
): ReturnType<Target['watch']> {
  return new Promise((resolve, reject) => {
    const stream = connection.stream(
      path('Watch'),
      (bytes) => {
        const answer = watchResponse.decode(bytes) as unknown as {
          reset: boolean;
          changes: readonly { instance: { instance_id: string } }[];
        };
        if (answer.reset) resolve(stream);
        for (const change of answer.changes) onChange(change.instance.instance_id);
      },
      (error) => reject(error ?? new Error('the watch ended')),
    );
    stream.write(encode(watchRequest, { selector: { services: [service] } }));
  });
}

export interface RollcallOptions {
  readonly name?: string;
  /** A checkout with a build in it; this one by default. */
  readonly checkout?: string;
  readonly nodes?: number;
  /** Further flags for every server. */
  readonly flags?: readonly string[];
}

/** Starts one more server that asks the cluster to be added. */
function joinLearner(
  cluster: ProcessCluster,
  main: string,
  id: string,
  committed: () => Promise<number>,
): JoiningNode {
  const dataDir = join(cluster.directory, id);
  const logFile = join(cluster.directory, `${id}.log`);
  const address = '127.0.0.1:0';
  let node: ProcessNode | undefined;
  const started = freePorts(2).then(([client = 0, peer = 0]) => {
    const clientAddress = address.replace(':0', `:${client}`);
    const peerAddress = address.replace(':0', `:${peer}`);
    const flags = ['--node-id', id, '--data-dir', dataDir];
    flags.push('--join', cluster.endpoints.join(','));
    flags.push('--listen-client', clientAddress, '--listen-peer', peerAddress);
    node = new ProcessNode({
      id,
      clientAddress,
      peerAddress,
      dataDir,
      logFile,
      command: [process.execPath, main, 'server', ...flags],
      wrapped: false,
    });
    node.start();
  });
  const snapshotMs = (): number | undefined => {
    const took = /"event":"snapshot_installed".*?"took_ms":(\d+)/.exec(
      readFileSync(logFile, 'utf8'),
    );
    return took === null ? undefined : Number(took[1]);
  };
  return {
    caughtUp: async () => {
      await started;
      // Asking costs every node and the generator a connection each time, which the writers would notice: before there is
      // a snapshot there is nothing to ask.
      if (snapshotMs() === undefined) return false;
      // A busy machine may not answer in time; then it is not known to have caught up.
      const target = await committed().catch(() => Number.POSITIVE_INFINITY);
      const status = await node?.status(500).catch(() => undefined);
      return Number(status?.applied_index ?? 0) >= target;
    },
    snapshotMs,
    stop: async () => {
      await started;
      await node?.kill('SIGKILL');
    },
  };
}

/** Starts three nodes, or as many as asked for, and waits for their leader. */
export async function startRollcall(options: RollcallOptions = {}): Promise<Target> {
  const { name = 'rollcall', checkout = repositoryRoot(), nodes = 3, flags = [] } = options;
  const main = join(checkout, 'dist', 'cli', 'main.js');
  const cluster = await ProcessCluster.start({ nodes, main, flags });
  const manifest = readFileSync(join(checkout, 'package.json'), 'utf8');
  const control: GrpcConnection[] = [];
  let joined = 0;
  const node = (position: number) => present(cluster.nodes[position], 'a node');
  const leader = async (): Promise<number | undefined> => {
    const found = await cluster.leader();
    return found === undefined ? undefined : cluster.nodes.indexOf(found);
  };
  return {
    name,
    version: (JSON.parse(manifest) as { version: string }).version,
    addresses: cluster.endpoints,
    leader,
    pids: () => cluster.pids(),
    positionsPerRegistration: 1,
    position: async () => Number((await node((await leader()) ?? 0).status()).last_index),
    register: async (connection, service, id) => {
      await connection.unary(path('Register'), registerRequest(service, id));
    },
    list: async (connection, service) => {
      const request = encode(listRequest, { selector: { services: [service] } });
      const answer = await connection.unary(path('ListInstances'), request);
      return countField(answer, listedInstances);
    },
    watch: watchService,
    leases: async (count, perMessage) => {
      const address = node((await leader()) ?? 0).clientAddress;
      const ids = await registerMany(address, count, leaseTtlMs);
      const connections = Array.from({ length: 4 }, () => openConnection(address));
      control.push(...connections);
      const streams: HeartbeatStream[] = [];
      for (let from = 0; from < count; from += perMessage) {
        const connection = present(connections[streams.length % 4], 'four connections');
        streams.push(heartbeatStream(connection, ids.slice(from, from + perMessage)));
      }
      return streams;
    },
    instances: async (count) => {
      await registerMany(node((await leader()) ?? 0).clientAddress, count, ttlMs);
    },
    signal: (position, signal) => node(position).signal(signal),
    kill: (position, signal = 'SIGKILL') => node(position).kill(signal),
    restart: async (position) => node(position).start(),
    logFile: (position) => node(position).logFile,
    joinLearner: () =>
      joinLearner(cluster, main, `joining-${++joined}`, async () => {
        const status = await node((await leader()) ?? 0).status();
        return Number(status.commit_index);
      }),
    terms: async () => {
      const statuses = await Promise.all(cluster.nodes.map((one) => one.status(5000)));
      return statuses.map(({ term }) => Number(term));
    },
    stop: async () => {
      for (const connection of control) connection.close();
      await cluster.stop();
    },
  };
}
