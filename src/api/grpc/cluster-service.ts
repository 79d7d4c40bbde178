// The Cluster service: Status is served here and now; what changes the cluster is in the contract, not in this version,
// and refused by name. (Once it exists it is taken from loopback only, unless --allow-remote-admin.)
import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import { RegistryError } from '../../lib/registry-error.ts';
import { type Door, failureOf, unary } from './call.ts';
import { encodeStatusResponse } from './encode.ts';

const MISSING = [
  'AddMember',
  'PromoteMember',
  'RemoveMember',
  'TransferLeadership',
  'SaveSnapshot',
] as const;

function refuse(method: string): RegistryError {
  return new RegistryError('unimplemented', `rollcall.v1.Cluster/${method}: not in this version`);
}

export function clusterHandlers(door: Door) {
  const refuseUnary = (method: string): handleUnaryCall<Buffer, Buffer> =>
    unary(door, () => Promise.reject(refuse(method)));
  const refuseStream = (method: string): handleServerStreamingCall<Buffer, Buffer> => {
    return (call) => {
      call.emit('error', failureOf(door, call, refuse(method)));
    };
  };
  const [add, promote, remove, transfer, save] = MISSING;
  return {
    Status: unary(door, async () => encodeStatusResponse(door.node.status(), door.version)),
    AddMember: refuseUnary(add),
    PromoteMember: refuseUnary(promote),
    RemoveMember: refuseUnary(remove),
    TransferLeadership: refuseUnary(transfer),
    SaveSnapshot: refuseStream(save),
  };
}
