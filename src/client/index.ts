// The public surface of the client. It knows the contract (rpc/) and no code of the server.
export { ClientError, type Fate } from './client-error.ts';
export { RegistryClient, type RegistryClientOptions } from './registry-client.ts';
export type { ClientRuntime } from './runtime.ts';
export { watch, type WatchOptions } from './watch.ts';
