// Service definitions whose messages stay bytes. The server decodes requests in one pass and assembles responses from
// parts that are encoded already, so nothing goes through an object twice.
import type { ServiceDefinition } from '@grpc/grpc-js';
import type { ServiceDefinition as LoadedService } from '@grpc/proto-loader';
import { publicProtos } from './protos.ts';

/** Full names of the services a node offers to clients. */
export const serviceNames = {
  registry: 'rollcall.v1.Registry',
  cluster: 'rollcall.v1.Cluster',
  health: 'grpc.health.v1.Health',
} as const;

export type ServiceName = (typeof serviceNames)[keyof typeof serviceNames];

/** grpc-js demands Buffers; these are handed through untouched. */
const identity = (bytes: Buffer): Buffer => bytes;

/** The service as in its .proto file, with identity serializers on both sides: also good for makeGenericClientConstructor. */
export function rawService(name: ServiceName): ServiceDefinition {
  const service = publicProtos()[name] as LoadedService;
  return Object.fromEntries(
    Object.entries(service).map(([method, { path, requestStream, responseStream }]) => [
      method,
      {
        path,
        requestStream,
        responseStream,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    ]),
  );
}
