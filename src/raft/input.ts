// Everything that can happen to the core. One input is one synchronous step.
import type { LogIndex, NodeId, Term } from '../lib/ids.ts';
import type { Message } from './messages.ts';
import type { Configuration, LogEntry } from './types.ts';

/** The host's own number for a proposal or a read; echoed in Ready. The host never reuses one. */
export type Token = number;

export interface Proposal {
  readonly token: Token;
  readonly payload: Uint8Array;
}

export type Input =
  /** One tick of the host's monotonic clock (10 ms; RaftConfig counts in them). */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: Message }
  /** Append to the log if this node leads; otherwise each proposal comes back in Ready.rejected. */
  | { readonly kind: 'propose'; readonly proposals: readonly Proposal[] }
  /** Append a membership entry (dissertation 4.1). `payload` is a configuration that differs from the current one in at most
   * one voter or one learner; adding, promoting and removing are all expressed so. Answered like a proposal: Ready.appended,
   * or Ready.rejected with the rule it broke. */
  | { readonly kind: 'proposeMembership'; readonly token: Token; readonly payload: Uint8Array }
  /** Hand leadership over (dissertation 3.10); undefined picks the voter that holds most of the log. Proposals are rejected as
   * `transferring` until another node leads or an election timeout has passed; ignored where this node does not lead or
   * nobody can take over. */
  | { readonly kind: 'transferLeadership'; readonly target: NodeId | undefined }
  /** A snapshot that this node pulled is verified and on stable storage, beside the current state and not yet in its place.
   * Answered by Ready.install, or by nothing when the log has moved beyond it. */
  | {
      readonly kind: 'snapshotReceived';
      readonly index: LogIndex;
      readonly term: Term;
      readonly configuration: Configuration;
    }
  /** The state up to here is durable outside the log, for good: entries up to it may go. Ignored unless it raises the floor. */
  | { readonly kind: 'compact'; readonly index: LogIndex }
  /** Ask for an index that a linearizable read must wait for. Works on every node; answered in Ready.reads or .rejected. */
  | { readonly kind: 'readIndex'; readonly token: Token }
  /** The batch with this sequence, and every one before it, is on stable storage. */
  | { readonly kind: 'persisted'; readonly sequence: number; readonly term: Term }
  /** The host has applied up to here. */
  | { readonly kind: 'applied'; readonly index: LogIndex }
  /** Entries that Ready.fetch asked for, read back from the host's log store. */
  | {
      readonly kind: 'fetched';
      readonly ticket: number;
      readonly entries: readonly LogEntry[];
    }
  /** The stream to this peer broke: what was in flight may be lost. Says nothing about whether the peer lives. */
  | { readonly kind: 'peerUnreachable'; readonly peer: NodeId }
  /** The stream broke and a redial was refused or stayed unanswered for two heartbeats: the peer's process is gone. */
  | { readonly kind: 'peerDisconnected'; readonly peer: NodeId }
  /** The host did not run for this many ticks: forfeit what was inferred from elapsed time. */
  | { readonly kind: 'clockGap'; readonly ticks: number };
