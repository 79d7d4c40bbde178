// The one method of rollcall.peer.v1.Peer, written out so that messages pass as the bytes that wire.ts makes and reads.
import type { MethodDefinition } from '@grpc/grpc-js';

const asBytes = (bytes: Buffer): Buffer => bytes;

export const exchange = {
  path: '/rollcall.peer.v1.Peer/Exchange',
  requestStream: true,
  responseStream: true,
  requestSerialize: asBytes,
  requestDeserialize: asBytes,
  responseSerialize: asBytes,
  responseDeserialize: asBytes,
} as const satisfies MethodDefinition<Buffer, Buffer>;

export const peerService = { exchange };
