// Typed client constructors over the loaded .proto files: what the SDK and the command line call a node with.
import { loadPackageDefinition } from '@grpc/grpc-js';
import type { ProtoGrpcType as ClusterPackage } from './gen/cluster.ts';
import type { ProtoGrpcType as RegistryPackage } from './gen/registry.ts';
import { publicProtos } from './protos.ts';

export interface ClientConstructors {
  readonly Registry: RegistryPackage['rollcall']['v1']['Registry'];
  readonly Cluster: ClusterPackage['rollcall']['v1']['Cluster'];
}

let constructors: ClientConstructors | undefined;

/** Messages are plain objects in the shape of src/rpc/gen: snake_case, 64-bit numbers as strings, enums as their names. */
export function clientConstructors(): ClientConstructors {
  if (constructors === undefined) {
    const loaded = loadPackageDefinition(publicProtos()) as unknown as RegistryPackage &
      ClusterPackage;
    constructors = loaded.rollcall.v1;
  }
  return constructors;
}
