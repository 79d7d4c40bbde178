// The public surface of the core: one factory, one synchronous object.
export type { RaftConfig } from './config.ts';
export { raftDefaults } from './config.ts';
export type { Input, Proposal, Token } from './input.ts';
export type * from './messages.ts';
export { createRaft, type Raft } from './raft.ts';
export type * from './ready.ts';
export type { RaftStart } from './state.ts';
export type * from './types.ts';
