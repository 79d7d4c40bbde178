// Tells from inputs, views and outputs alone which sentence of Figure 2 a step was about.
import type { NodeId } from '../../../src/lib/ids.ts';
import type {
  AppendEntries,
  AppendEntriesResponse,
  Message,
  Ready,
  RequestVote,
} from '../../../src/raft/index.ts';
import { lastIndexOf, termOf } from './chain-log.ts';
import { acknowledgedIndex, bringsAcknowledgement, isSticky, type Step } from './step-checks.ts';
import type { Cause, Member } from './member.ts';
import { count, type Tally } from './tally.ts';

/** Before the witness of the step has taken it in. */
export function tallyStep(tally: Tally, { member, input, before, after }: Step): void {
  if (after.term > before.term) count(tally, 'State: currentTerm rises to the latest term seen');
  if (after.commitIndex > before.commitIndex) count(tally, 'State: commitIndex rises');
  if (after.appliedIndex > before.appliedIndex) count(tally, 'State: lastApplied rises');
  const follows = before.role === 'follower' && before.leader !== undefined;
  switch (input.kind) {
    case 'message':
      return tallyMessage(tally, { member, input, before, after }, input.from, input.message);
    case 'tick':
      return tallyTick(tally, { member, input, before, after });
    case 'peerDisconnected':
      if (follows && before.leader === input.peer) {
        count(tally, 'Process gone: a follower forgets its leader');
      }
      return undefined;
    case 'peerUnreachable':
      if (follows && before.leader === input.peer) {
        count(tally, 'Stream error: a follower keeps its leader');
      }
      return undefined;
    case 'persisted':
      if (input.term === before.term) return undefined;
      return count(tally, 'Persisted: reported after the term has changed');
    case 'fetched':
      if (before.role !== 'leader') return undefined;
      return count(tally, 'Fetch: evicted entries are read back');
    case 'propose':
    case 'proposeMembership':
    case 'transferLeadership':
    case 'snapshotReceived':
    case 'compact':
    case 'readIndex':
    case 'applied':
    case 'clockGap':
      return undefined;
  }
}

function tallyTick(tally: Tally, { before, after }: Step): void {
  if (before.role === 'follower' && after.role !== 'follower') {
    count(tally, 'Followers: the election timeout passes');
  }
  if (before.role === 'candidate' && after.role === 'preCandidate') {
    count(tally, 'Candidates: the election timeout passes, so another election');
  }
}

function tallyMessage(tally: Tally, step: Step, from: NodeId, message: Message): void {
  const { member, before, after } = step;
  if (message.term > before.term && after.term === message.term)
    tallyConversion(tally, step, message);
  const fromLeader = message.kind === 'appendEntries' || message.kind === 'heartbeat';
  if (fromLeader && message.term === before.term) {
    if (before.role === 'candidate') {
      count(tally, 'Candidates: a leader of the same term makes a follower');
    } else if (before.leader === from && member.witness.patientTicks > 0) {
      count(tally, 'Followers: AppendEntries of the current leader puts it off');
    }
  }
  if (message.kind === 'requestVote' && message.term >= before.term && isSticky(member, before)) {
    count(tally, 'Stickiness: a RequestVote is ignored');
  }
  if (before.role === 'candidate' && after.role === 'leader') {
    count(tally, 'Candidates: votes of a majority make a leader');
  }
  if (message.kind === 'appendEntriesResponse' && message.term === before.term) {
    const peer = member.witness.peers.get(from);
    if (before.role !== 'leader' || !message.success || peer?.session !== message.session) return;
    if (message.matchIndex <= peer.matchIndex) return;
    count(tally, 'State: matchIndex rises');
    count(tally, 'Leaders: success moves nextIndex and matchIndex');
  }
}

function tallyConversion(tally: Tally, { before }: Step, message: Message): void {
  const role = before.role === 'preCandidate' ? 'follower' : before.role;
  const request =
    message.kind === 'requestVote' ||
    message.kind === 'appendEntries' ||
    message.kind === 'heartbeat' ||
    message.kind === 'readIndexRequest';
  count(
    tally,
    request
      ? `All servers: a request of a later term converts a ${role}`
      : `All servers: a response of a later term converts a ${role}`,
  );
}

/** After the witness has taken the step in. */
export function tallyCommit(tally: Tally, voters: number, step: Step): void {
  const { member, input, before, after } = step;
  if (before.role !== 'leader' || after.role !== 'leader') return;
  if (!bringsAcknowledgement(input)) return;
  if (after.commitIndex > before.commitIndex) {
    count(tally, 'Leaders: a majority holds an entry of the current term, so it is committed');
    return;
  }
  if (acknowledgedIndex(voters, member, after) <= after.commitIndex) return;
  count(tally, 'Leaders: a majority holds an entry of an earlier term, so it waits');
}

/** What a Ready shows by itself, and, if one step alone led to it, what that step was answered with. Before the
 * observer's copy of the log has taken the Ready in. */
export function tallyReady(tally: Tally, member: Member, ready: Ready): void {
  tallyOutputs(tally, ready);
  const { cause } = member;
  if (cause === undefined) return;
  const { input } = cause;
  tallyOwnRole(tally, cause, ready, member);
  if (input.kind !== 'message') return;
  const { message, from } = input;
  if (message.kind === 'appendEntries') tallyAppend(tally, member, cause, message, ready);
  if (message.kind === 'requestVote') tallyVote(tally, member, cause, message, ready);
  if (message.kind === 'preVote') {
    for (const { message: answer } of ready.sendNow) {
      if (answer.kind !== 'preVoteResponse') continue;
      count(tally, answer.voteGranted ? 'Pre-vote: granted' : 'Pre-vote: refused');
    }
  }
  if (message.kind !== 'appendEntriesResponse' || message.success) return;
  for (const { to, message: again } of ready.sendNow) {
    if (to !== from || again.kind !== 'appendEntries') continue;
    if (again.prevLogIndex >= message.matchIndex) continue;
    count(tally, 'Leaders: inconsistency lowers nextIndex, and it is tried again');
  }
}

function tallyOutputs(tally: Tally, ready: Ready): void {
  count(tally, 'Leaders: a command is appended to the local log', ready.appended.length);
  if ((ready.persist?.entries.length ?? 0) > 0) {
    count(tally, 'State: log entries hold a command and its term');
  }
  for (const { message } of ready.sendNow) {
    if (message.kind === 'appendEntries' && message.entries.length > 0) {
      count(tally, 'Leaders: last log index >= nextIndex, so entries from there are sent');
    }
  }
  for (const event of ready.events) {
    if (event.kind === 'staleReplyDropped') count(tally, 'Session: a stale reply is dropped');
    if (event.kind !== 'steppedDown') continue;
    if (event.reason.startsWith('no majority')) {
      count(tally, 'Check-quorum: a leader steps down');
    } else if (event.reason.startsWith('its disk')) {
      count(tally, 'Disk: a leader whose disk has stopped steps down');
    }
  }
}

function tallyOwnRole(tally: Tally, cause: Cause, ready: Ready, { id }: Member): void {
  const { before, after, input } = cause;
  const peers = (kind: Message['kind']): number =>
    [...ready.sendNow, ...ready.sendAfterPersist].filter(({ message }) => message.kind === kind)
      .length;
  if (after.role === 'candidate' && before.role !== 'candidate') {
    const hardState = ready.persist?.hardState;
    if (hardState?.term === before.term + 1 && hardState.votedFor === id) {
      const asked = peers('requestVote');
      if (asked > 1)
        count(tally, 'Candidates: on conversion term + 1, own vote, RequestVote to all');
    }
  }
  if (after.role !== 'leader') return;
  if (before.role !== 'leader') {
    if (peers('appendEntries') > 1)
      count(tally, 'Leaders: upon election AppendEntries to each server');
    const afterLast = ready.sendNow.every(
      ({ message }) =>
        message.kind !== 'appendEntries' || message.prevLogIndex === before.lastIndex,
    );
    if (afterLast) count(tally, 'State: nextIndex begins after the last log entry');
  }
  if (input.kind === 'tick' && peers('heartbeat') > 0) {
    count(tally, 'Leaders: heartbeats while idle');
  }
}

function tallyAppend(
  tally: Tally,
  member: Member,
  { before, after }: Cause,
  request: AppendEntries,
  ready: Ready,
): void {
  const answer = [...ready.sendNow, ...ready.sendAfterPersist]
    .map(({ message }) => message)
    .find((one): one is AppendEntriesResponse => one.kind === 'appendEntriesResponse');
  if (!answer) return;
  count(tally, 'Followers: leaders are answered');
  if (!answer.success) {
    const found = termOf(member.log, request.prevLogIndex);
    if (request.term < before.term) {
      count(tally, 'AppendEntries 1: false, term < currentTerm');
    } else if (found === undefined) {
      count(tally, 'AppendEntries 2: false, the log ends before prevLogIndex');
    } else {
      count(tally, 'AppendEntries 2: false, another term at prevLogIndex');
    }
    return;
  }
  const written = ready.persist?.entries.length ?? 0;
  if (ready.persist?.truncateAfter !== undefined) {
    count(tally, 'AppendEntries 3: a conflicting entry and all after it are deleted');
  }
  if (request.entries.length > 0) {
    if (written === 0) count(tally, 'AppendEntries 4: everything is in the log already');
    else if (written === request.entries.length) {
      count(tally, 'AppendEntries 4: new entries are appended');
    } else {
      count(tally, 'AppendEntries 4: what is in the log already stays, the rest is appended');
    }
  }
  if (after.commitIndex === before.commitIndex) return;
  if (after.commitIndex === request.leaderCommit) {
    count(tally, 'AppendEntries 5: commitIndex = leaderCommit');
  } else {
    count(tally, 'AppendEntries 5: commitIndex = index of the last new entry');
  }
}

function tallyVote(
  tally: Tally,
  member: Member,
  { before }: Cause,
  request: RequestVote,
  ready: Ready,
): void {
  const answer = [...ready.sendNow, ...ready.sendAfterPersist]
    .map(({ message }) => message)
    .find((one) => one.kind === 'requestVoteResponse');
  if (answer?.kind !== 'requestVoteResponse') return;
  count(tally, 'Followers: candidates are answered');
  const { log, witness } = member;
  const lastIndex = lastIndexOf(log);
  const lastTerm = termOf(log, lastIndex) ?? 0;
  if (!answer.voteGranted) {
    if (request.term < before.term) count(tally, 'RequestVote 1: false, term < currentTerm');
    else if (request.lastLogTerm < lastTerm) {
      count(tally, 'RequestVote 2: refused, earlier last term');
    } else if (request.lastLogTerm === lastTerm && request.lastLogIndex < lastIndex) {
      count(tally, 'RequestVote 2: refused, shorter log');
    } else {
      count(tally, 'RequestVote 2: refused, voted for another');
    }
    return;
  }
  if (witness.patientTicks > 0) count(tally, 'Followers: granting a vote puts it off');
  if (ready.persist === undefined) {
    count(tally, 'RequestVote 2: granted again to the same candidate');
    return;
  }
  count(tally, 'State: votedFor names the candidate that got the vote');
  if (request.lastLogTerm > lastTerm) {
    count(tally, 'RequestVote 2: granted, no vote yet, later last term');
  } else if (request.lastLogIndex > lastIndex) {
    count(tally, 'RequestVote 2: granted, no vote yet, same last term, longer log');
  } else {
    count(tally, 'RequestVote 2: granted, no vote yet, same last entry');
  }
}
