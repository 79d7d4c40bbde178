// The public surface of the client. It knows the contract (rpc/) and no code of the server.
export { takeBackup } from './backup.ts';
export { ClientError } from './client-error.ts';
export { RegistryClient } from './registry-client.ts';
export type { ClientRuntime } from './runtime.ts';
export { watch } from './watch.ts';
