// The core as one object: inputs in, a Ready out. Every step ends with the invariants.
import { assert } from '../lib/assert.ts';
import { logIndex, type NodeId, type Term } from '../lib/ids.ts';
import { proposeMembership } from './change.ts';
import { hasCommitted, noteApplied, takeCommitted } from './commit.ts';
import { forgiveDisk, tickDisk } from './disk.ts';
import { countOwnVote, losePeer, tickElection } from './election.ts';
import { compact, lacksState } from './floor.ts';
import type { Input, Proposal, Token } from './input.ts';
import { checkInvariants, remember } from './invariants.ts';
import { broadcastHeartbeat, doubtContact, restartSession, tickLeader } from './leadership.ts';
import { lastTerm } from './log.ts';
import { createOutbox, isEmpty } from './outbox.ts';
import { completePersist, needsPersist, takePersist } from './persistence.ts';
import { wasHeard } from './progress.ts';
import {
  confirmRounds,
  hasReadsToStart,
  openRound,
  requestRead,
  sendReads,
  tickReads,
} from './read-index.ts';
import type { PeerView, RaftView, Ready } from './ready.ts';
import { receive } from './receive.ts';
import {
  advanceCommit,
  hasEntriesToSend,
  propose,
  sendEntries,
  takeFetched,
} from './replication.ts';
import { takeSnapshot, tickSnapshot } from './snapshot.ts';
import { createState, leaderOf, type RaftStart, type RaftState } from './state.ts';
import { startTransfer } from './transfer.ts';

/** The core. `step` changes state, `takeReady` hands out what must be done since the last call; several steps may
 * precede one takeReady: that is group commit. Throws InvariantError when an invariant is broken; the host must stop. */
export interface Raft {
  step(input: Input): void;
  /** True when takeReady would return anything to do. */
  hasReady(): boolean;
  takeReady(): Ready;
  view(): RaftView;
  /** One for each other member, ascending by id; empty unless this node leads. */
  peers(): readonly PeerView[];
}

/** A node that starts, or starts again, as a follower with what it had persisted. Throws InvariantError if the parts of
 * `start` contradict each other. */
export function createRaft(start: RaftStart): Raft {
  const state = createState(start);
  const before = remember(state);
  checkInvariants(state, before);
  return {
    step: (input) => {
      step(state, input);
      checkInvariants(state, before);
    },
    hasReady: () => hasReady(state),
    takeReady: () => {
      const ready = takeReady(state);
      checkInvariants(state, before);
      return ready;
    },
    view: () => view(state),
    peers: () => peers(state),
  };
}

function step(state: RaftState, input: Input): void {
  switch (input.kind) {
    case 'tick':
      return tick(state);
    case 'message':
      return receive(state, input.from, input.message);
    case 'propose':
      return proposeOrReject(state, input.proposals);
    case 'proposeMembership':
      return changeOrReject(state, input.token, input.payload);
    case 'transferLeadership':
      if (state.role.kind === 'leader') startTransfer(state, state.role, input.target);
      return undefined;
    case 'snapshotReceived':
      return takeSnapshot(state, input);
    case 'compact':
      return compact(state, input.index);
    case 'readIndex':
      return requestRead(state, input.token);
    case 'persisted':
      return persisted(state, input.sequence, input.term);
    case 'applied':
      return noteApplied(state, input.index);
    case 'fetched':
      if (state.role.kind === 'leader') {
        takeFetched(state, state.role, input.ticket, input.entries);
      }
      return undefined;
    case 'peerUnreachable':
      return restartReplication(state, input.peer);
    case 'peerDisconnected':
      restartReplication(state, input.peer);
      return losePeer(state, input.peer);
    case 'clockGap':
      return clockGap(state, input.ticks);
  }
}

function tick(state: RaftState): void {
  const role = state.role;
  if (role.kind === 'leader') {
    tickLeader(state, role);
  } else {
    if (role.kind === 'follower') {
      tickReads(state, role);
      tickSnapshot(state, role);
    }
    tickElection(state);
  }
  // Last, so that a leader that steps down for its disk does not count this tick towards its next campaign.
  tickDisk(state);
}

function proposeOrReject(state: RaftState, proposals: readonly Proposal[]): void {
  if (state.role.kind === 'leader') {
    propose(state, state.role, proposals);
    return;
  }
  for (const { token } of proposals) rejectElsewhere(state, token);
}

function changeOrReject(state: RaftState, token: Token, payload: Uint8Array): void {
  if (state.role.kind === 'leader') proposeMembership(state, state.role, token, payload);
  else rejectElsewhere(state, token);
}

function rejectElsewhere(state: RaftState, token: Token): void {
  const reason = leaderOf(state) === undefined ? 'noLeader' : 'notLeader';
  state.outbox.rejected.push({ token, reason });
}

function persisted(state: RaftState, sequence: number, term: Term): void {
  const batch = completePersist(state, sequence, term);
  if (!batch) return;
  if (batch.votedFor === state.id) countOwnVote(state);
  if (state.role.kind === 'leader') advanceCommit(state, state.role);
}

function restartReplication(state: RaftState, peer: NodeId): void {
  if (state.role.kind !== 'leader') return;
  const progress = state.role.progress.find((one) => one.peer === peer);
  if (progress) restartSession(state, progress);
}

/** The host stood still for a while. Time that nobody lived through proves nothing: a follower does not campaign on it,
 * and nobody goes on believing in a leader, itself included, because of contact from before. */
function clockGap(state: RaftState, ticks: number): void {
  assert(Number.isSafeInteger(ticks) && ticks > 0, 'a clock gap lasts whole ticks');
  forgiveDisk(state);
  const role = state.role;
  if (role.kind === 'leader') {
    doubtContact(state, role);
    return;
  }
  // A short one is merely not counted: on a starved host, where they never cease, the wait has to end all the same.
  if (ticks >= state.config.electionTicks) role.timer.elapsedTicks = 0;
  if (role.kind === 'follower') role.silentTicks += ticks;
}

function hasReady(state: RaftState): boolean {
  const role = state.role;
  return (
    !isEmpty(state.outbox) ||
    state.configurationTold !== state.members.configuration ||
    hasCommitted(state) ||
    needsPersist(state) ||
    hasReadsToStart(state) ||
    (role.kind === 'leader' && hasEntriesToSend(state, role))
  );
}

function takeReady(state: RaftState): Ready {
  const role = state.role;
  if (hasReadsToStart(state)) startReads(state);
  if (role.kind === 'leader') sendEntries(state, role);
  const persist = takePersist(state);
  const committed = takeCommitted(state);
  const { outbox, configurationTold } = state;
  const { configuration } = state.members;
  state.outbox = createOutbox();
  state.configurationTold = configuration;
  // Named one by one: this runs for every batch, and an object that is spread and then overridden is slow to make.
  return {
    persist,
    sendNow: outbox.sendNow,
    sendAfterPersist: outbox.sendAfterPersist,
    install: outbox.install,
    pullSnapshotFrom: outbox.pullSnapshotFrom,
    configuration: configuration === configurationTold ? undefined : configuration,
    appended: outbox.appended,
    committed,
    reads: outbox.reads,
    rejected: outbox.rejected,
    fetch: outbox.fetch,
    events: outbox.events,
  };
}

function startReads(state: RaftState): void {
  const role = state.role;
  if (role.kind === 'leader') {
    openRound(state, role);
    broadcastHeartbeat(state, role);
    // Alone in its cluster, a node is its own majority.
    confirmRounds(state, role);
  } else if (role.kind === 'follower' && role.leader !== undefined) {
    sendReads(state, role, role.leader);
  }
}

function view(state: RaftState): RaftView {
  const { role, log } = state;
  return {
    role: role.kind,
    term: state.term,
    leader: leaderOf(state),
    lastIndex: log.lastIndex,
    lastTerm: lastTerm(log),
    commitIndex: state.commitIndex,
    appliedIndex: state.appliedIndex,
    persistedIndex: log.persistedIndex,
    firstIndex: logIndex(log.floorIndex + 1),
    membership: state.members.membership,
    configurationIndex: state.members.configuration.index,
    awaitsSnapshot: lacksState(state),
    transferTarget: role.kind === 'leader' ? role.transfer?.target : undefined,
    committedInTerm: role.kind === 'leader' && role.committedInTerm,
  };
}

function peers(state: RaftState): readonly PeerView[] {
  const { role } = state;
  if (role.kind !== 'leader') return [];
  return role.progress.map((progress) => ({
    peer: progress.peer,
    learner: !progress.voter,
    flow: progress.flow.kind,
    matchIndex: progress.matchIndex,
    active: wasHeard(progress),
  }));
}
