// A gRPC server on loopback that speaks the public contract and answers what a test tells it to: for testing clients.
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { clientConstructors } from '../../src/rpc/clients.ts';

export type Answer =
  | { readonly kind: 'ok'; readonly message: object }
  | { readonly kind: 'error'; readonly code: status; readonly details: string };

/** What a stream sends, and how it ends; without an end it stays open and silent. */
export type WatchScript = (asked: Asked) => {
  readonly messages: readonly object[];
  readonly end?: { readonly code: status; readonly details: string };
};

export interface Asked {
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
}

const METHODS = [
  'Register',
  'RegisterBatch',
  'Deregister',
  'Heartbeat',
  'SetStatus',
  'GetInstance',
  'ListInstances',
  'ListServices',
] as const;

const CLUSTER_METHODS = [
  'Status',
  'AddMember',
  'PromoteMember',
  'RemoveMember',
  'TransferLeadership',
] as const;

export class ScriptedRegistry {
  /** Every call so far, in the order they arrived. */
  readonly asked: readonly Asked[];
  readonly endpoint: string;
  readonly #server: Server;

  private constructor(server: Server, endpoint: string, asked: readonly Asked[]) {
    this.#server = server;
    this.endpoint = endpoint;
    this.asked = asked;
  }

  /** `answer` is called for each unary call, in the order they arrive; `watch` for the first message of each stream. */
  static async start(
    answer: (asked: Asked) => Answer,
    watch?: WatchScript,
  ): Promise<ScriptedRegistry> {
    const server = new Server();
    const handlers: UntypedServiceImplementation = {};
    const asked: Asked[] = [];
    for (const method of METHODS) handlers[method] = unaryHandler(method, asked, answer);
    if (watch !== undefined) handlers['Watch'] = watchHandler(asked, watch);
    const { Registry, Cluster } = clientConstructors();
    server.addService(Registry.service, handlers);
    const changes: UntypedServiceImplementation = {};
    for (const method of CLUSTER_METHODS) changes[method] = unaryHandler(method, asked, answer);
    server.addService(Cluster.service, changes);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return new ScriptedRegistry(server, `127.0.0.1:${port}`, asked);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    return Promise.resolve();
  }
}

function watchHandler(
  asked: Asked[],
  watch: WatchScript,
): handleBidiStreamingCall<Readonly<Record<string, unknown>>, object> {
  return (call) => {
    call.once('data', (request: Readonly<Record<string, unknown>>) => {
      const one: Asked = { method: 'Watch', request };
      asked.push(one);
      const { messages, end } = watch(one);
      for (const message of messages) call.write(message);
      if (end !== undefined) call.emit('error', end);
    });
  };
}

function unaryHandler(
  method: string,
  asked: Asked[],
  answer: (asked: Asked) => Answer,
): handleUnaryCall<Readonly<Record<string, unknown>>, object> {
  return (call, callback) => {
    const one: Asked = { method, request: call.request };
    asked.push(one);
    const answered = answer(one);
    if (answered.kind === 'ok') {
      callback(null, answered.message);
      return;
    }
    const { code, details } = answered;
    const error: Partial<ServiceError> = { code, details, metadata: new Metadata() };
    callback(error);
  };
}
