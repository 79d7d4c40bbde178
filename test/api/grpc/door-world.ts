// One real node on stores in memory behind a real gRPC door, and ordinary clients in front of it. Nothing here is a
// double of our own code; the clients are those that anybody would write.
import { type ClientOptions, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceError, ServiceClientConstructor } from '@grpc/grpc-js';
import { pino } from 'pino';
import { createGrpcServer, type GrpcDoor } from '../../../src/api/grpc/server.ts';
import { systemClock } from '../../../src/cli/system-clock.ts';
import { defaultLimits, type Limits } from '../../../src/config/limits.ts';
import { nodeId } from '../../../src/lib/ids.ts';
import { createNode } from '../../../src/node/node.ts';
import type { RegistryNode } from '../../../src/node/registry-node.ts';
import { decodeStatusDetails, STATUS_DETAILS_KEY } from '../../../src/rpc/status-details.ts';
import { clientConstructors } from '../../../src/rpc/clients.ts';
import { publicProtos } from '../../../src/rpc/protos.ts';
import type { ClusterClient } from '../../../src/rpc/gen/rollcall/v1/Cluster.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import { emptyMemoryLog, MemoryLogStore } from '../../support/memory-log-store.ts';
import { emptyMemoryState, MemoryStateStore } from '../../support/memory-state-store.ts';
import { MemoryNetwork } from '../../support/memory-transport.ts';
import { pollUntil } from '../../support/poll.ts';

export interface WorldOptions {
  readonly limits?: Partial<Limits>;
  /** Members of the cluster, n1 being the one behind the door. Default 1. */
  readonly members?: number;
}

export interface DoorWorld extends AsyncDisposable {
  readonly node: RegistryNode;
  readonly door: GrpcDoor;
  /** Cuts and heals the links between the members. */
  readonly network: MemoryNetwork;
  readonly address: string;
  /** Lines of the log, parsed. */
  readonly logged: readonly Record<string, unknown>[];
  /** A client on a connection of its own. */
  registry(options?: ClientOptions): RegistryClient;
  cluster(): ClusterClient;
  /** grpc.health.v1 and the like, by full name; messages as in the .proto file. */
  client(service: string): Client & Record<string, unknown>;
}

export async function startWorld(options: WorldOptions = {}): Promise<DoorWorld> {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line) => logged.push(JSON.parse(line)) });
  const network = new MemoryNetwork({ clock: systemClock });
  const names = Array.from({ length: options.members ?? 1 }, (_, at) => `n${at + 1}`);
  const [node, ...others] = await Promise.all(
    names.map((name) => startNode({ name, names, network, limits, log })),
  );
  if (node === undefined) throw new Error('a world has at least one member');
  await pollUntil(() => node.status().caughtUp && node.status().leaderId !== '', {
    what: 'a leader',
    timeoutMs: 10_000,
    explain: () => JSON.stringify(node.status()),
  });
  const door = createGrpcServer({
    node,
    clock: systemClock,
    log,
    limits,
    version: '9.9.9',
    allowRemoteAdmin: false,
  });
  const { address } = await door.listen('127.0.0.1:0');
  const clients: Client[] = [];
  const keep = <T extends Client>(client: T): T => {
    clients.push(client);
    return client;
  };
  const channel = { 'grpc.use_local_subchannel_pool': 1 };
  return {
    node,
    door,
    network,
    address,
    logged,
    registry: (extra = {}) =>
      keep(
        new (clientConstructors().Registry)(address, credentials.createInsecure(), {
          ...channel,
          ...extra,
        }),
      ),
    cluster: () =>
      keep(new (clientConstructors().Cluster)(address, credentials.createInsecure(), channel)),
    client: (service) => keep(clientOf(service, address)),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await door.stop({ graceMs: 200 });
      await Promise.all([node, ...others].map((member) => member.stop({ graceMs: 200 })));
    },
  };
}

interface NodeSetup {
  readonly name: string;
  readonly names: readonly string[];
  readonly network: MemoryNetwork;
  readonly limits: Limits;
  readonly log: pino.Logger;
}

/** As the network in memory names them. */
const addressOf = (member: string): string => `memory:${member}`;

function startNode({ name, names, network, limits, log }: NodeSetup): Promise<RegistryNode> {
  const self = nodeId(name);
  return createNode({
    self: {
      nodeId: self,
      incarnation: name.slice(1).padStart(32, '0'),
      peerAddress: addressOf(name),
      clientAddress: addressOf(name),
    },
    clusterId: 'rollcall',
    softwareVersion: '9.9.9',
    initialMembers: names.map((member) => ({
      nodeId: nodeId(member),
      peerAddress: addressOf(member),
    })),
    logStore: new MemoryLogStore(emptyMemoryLog()),
    stateStore: new MemoryStateStore(emptyMemoryState()),
    transport: network.transport(self),
    markFormed: () => Promise.resolve(),
    clock: systemClock,
    log,
    fatal: (exitCode, reason, cause) => {
      throw new Error(`exit ${exitCode}: ${reason}`, { cause });
    },
    seed: Number(name.slice(1)),
    heartbeatMs: 20,
    electionMs: 100,
    limits,
  });
}

function clientOf(service: string, address: string): Client & Record<string, unknown> {
  let found: unknown = loadPackageDefinition(publicProtos());
  for (const part of service.split('.')) found = (found as Record<string, unknown>)[part];
  const Constructor = found as ServiceClientConstructor;
  return new Constructor(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
}

/** A valid instance, to change one thing about. */
export const instance = (overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  service_name: 'payment',
  instance_id: 'p1',
  host: '10.0.0.1',
  port: 8080,
  ...overrides,
});

type Callback<T> = (error: ServiceError | null, value?: T) => void;

/** A unary call as a promise. */
export function call<T>(start: (callback: Callback<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error !== null) reject(error);
      else if (value === undefined) reject(new Error('an answer without a message'));
      else resolve(value);
    });
  });
}

export interface Failure {
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export function failureOf(error: ServiceError): Failure {
  const trailer = error.metadata.get(STATUS_DETAILS_KEY)[0];
  const details = trailer instanceof Buffer ? decodeStatusDetails(trailer) : undefined;
  return {
    code: error.code,
    message: error.details,
    reason: details?.reason,
    field: details?.violations?.[0]?.field,
    retryAfterMs: details?.retryAfterMs,
  };
}

/** How a unary call failed; throws when it did not. */
export async function failure(answer: Promise<unknown>): Promise<Failure> {
  try {
    await answer;
  } catch (error) {
    return failureOf(error as ServiceError);
  }
  throw new Error('the call was answered');
}
