// What a leader knows about one peer (Figure 2, volatile state on leaders: nextIndex, matchIndex), with the flow state
// around it. A union by `kind` leaves room for a third state in which the peer receives a snapshot.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type NodeId } from '../lib/ids.ts';
import type { RaftConfig } from './config.ts';
import {
  addInflight,
  clearInflight,
  createInflight,
  freeTo,
  type Inflight,
  isFull,
} from './inflight.ts';
import type { Session } from './messages.ts';

/** Where the peer's log agrees with ours is not known: one message at a time, each a question. */
interface Probing {
  readonly kind: 'probe';
  /** A question is out; the next waits for its answer, or for a heartbeat that was sent later and answered. */
  asked: boolean;
  heartbeatSinceAsked: boolean;
}
/** The logs agree up to nextIndex - 1 if nothing is lost: entries are streamed within the inflight window. */
interface Replicating {
  readonly kind: 'replicate';
  /** Ticks since the last acknowledgement that moved matchIndex, counted only while something is in flight. */
  stalledTicks: number;
}

export interface Progress {
  readonly peer: NodeId;
  readonly inflight: Inflight;
  session: Session;
  flow: Probing | Replicating;
  matchIndex: LogIndex;
  nextIndex: LogIndex;
  /** The highest leaderCommit told to the peer in this session. */
  commitTold: LogIndex;
  /** The highest read round the peer has answered. */
  ackedRound: number;
  /** The peer answered something in the current check-quorum window. */
  active: boolean;
  /** Names the evicted entries that the host is reading for this peer. */
  fetchTicket: number | undefined;
}

export function createProgress(
  config: RaftConfig,
  peer: NodeId,
  session: Session,
  nextIndex: LogIndex,
): Progress {
  return {
    peer,
    inflight: createInflight(config.maxInflightMessages, config.maxInflightBytes),
    session,
    flow: { kind: 'probe', asked: false, heartbeatSinceAsked: false },
    matchIndex: logIndex(0),
    nextIndex,
    commitTold: logIndex(0),
    ackedRound: 0,
    active: false,
    fetchTicket: undefined,
  };
}

/** Back to asking. Whatever was in flight may be lost, so the peer is asked from just after what it is known to hold. */
export function becomeProbing(progress: Progress, nextIndex: LogIndex): void {
  assert(nextIndex > progress.matchIndex, 'a peer is never asked below what it holds');
  progress.flow = { kind: 'probe', asked: false, heartbeatSinceAsked: false };
  progress.nextIndex = nextIndex;
  progress.fetchTicket = undefined;
  clearInflight(progress.inflight);
}

/** A new replication session: replies that are still under way no longer count. What was taken in stays, because neither a
 * durable acknowledgement nor an answered round of this term can be taken back; everything inferred from traffic goes. */
export function renewSession(progress: Progress, session: Session): void {
  progress.session = session;
  progress.commitTold = logIndex(0);
  becomeProbing(progress, logIndex(progress.matchIndex + 1));
}

/** Takes in a successful acknowledgement. True when matchIndex rose. */
export function acknowledge(progress: Progress, matchIndex: LogIndex): boolean {
  const rose = matchIndex > progress.matchIndex;
  if (rose) progress.matchIndex = matchIndex;
  if (progress.flow.kind === 'probe') {
    progress.flow = { kind: 'replicate', stalledTicks: 0 };
    progress.nextIndex = logIndex(progress.matchIndex + 1);
  } else if (rose) {
    progress.flow.stalledTicks = 0;
    if (progress.nextIndex <= matchIndex) progress.nextIndex = logIndex(matchIndex + 1);
  }
  freeTo(progress.inflight, progress.matchIndex);
  return rose;
}

/** Takes in a refusal of the AppendEntries after `refused`; `lookNext` is where the hint says the logs may agree. False:
 * the refusal answers a question that is no longer open. */
export function backtrack(progress: Progress, refused: LogIndex, lookNext: number): boolean {
  if (refused <= progress.matchIndex) return false;
  if (progress.flow.kind === 'probe' && refused !== progress.nextIndex - 1) return false;
  const lowest = progress.matchIndex + 1;
  becomeProbing(progress, logIndex(Math.max(lowest, Math.min(lookNext, refused))));
  return true;
}

/** Books one AppendEntries of `count` entries from nextIndex. */
export function noteSent(progress: Progress, count: number, bytes: number): void {
  if (progress.flow.kind === 'probe') {
    progress.flow.asked = true;
    progress.flow.heartbeatSinceAsked = false;
    return;
  }
  if (count === 0) return;
  const lastIndex = logIndex(progress.nextIndex + count - 1);
  addInflight(progress.inflight, lastIndex, bytes);
  progress.nextIndex = logIndex(lastIndex + 1);
}

/** True when flow control lets a message with entries go out. */
export function maySend(progress: Progress): boolean {
  return progress.flow.kind === 'probe' ? !progress.flow.asked : !isFull(progress.inflight);
}
