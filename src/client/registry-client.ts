// A typed client of a cluster: every call goes to one endpoint and fails over to the others.
import {
  type CallOptions,
  type ClientUnaryCall,
  credentials,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';
import { clientConstructors } from '../rpc/clients.ts';
import type { ClusterClient } from '../rpc/gen/rollcall/v1/Cluster.ts';
import type { DeregisterRequest } from '../rpc/gen/rollcall/v1/DeregisterRequest.ts';
import type { DeregisterResponse__Output } from '../rpc/gen/rollcall/v1/DeregisterResponse.ts';
import type { GetInstanceRequest } from '../rpc/gen/rollcall/v1/GetInstanceRequest.ts';
import type { GetInstanceResponse__Output } from '../rpc/gen/rollcall/v1/GetInstanceResponse.ts';
import type { HeartbeatRequest } from '../rpc/gen/rollcall/v1/HeartbeatRequest.ts';
import type { HeartbeatResponse__Output } from '../rpc/gen/rollcall/v1/HeartbeatResponse.ts';
import type { Member } from '../rpc/gen/rollcall/v1/Member.ts';
import type { MembersResponse__Output } from '../rpc/gen/rollcall/v1/MembersResponse.ts';
import type { ListInstancesRequest } from '../rpc/gen/rollcall/v1/ListInstancesRequest.ts';
import type { ListInstancesResponse__Output } from '../rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { ListServicesRequest } from '../rpc/gen/rollcall/v1/ListServicesRequest.ts';
import type { ListServicesResponse__Output } from '../rpc/gen/rollcall/v1/ListServicesResponse.ts';
import type { RegisterBatchRequest } from '../rpc/gen/rollcall/v1/RegisterBatchRequest.ts';
import type { RegisterBatchResponse__Output } from '../rpc/gen/rollcall/v1/RegisterBatchResponse.ts';
import type { RegisterRequest } from '../rpc/gen/rollcall/v1/RegisterRequest.ts';
import type { RegisterResponse__Output } from '../rpc/gen/rollcall/v1/RegisterResponse.ts';
import type { RegistryClient as RegistryStub } from '../rpc/gen/rollcall/v1/Registry.ts';
import type { SetStatusRequest } from '../rpc/gen/rollcall/v1/SetStatusRequest.ts';
import type { SetStatusResponse__Output } from '../rpc/gen/rollcall/v1/SetStatusResponse.ts';
import type { StatusResponse__Output } from '../rpc/gen/rollcall/v1/StatusResponse.ts';
import { ClientError, clientErrorFrom } from './client-error.ts';
import { type Attempt, changeCluster } from './cluster-change.ts';
import { withFailover } from './retry.ts';
import type { ClientRuntime } from './runtime.ts';

export interface RegistryClientOptions {
  /** host:port each, at least one. The first that answers is kept until it fails. */
  readonly endpoints: readonly string[];
  /** For one call over all its tries, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  readonly runtime: ClientRuntime;
}

export interface CallContext {
  readonly signal?: AbortSignal;
}

type Start<T, Stub = RegistryStub> = (
  stub: Stub,
  options: CallOptions,
  callback: requestCallback<T>,
) => ClientUnaryCall;

const DEFAULT_TIMEOUT_MS = 10_000;

/** Quick to notice a dead peer and quick to come back: a cluster elects a leader in well under a second. */
const CHANNEL_OPTIONS = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.enable_retries': 0,
};

/** Open until close(). All calls reject with ClientError. Writes must carry a request_id, or a retry may apply twice. */
export class RegistryClient {
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly runtime: ClientRuntime;
  readonly #stubs = new Map<string, RegistryStub>();
  readonly #clusterStubs = new Map<string, ClusterClient>();
  #preferred = 0;

  constructor(options: RegistryClientOptions) {
    this.endpoints = options.endpoints;
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.runtime = options.runtime;
  }

  register(request: RegisterRequest, context?: CallContext): Promise<RegisterResponse__Output> {
    return this.#call((stub, options, done) => stub.register(request, options, done), context);
  }

  registerBatch(
    request: RegisterBatchRequest,
    context?: CallContext,
  ): Promise<RegisterBatchResponse__Output> {
    return this.#call((stub, options, done) => stub.registerBatch(request, options, done), context);
  }

  deregister(
    request: DeregisterRequest,
    context?: CallContext,
  ): Promise<DeregisterResponse__Output> {
    return this.#call((stub, options, done) => stub.deregister(request, options, done), context);
  }

  heartbeat(request: HeartbeatRequest, context?: CallContext): Promise<HeartbeatResponse__Output> {
    return this.#call((stub, options, done) => stub.heartbeat(request, options, done), context);
  }

  setStatus(request: SetStatusRequest, context?: CallContext): Promise<SetStatusResponse__Output> {
    return this.#call((stub, options, done) => stub.setStatus(request, options, done), context);
  }

  getInstance(
    request: GetInstanceRequest,
    context?: CallContext,
  ): Promise<GetInstanceResponse__Output> {
    return this.#call((stub, options, done) => stub.getInstance(request, options, done), context);
  }

  listInstances(
    request: ListInstancesRequest,
    context?: CallContext,
  ): Promise<ListInstancesResponse__Output> {
    return this.#call((stub, options, done) => stub.listInstances(request, options, done), context);
  }

  listServices(
    request: ListServicesRequest,
    context?: CallContext,
  ): Promise<ListServicesResponse__Output> {
    return this.#call((stub, options, done) => stub.listServices(request, options, done), context);
  }

  /** One node's view of itself; asks that node and no other. */
  status(endpoint: string, timeoutMs: number): Promise<StatusResponse__Output> {
    return this.#once(endpoint, timeoutMs, undefined, (options, done) =>
      this.clusterStub(endpoint).status({}, options, done),
    );
  }

  /** Announces a node, or asks for the node itself where an incarnation is given. */
  addMember(member: Member, context?: CallContext): Promise<MembersResponse__Output> {
    return this.#change(
      (stub, options, done) => stub.addMember({ member }, options, done),
      context,
    );
  }

  promoteMember(nodeId: string, context?: CallContext): Promise<MembersResponse__Output> {
    const request = { node_id: nodeId };
    return this.#change(
      (stub, options, done) => stub.promoteMember(request, options, done),
      context,
    );
  }

  removeMember(nodeId: string, context?: CallContext): Promise<MembersResponse__Output> {
    const request = { node_id: nodeId };
    return this.#change(
      (stub, options, done) => stub.removeMember(request, options, done),
      context,
    );
  }

  /** '': to the follower that lacks least. Answers as the node asked sees itself afterwards. */
  transferLeadership(nodeId: string, context?: CallContext): Promise<StatusResponse__Output> {
    const request = { node_id: nodeId };
    return this.#change(
      (stub, options, done) => stub.transferLeadership(request, options, done),
      context,
    );
  }

  /** The stub of one endpoint, for streams. */
  stub(endpoint: string): RegistryStub {
    const { Registry } = clientConstructors();
    return reuse(
      this.#stubs,
      endpoint,
      () => new Registry(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS),
    );
  }

  /** The same for the cluster's own affairs. */
  clusterStub(endpoint: string): ClusterClient {
    const { Cluster } = clientConstructors();
    return reuse(
      this.#clusterStubs,
      endpoint,
      () => new Cluster(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS),
    );
  }

  close(): void {
    for (const stub of this.#stubs.values()) stub.close();
    for (const stub of this.#clusterStubs.values()) stub.close();
  }

  #change<T>(start: Start<T, ClusterClient>, context: CallContext | undefined): Promise<T> {
    const { endpoints, timeoutMs, runtime } = this;
    const signal = context?.signal;
    const attempt: Attempt<T> = (endpoint, limitMs) =>
      this.#once(endpoint, limitMs, signal, (options, done) =>
        start(this.clusterStub(endpoint), options, done),
      );
    const status = (endpoint: string, limitMs: number): Promise<StatusResponse__Output> =>
      this.status(endpoint, limitMs);
    return changeCluster({ endpoints, timeoutMs, runtime, signal, status }, attempt);
  }

  async #call<T>(start: Start<T>, context: CallContext | undefined): Promise<T> {
    const { value, answeredBy } = await withFailover<T>(
      {
        endpoints: this.endpoints,
        first: this.#preferred,
        timeoutMs: this.timeoutMs,
        runtime: this.runtime,
        signal: context?.signal,
      },
      (endpoint, timeoutMs) =>
        this.#once(endpoint, timeoutMs, context?.signal, (options, done) =>
          start(this.stub(endpoint), options, done),
        ),
    );
    this.#preferred = answeredBy;
    return value;
  }

  #once<T>(
    endpoint: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    start: (options: CallOptions, callback: requestCallback<T>) => ClientUnaryCall,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.runtime.unixNow() + timeoutMs;
      const cancel = (): void => call.cancel();
      const call = start({ deadline }, (error: ServiceError | null, value?: T) => {
        signal?.removeEventListener('abort', cancel);
        if (error !== null) reject(clientErrorFrom(error, endpoint));
        else if (value !== undefined) resolve(value);
        else
          reject(new ClientError('an answer without content', { fate: 'unknown', status: 'OK' }));
      });
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}

function reuse<T>(stubs: Map<string, T>, endpoint: string, create: () => T): T {
  const known = stubs.get(endpoint);
  if (known !== undefined) return known;
  const created = create();
  stubs.set(endpoint, created);
  return created;
}
