// An ordinary gRPC client of the public contract, as somebody outside this repository would write it: proto-loader on the
// .proto files, grpc-js, no code of the server. One client per node address, own connection.
import { join } from 'node:path';
import {
  type CallOptions,
  credentials,
  loadPackageDefinition,
  type ServiceError,
  type ClientUnaryCall,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType as ClusterTypes } from '../../src/rpc/gen/cluster.ts';
import type { ProtoGrpcType as RegistryTypes } from '../../src/rpc/gen/registry.ts';
import type { ClusterClient } from '../../src/rpc/gen/rollcall/v1/Cluster.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { repositoryRoot } from './repository-root.ts';

const definition = loadSync(['rollcall/v1/registry.proto', 'rollcall/v1/cluster.proto'], {
  includeDirs: [join(repositoryRoot(), 'proto')],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const loaded = loadPackageDefinition(definition) as unknown as RegistryTypes & ClusterTypes;

const channelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
};

export function registryClient(address: string): RegistryClient {
  return new loaded.rollcall.v1.Registry(address, credentials.createInsecure(), channelOptions);
}

export function clusterClient(address: string): ClusterClient {
  return new loaded.rollcall.v1.Cluster(address, credentials.createInsecure(), channelOptions);
}

/** One unary call as a promise; `start` passes the callback on to the generated method. */
export function unary<T>(
  start: (
    options: CallOptions,
    callback: (error: ServiceError | null, value?: T) => void,
  ) => ClientUnaryCall,
  timeoutMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start({ deadline: Date.now() + timeoutMs }, (error, value) => {
      if (error !== null) reject(error);
      else if (value === undefined) reject(new Error('an answer without a message'));
      else resolve(value);
    });
  });
}

/** Cluster.Status of one node. */
export async function fetchStatus(
  address: string,
  timeoutMs: number,
): Promise<StatusResponse__Output> {
  const client = clusterClient(address);
  try {
    return await unary<StatusResponse__Output>(
      (options, callback) => client.status({}, options, callback),
      timeoutMs,
    );
  } finally {
    client.close();
  }
}
