// What a leader knows about one peer (Figure 2, volatile state on leaders: nextIndex, matchIndex), with the flow state
// around it: asked where it stands, streamed to, or in need of a snapshot.
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

/** The entries the peer needs next are gone: it has been told to pull a snapshot, and gets none until it has one. */
interface Awaiting {
  readonly kind: 'snapshot';
  /** It has been told, `quietTicks` ago. */
  said: boolean;
  quietTicks: number;
}

export interface Progress {
  readonly peer: NodeId;
  /** Counts for elections, commitment and rounds. False for a learner. */
  voter: boolean;
  readonly inflight: Inflight;
  session: Session;
  flow: Probing | Replicating | Awaiting;
  matchIndex: LogIndex;
  nextIndex: LogIndex;
  /** The highest leaderCommit told to the peer in this session. */
  commitTold: LogIndex;
  /** The highest read round the peer has answered. */
  ackedRound: number;
  /** The peer answered something in the current check-quorum window. */
  active: boolean;
  /** It did in the window before. */
  activeBefore: boolean;
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
    voter: false,
    inflight: createInflight(config.maxInflightMessages, config.maxInflightBytes),
    session,
    flow: { kind: 'probe', asked: false, heartbeatSinceAsked: false },
    matchIndex: logIndex(0),
    nextIndex,
    commitTold: logIndex(0),
    ackedRound: 0,
    active: false,
    activeBefore: false,
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
 * durable acknowledgement nor an answered round of this term can be taken back; everything inferred from traffic goes. But a learner may
 * be a data-dir that began anew before it knew that it is a member (G14): it is asked once more where it was. */
export function renewSession(progress: Progress, session: Session): void {
  progress.session = session;
  progress.commitTold = logIndex(0);
  const next = logIndex(progress.matchIndex + 1);
  if (!progress.voter) progress.matchIndex = logIndex(0);
  becomeProbing(progress, next);
}

/** Takes in a successful acknowledgement. True when matchIndex rose. */
export function acknowledge(progress: Progress, matchIndex: LogIndex): boolean {
  assert(
    progress.flow.kind !== 'snapshot',
    'who awaits a snapshot was sent nothing to acknowledge',
  );
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
  if (refused <= progress.matchIndex || progress.flow.kind === 'snapshot') return false;
  if (progress.flow.kind === 'probe' && refused !== progress.nextIndex - 1) return false;
  const lowest = progress.matchIndex + 1;
  becomeProbing(progress, logIndex(Math.max(lowest, Math.min(lookNext, refused))));
  return true;
}

/** Books one AppendEntries of `count` entries from nextIndex. */
export function noteSent(progress: Progress, count: number, bytes: number): void {
  assert(progress.flow.kind !== 'snapshot', 'who awaits a snapshot is sent no entries');
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
  const { flow } = progress;
  switch (flow.kind) {
    case 'probe':
      return !flow.asked;
    case 'replicate':
      return !isFull(progress.inflight);
    case 'snapshot':
      return false;
  }
}

/** It answered within the last check-quorum window or this one. */
export function wasHeard(progress: Progress): boolean {
  return progress.active || progress.activeBefore;
}
