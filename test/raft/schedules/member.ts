// One node of a schedule: a real core, its disk, its state machine, and what an observer can know of it.
import { present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId } from '../../../src/lib/ids.ts';
import {
  createRaft,
  type FetchRequest,
  type Input,
  type LogEntry,
  type Raft,
  type RaftView,
  raftDefaults,
} from '../../../src/raft/index.ts';
import { floorOf, membershipOf } from '../lone-node.ts';
import type { DiskPace, Schedule } from './action.ts';
import { type ChainLog, createChainLog, lastIndexOf, runsOf } from './chain-log.ts';
import { createDisk, type Disk, readLog } from './disk.ts';

const HEARTBEAT_TICKS = 2;
export const ELECTION_TICKS = 6;
const DISK_PATIENCE_TICKS = 6 * ELECTION_TICKS;

/** What inputs and outputs tell about a leader's view of its peers, worked out a second time and naively. */
export interface PeerWitness {
  /** The session of the newest message to the peer; replies of any other count for nothing. */
  session: number;
  /** Sessions up to here have ended. */
  endedSession: number;
  matchIndex: number;
  /** prevLogIndex of the last refused AppendEntries, -1 when none is open. */
  refusedAt: number;
}

/** What an observer concludes about one life of a node from what went in and came out. */
export interface Witness {
  /** Ticks since a leader of the current term was heard, or since there is none. */
  silentTicks: number;
  /** Ticks since anything that starts the election timeout anew. */
  patientTicks: number;
  /** The process of the leader was reported gone and no leader was heard since: it may campaign early. */
  hurried: boolean;
  /** As a leader of this term it went through a clock gap, so it may not claim to be heard. */
  doubtful: boolean;
  /** Set when elected: how many entries were committed by then, which its log must hold. */
  mustHold: number | undefined;
  /** Votes that reached this candidate, of `ballotTerm`. */
  readonly ballot: Set<NodeId>;
  ballotTerm: number;
  readonly peers: Map<NodeId, PeerWitness>;
}

/** The one step since the last Ready; undefined after several. */
export interface Cause {
  readonly input: Input;
  readonly before: RaftView;
  readonly after: RaftView;
}

export interface Member {
  readonly at: number;
  readonly id: NodeId;
  readonly disk: Disk;
  /** When (in steps) this node last took in a heartbeat, by term. */
  readonly heard: Map<number, number>;
  raft: Raft | undefined;
  life: number;
  /** The log as handed out in batches: what the core holds, as of its last Ready. */
  log: ChainLog;
  lastSequence: number;
  diskPace: DiskPace;
  slowApply: boolean;
  /** How many more inputs share the next Ready. */
  gathering: number;
  stepsSinceReady: number;
  cause: Cause | undefined;
  toApply: LogEntry[];
  handedOutIndex: number;
  appliedIndex: number;
  /** What the state machine's own store holds: where a restart begins to apply. */
  flushedIndex: number;
  fetches: FetchRequest[];
  witness: Witness;
}

export function createMember(at: number): Member {
  return {
    at,
    id: nodeId(`n${at + 1}`),
    disk: createDisk(),
    heard: new Map(),
    raft: undefined,
    life: 0,
    log: createChainLog(),
    lastSequence: 0,
    diskPace: 'prompt',
    slowApply: false,
    gathering: 0,
    stepsSinceReady: 0,
    cause: undefined,
    toApply: [],
    handedOutIndex: 0,
    appliedIndex: 0,
    flushedIndex: 0,
    fetches: [],
    witness: createWitness(),
  };
}

function createWitness(): Witness {
  return {
    silentTicks: 0,
    patientTicks: 0,
    hurried: false,
    doubtful: false,
    mustHold: undefined,
    ballot: new Set(),
    ballotTerm: 0,
    peers: new Map(),
  };
}

export function peerWitness(witness: Witness, peer: NodeId): PeerWitness {
  let one = witness.peers.get(peer);
  if (!one) {
    one = { session: 0, endedSession: 0, matchIndex: 0, refusedAt: -1 };
    witness.peers.set(peer, one);
  }
  return one;
}

/** Starts a life with exactly what is durable. */
export function startMember(member: Member, schedule: Schedule, members: readonly Member[]): void {
  const { disk, flushedIndex } = member;
  member.life += 1;
  member.log = readLog(disk);
  member.raft = createRaft({
    config: {
      ...raftDefaults,
      ...schedule.limits,
      id: member.id,
      membershipOf,
      heartbeatTicks: HEARTBEAT_TICKS,
      electionTicks: ELECTION_TICKS,
      diskPatienceTicks: DISK_PATIENCE_TICKS,
      seed: schedule.seed + member.at * 1000 + member.life,
    },
    hardState: disk.hardState,
    floor: floorOf({ voters: members.map(({ id }) => id), learners: [] }),
    configurations: disk.log.entries.filter(({ kind }) => kind === 'bootstrap'),
    runs: runsOf(disk.log),
    lastIndex: logIndex(lastIndexOf(disk.log)),
    tail: disk.log.entries.slice(flushedIndex),
    appliedIndex: logIndex(flushedIndex),
  });
  member.lastSequence = 0;
  member.diskPace = 'prompt';
  member.slowApply = false;
  member.gathering = 0;
  member.stepsSinceReady = 0;
  member.cause = undefined;
  member.toApply = [];
  member.handedOutIndex = flushedIndex;
  member.appliedIndex = flushedIndex;
  member.fetches = [];
  member.witness = createWitness();
}

export function viewOf(member: Member): RaftView {
  return present(member.raft, 'only a node that runs is looked at').view();
}
