// What must hold after every single step of a core, seen from outside: its view before and after, the input between
// them, and what the cluster knows. Each rule is worked out here a second time, naively.
import type { NodeId } from '../../../src/lib/ids.ts';
import type { Input, Message, RaftView } from '../../../src/raft/index.ts';
import { chainAt, termOf } from './chain-log.ts';
import { check } from './check.ts';
import { committedBefore, type Ledger, noteLeader } from './ledger.ts';
import { ELECTION_TICKS, type Member, peerWitness } from './member.ts';

export interface Step {
  readonly member: Member;
  readonly input: Input;
  readonly before: RaftView;
  readonly after: RaftView;
}

export function checkStep(ledger: Ledger, members: readonly Member[], step: Step): void {
  checkMonotonic(step);
  if (step.input.kind === 'message') checkMessage(step, step.input.from, step.input.message);
  checkReports(step);
  checkPatience(step);
  witnessTime(step);
  witnessVote(step);
  checkElected(ledger, members, step);
  witnessLeader(step);
  checkCommitRule(members.length, step);
  if (step.after.commitIndex > ledger.highestCommit) ledger.highestCommit = step.after.commitIndex;
}

function checkMonotonic({ member, before, after }: Step): void {
  const rises =
    after.term >= before.term &&
    after.commitIndex >= before.commitIndex &&
    after.appliedIndex >= before.appliedIndex;
  check(rises, 'terms and commit index never fall', () => {
    return `${member.id} went from ${JSON.stringify(before)} to ${JSON.stringify(after)}`;
  });
  check(
    before.role !== 'leader' || after.role !== 'leader' || after.lastIndex >= before.lastIndex,
    'leader append-only',
    () => `${member.id} leads and dropped entries`,
  );
}

/** As far as an observer can tell, this node hears a live leader. */
export function isSticky(member: Member, view: RaftView): boolean {
  if (view.role === 'leader') return !member.witness.doubtful;
  return (
    view.role === 'follower' &&
    view.leader !== undefined &&
    member.witness.silentTicks < ELECTION_TICKS
  );
}

function checkMessage({ member, before, after }: Step, from: NodeId, message: Message): void {
  const who = (): string => `${message.kind} of ${from} at ${member.id}`;
  const same =
    after.term === before.term && after.role === before.role && after.leader === before.leader;
  if (message.kind === 'preVote') {
    check(same, 'a pre-vote changes nothing', who);
    return;
  }
  if (message.term < before.term) {
    check(same && after.commitIndex === before.commitIndex, 'term rule', () => {
      return `${who()}: of an earlier term, and changed something`;
    });
    return;
  }
  if (message.kind === 'requestVote' && isSticky(member, before)) {
    check(same, 'stickiness', () => `${who()}: disturbed a node that hears its leader`);
    return;
  }
  const mayBeIgnored =
    (message.kind === 'preVoteResponse' && message.voteGranted) ||
    (message.kind === 'requestVote' && before.leader !== undefined);
  check(mayBeIgnored || after.term >= message.term, 'term rule', () => {
    return `${who()}: term ${message.term} was ignored`;
  });
  if (message.kind !== 'appendEntries' && message.kind !== 'heartbeat') return;
  check(after.role === 'follower' && after.leader === from, 'term rule', () => {
    return `${who()}: the leader of the term is not followed`;
  });
}

/** A stream error says nothing about the leader's life; a lost process says it about that leader only. */
function checkReports({ member, input, before, after }: Step): void {
  if (input.kind !== 'peerUnreachable' && input.kind !== 'peerDisconnected') return;
  const aboutLeader = before.leader === input.peer && input.kind === 'peerDisconnected';
  const endsVote = before.role === 'candidate' && input.kind === 'peerDisconnected';
  if (aboutLeader || endsVote) return;
  const same =
    after.term === before.term && after.role === before.role && after.leader === before.leader;
  check(same, 'stickiness', () => `${input.kind} of ${input.peer} changed ${member.id}`);
}

/** Nobody campaigns before a whole election timeout without a sign from a leader, unless the leader's process is gone. */
function checkPatience({ member, input, before, after }: Step): void {
  if (input.kind !== 'tick' || before.role !== 'follower' || after.role === 'follower') return;
  const { patientTicks, hurried } = member.witness;
  check(hurried || patientTicks + 1 >= ELECTION_TICKS, 'election timeout', () => {
    return `${member.id} campaigned after ${patientTicks + 1} ticks`;
  });
}

function witnessTime({ member, input, before, after }: Step): void {
  const { witness } = member;
  const heardLeader =
    input.kind === 'message' &&
    (input.message.kind === 'appendEntries' || input.message.kind === 'heartbeat') &&
    input.message.term === after.term;
  if (input.kind === 'tick') {
    witness.silentTicks += 1;
    witness.patientTicks += 1;
  } else if (input.kind === 'clockGap') {
    witness.silentTicks += input.ticks;
    if (after.role === 'leader') witness.doubtful = true;
    else if (input.ticks >= ELECTION_TICKS) witness.patientTicks = 0;
  } else if (input.kind === 'peerDisconnected' && before.leader === input.peer) {
    witness.hurried = true;
  }
  if (after.term !== before.term || after.role !== before.role) witness.patientTicks = 0;
  if (after.role === 'leader' && before.role !== 'leader') witness.doubtful = false;
  if (!heardLeader) return;
  witness.silentTicks = 0;
  witness.patientTicks = 0;
  witness.hurried = false;
}

function witnessVote({ member, input, before }: Step): void {
  const { witness } = member;
  if (witness.ballotTerm !== before.term) witness.ballot.clear();
  witness.ballotTerm = before.term;
  if (input.kind !== 'message' || input.message.kind !== 'requestVoteResponse') return;
  if (input.message.voteGranted && input.message.term === before.term) {
    witness.ballot.add(input.from);
  }
}

/** Who becomes leader has the durable votes of a majority, its own reported durable, and every committed entry. */
function checkElected(
  ledger: Ledger,
  members: readonly Member[],
  { member, before, after }: Step,
): void {
  if (after.role !== 'leader') return;
  noteLeader(ledger, after.term, member.id);
  if (before.role === 'leader' && before.term === after.term) return;
  const votes = members.filter(({ disk }) => disk.votes.get(after.term) === member.id).length;
  check(votes * 2 > members.length, 'election safety', () => {
    return `${member.id} leads term ${after.term} with ${votes} durable votes`;
  });
  const own = member.disk.reportedOwnVoteTerm === after.term ? 1 : 0;
  const counted = member.witness.ballot.size + own;
  check(counted * 2 > members.length, 'own vote counts only when reported durable', () => {
    return `${member.id} leads term ${after.term} with ${counted} votes that it knows of`;
  });
  member.witness.mustHold = committedBefore(ledger, after.term);
  member.witness.peers.clear();
}

/** Follows what acknowledgements of the current session say. */
function witnessLeader({ member, input, before, after }: Step): void {
  const { witness } = member;
  if (input.kind === 'peerUnreachable' || input.kind === 'peerDisconnected') {
    const peer = peerWitness(witness, input.peer);
    peer.endedSession = peer.session;
    peer.session = 0;
    peer.refusedAt = -1;
  }
  if (input.kind !== 'message' || input.message.kind !== 'appendEntriesResponse') return;
  const { message } = input;
  const peer = peerWitness(witness, input.from);
  if (before.role !== 'leader' || after.role !== 'leader' || message.term !== after.term) return;
  if (message.session !== peer.session) return;
  if (!message.success) peer.refusedAt = message.matchIndex;
  else if (message.matchIndex > peer.matchIndex) peer.matchIndex = message.matchIndex;
}

/** Nothing else can move the commit index of a leader. */
export function bringsAcknowledgement(input: Input): boolean {
  if (input.kind === 'message') return input.message.kind === 'appendEntriesResponse';
  return input.kind === 'persisted';
}

/** The highest index that a majority holds, as acknowledged to this leader in valid sessions and reported by its disk. */
export function acknowledgedIndex(voters: number, member: Member, view: RaftView): number {
  const held = [...member.witness.peers.values()].map(({ matchIndex }) => matchIndex);
  held.push(view.persistedIndex);
  while (held.length < voters) held.push(0);
  held.sort((a, b) => b - a);
  return held[Math.floor(voters / 2)] ?? 0;
}

/** Last rule for leaders of Figure 2, exactly: the commit index moves when a majority holds an entry of the current term,
 * to the highest such entry, and by nothing else. Followers never commit beyond what was committed. */
function checkCommitRule(voters: number, { member, input, before, after }: Step): void {
  if (after.role === 'leader' && before.role === 'leader') {
    const reached = bringsAcknowledgement(input) ? acknowledgedIndex(voters, member, after) : 0;
    const own = reached > before.commitIndex && termOf(member.log, reached) === after.term;
    const expected = own ? reached : before.commitIndex;
    check(after.commitIndex === expected, 'commit rule', () => {
      return `${member.id} committed up to ${after.commitIndex}; a majority acknowledged ${reached}`;
    });
    return;
  }
  if (after.commitIndex === before.commitIndex) return;
  const told = input.kind === 'message' ? toldCommit(input.message) : 0;
  check(after.commitIndex === told, 'commit follows the leader', () => {
    return `${member.id} committed up to ${after.commitIndex} on ${input.kind}, told ${told}`;
  });
}

/** Receiver rule 5 of AppendEntries: min(leaderCommit, index of the last new entry). */
function toldCommit(message: Message): number {
  if (message.kind === 'heartbeat') return message.leaderCommit;
  if (message.kind !== 'appendEntries') return 0;
  return Math.min(message.leaderCommit, message.prevLogIndex + message.entries.length);
}

/** Whether the log up to `index`, as `member` holds it, is on the disks of a majority. */
export function isDurableOnMajority(
  members: readonly Member[],
  member: Member,
  index: number,
): boolean {
  const chain = chainAt(member.log, index);
  const holders = members.filter(({ disk }) => chainAt(disk.log, index) === chain).length;
  return chain !== undefined && holders * 2 > members.length;
}
