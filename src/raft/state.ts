// The whole state of one node. Figure 2's "state" boxes, with the role as a union: what only a leader or only a
// candidate knows lives in that role's object and ends with it.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex, type NodeId, type Term } from '../lib/ids.ts';
import { type Random, seededRandom } from '../lib/random.ts';
import { type RaftConfig, validateRaftConfig } from './config.ts';
import { type History, type InEffect, newest, openHistory } from './history.ts';
import type { Token } from './input.ts';
import { lastTerm, openLog, type RaftLog } from './log.ts';
import type { Session } from './messages.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import type { Progress } from './progress.ts';
import type { Configuration, HardState, LogEntry, LogFloor, Membership, TermRun } from './types.ts';

/** When this node campaigns next. */
export interface ElectionTimer {
  elapsedTicks: number;
  /** Drawn once, when the timer is made. */
  readonly timeoutTicks: number;
  /** More than 0 after the leader's process was seen to be gone: the node campaigns again after a few ticks while refused.
   * It counts down, so that one wrong report does not make a node pester its peers for ever. */
  hurriedTicks: number;
}

/** Reads of this node that wait for the leader's answer. */
export interface ForwardedReads {
  /** Waiting for the next Ready, which sends them under one context. */
  queued: Token[];
  readonly waiting: Map<number, { readonly tokens: readonly Token[]; ageTicks: number }>;
  /** Tokens in `queued` and `waiting` together. */
  pending: number;
}

export interface Follower {
  readonly kind: 'follower';
  leader: NodeId | undefined;
  timer: ElectionTimer;
  /** Ticks since the leader was last heard: stickiness ends with electionTicks. */
  silentTicks: number;
  /** In which the leader has asked this node to pull a snapshot, and in which that was answered; 0 for none. */
  snapshotSession: Session;
  answeredSession: Session;
  readonly reads: ForwardedReads;
}

/** Who has answered, this node included once its own answer counts. */
export type Ballot = Map<NodeId, boolean>;

export interface PreCandidate {
  readonly kind: 'preCandidate';
  readonly ballot: Ballot;
  timer: ElectionTimer;
}

export interface Candidate {
  readonly kind: 'candidate';
  readonly ballot: Ballot;
  timer: ElectionTimer;
}

/** A read that waits for a round: a token of this node, or a follower's context. */
export type ReadRequest =
  | { readonly kind: 'local'; readonly token: Token }
  | { readonly kind: 'remote'; readonly from: NodeId; readonly context: number };

/** A question to all peers whether this node still leads. `index` was the commit index when it was asked. */
interface ReadRound {
  readonly round: number;
  readonly index: LogIndex;
  readonly requests: readonly ReadRequest[];
}

interface LeaderReads {
  queued: ReadRequest[];
  /** Oldest first. */
  readonly rounds: ReadRound[];
  /** Requests in `queued` and `rounds` together. */
  pending: number;
  /** Rises by one with each round, so no round is reused within the term. */
  lastRound: number;
}

/** Leadership on its way to another node. */
interface Transfer {
  readonly target: NodeId;
  /** This leader is no voter any more and ends with the transfer, whatever comes of it. */
  leaves: boolean;
  /** The target holds the log and has been told to campaign. */
  sent: boolean;
  elapsedTicks: number;
}

export interface Leader {
  readonly kind: 'leader';
  /** One per other member, ascending by id; replaced as a whole when the configuration changes. */
  progress: readonly Progress[];
  transfer: Transfer | undefined;
  readonly reads: LeaderReads;
  heartbeatElapsedTicks: number;
  /** Ticks into the current check-quorum window. */
  windowTicks: number;
  /** After a clock gap, until a majority has answered again: this node no longer believes that it is being listened to. */
  contactInDoubt: boolean;
  /** True once an entry of this leader's own term is committed. */
  committedInTerm: boolean;
  uncommittedBytes: number;
}

export type RoleState = Follower | PreCandidate | Candidate | Leader;

/** A batch handed out and not yet reported durable. */
export interface IssuedBatch {
  readonly sequence: number;
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  /** The log is durable up to here once the batch is. Lowered when a later truncation drops part of what was issued, so a
   * late completion cannot vouch for entries that were appended again at the same indexes. */
  stableTo: LogIndex;
  /** When it was issued, in `RaftState.ticks`. */
  issuedAtTick: number;
  /** The host has stood still since then. */
  forgiven: boolean;
}

export interface RaftState {
  readonly config: RaftConfig;
  readonly id: NodeId;
  /** The configuration at the floor and those after it. */
  history: History;
  /** The newest of them, which is the one in effect. */
  members: InEffect;
  readonly random: Random;
  readonly log: RaftLog;
  /** Peers whose process was reported gone and that have not been heard since. */
  readonly gone: Set<NodeId>;
  /** Oldest first. */
  readonly outstanding: IssuedBatch[];
  /** Ticks of this life. */
  ticks: number;
  /** The oldest write took too long and not all writes have finished since: this node does not campaign. */
  diskInDoubt: boolean;
  /** A snapshot up to here is being put in the place of the state. */
  installing: LogIndex | undefined;
  /** Until a snapshot is asked for again, where the state is missing. */
  wantTicks: number;
  /** The one that a Ready has said last. */
  configurationTold: Configuration | undefined;
  outbox: Outbox;
  role: RoleState;
  term: Term;
  votedFor: NodeId | undefined;
  commitIndex: LogIndex;
  /** Given to the host in Ready.committed up to here. */
  handedOutIndex: LogIndex;
  appliedIndex: LogIndex;
  /** Term, vote and floor as of the last batch issued. */
  issuedTerm: Term;
  issuedVote: NodeId | undefined;
  issuedFloor: LogIndex;
  lastSequence: number;
  lastSession: number;
  lastContext: number;
  lastTicket: number;
}

/** What a node knows when it (re)starts: exactly what was persisted, nothing else. */
export interface RaftStart {
  readonly config: RaftConfig;
  readonly hardState: HardState;
  /** Where the log begins; index 0 for a whole log. */
  readonly floor: LogFloor;
  /** The configurations that entries after the floor brought, ascending. */
  readonly configurations: readonly Configuration[];
  /** Term runs of the entries after the floor, ascending; empty where there are none. */
  readonly runs: readonly TermRun[];
  readonly lastIndex: LogIndex;
  /** The entries after `appliedIndex` and the floor, up to lastIndex: not yet applied, so they must be at hand. */
  readonly tail: readonly LogEntry[];
  /** Below the floor: the state has been lost, and a snapshot has to bring it back. */
  readonly appliedIndex: LogIndex;
}

export function createState(start: RaftStart): RaftState {
  const config = validateRaftConfig(start.config);
  const { hardState, floor, lastIndex, appliedIndex } = start;
  const log = openLog(start, config.maxCachedBytes);
  assert(hardState.term >= lastTerm(log), 'the term is at least that of the last entry');
  assert(hardState.commitIndex <= lastIndex, 'what was known to be committed is in the log');
  assert(appliedIndex <= lastIndex, 'nothing is applied beyond the durable log');
  const needed = Math.max(appliedIndex, floor.index) + 1;
  assert(log.firstCached <= needed, 'every entry not yet applied is at hand');
  const history = openHistory(config.membershipOf, floor.configuration, start.configurations);
  const random = seededRandom(config.seed);
  return {
    config,
    id: config.id,
    history,
    members: newest(history),
    random,
    log,
    gone: new Set(),
    outstanding: [],
    ticks: 0,
    diskInDoubt: false,
    installing: undefined,
    wantTicks: 0,
    configurationTold: undefined,
    outbox: createOutbox(),
    role: createFollower(undefined, firstTimer(config, newest(history).membership, random)),
    term: hardState.term,
    votedFor: hardState.votedFor,
    commitIndex: logIndex(Math.max(hardState.commitIndex, appliedIndex, floor.index)),
    handedOutIndex: appliedIndex,
    appliedIndex,
    issuedTerm: hardState.term,
    issuedVote: hardState.votedFor,
    issuedFloor: floor.index,
    lastSequence: 0,
    lastSession: 0,
    // A restarted node counts on from a place of its own, so that an answer to its former life matches no read of this one.
    lastContext: random.integer(0, 2 ** 31) * 2 ** 20,
    lastTicket: 0,
  };
}

/** A node that starts leaves a leader it does not know of time to be heard. The only voter has nobody to wait for. */
function firstTimer(config: RaftConfig, { voters }: Membership, random: Random): ElectionTimer {
  const timer = drawTimer(config, random);
  return voters.length === 1 && voters[0] === config.id ? { ...timer, timeoutTicks: 1 } : timer;
}

/** A full election timeout, from [electionTicks, 2 * electionTicks). */
export function drawTimer(config: RaftConfig, random: Random): ElectionTimer {
  const timeoutTicks = random.integer(config.electionTicks, 2 * config.electionTicks);
  return { elapsedTicks: 0, timeoutTicks, hurriedTicks: 0 };
}

/** The short delay before a campaign against a leader that is gone; `hurriedTicks` of hurry are left. The survivors take
 * turns, in an order that moves on with the term: who is first need not wait, and the next does not split its votes. Chance
 * still decides a little, for nodes that do not agree on who is left. */
export function drawHurriedTimer(state: RaftState, hurriedTicks: number): ElectionTimer {
  const left = state.members.membership.voters.filter((voter) => !state.gone.has(voter));
  const place = Math.max(0, left.indexOf(state.id));
  const turn = (place + state.term) % Math.max(1, left.length);
  const earliestTicks = 1 + TURN_TICKS * turn;
  const timeoutTicks = state.random.integer(earliestTicks, earliestTicks + TURN_TICKS);
  return { elapsedTicks: 0, timeoutTicks, hurriedTicks };
}

/** Enough for a pre-vote and its answer. */
const TURN_TICKS = 2;

export function createFollower(leader: NodeId | undefined, timer: ElectionTimer): Follower {
  return {
    kind: 'follower',
    leader,
    timer,
    silentTicks: 0,
    snapshotSession: 0,
    answeredSession: 0,
    reads: { queued: [], waiting: new Map(), pending: 0 },
  };
}

/** The leader of the current term as far as this node knows. */
export function leaderOf(state: RaftState): NodeId | undefined {
  const role = state.role;
  switch (role.kind) {
    case 'leader':
      return state.id;
    case 'follower':
      return role.leader;
    case 'preCandidate':
    case 'candidate':
      return undefined;
  }
}
