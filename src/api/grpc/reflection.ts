// Server reflection, v1 and v1alpha, over the public .proto files: what grpcurl and clients in other languages ask for.
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { publicProtos } from '../../rpc/protos.ts';

export function addReflection(server: Server): void {
  new ReflectionService(publicProtos()).addToServer(server);
}
