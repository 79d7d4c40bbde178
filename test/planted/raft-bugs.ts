// Bugs of consensus. Most are real ones of other implementations or the mistakes that the paper warns of.
import { type PlantedBug, schedules, tests } from './bug.ts';

/** A bug in one place of the core, to be found by random schedules. */
function inCore(name: string, file: string, find: string, replace: string): PlantedBug {
  return { name, patches: [{ file: `raft/${file}`, find, replace }], hunter: schedules };
}

const oneVote = 'const canVote = state.votedFor === undefined || state.votedFor === from;';
const voteKept =
  '!sameTerm || before.votedFor === undefined || state.votedFor === before.votedFor,';

const elections: readonly PlantedBug[] = [
  inCore('two votes in a term', 'election.ts', oneVote, 'const canVote = true;'),
  {
    name: 'two votes in a term, unseen by the core itself',
    patches: [
      {
        file: 'raft/election.ts',
        find: oneVote,
        replace: 'const canVote = state.votedFor !== state.id;',
      },
      { file: 'raft/invariants.ts', find: voteKept, replace: 'true,' },
    ],
    hunter: schedules,
  },
  inCore(
    'own vote counted before it is durable',
    'election.ts',
    "enter(state, { kind: 'candidate', ballot: new Map(), timer }",
    "enter(state, { kind: 'candidate', ballot: new Map([[state.id, true]]), timer }",
  ),
  inCore(
    'a vote is told before it is durable',
    'election.ts',
    "sendAfterPersist(state.outbox, from, {\n    kind: 'requestVoteResponse',",
    "sendNow(state.outbox, from, {\n    kind: 'requestVoteResponse',",
  ),
  inCore(
    'a candidate asks before its term and vote are durable',
    'election.ts',
    'for (const peer of otherVoters(state)) sendAfterPersist(state.outbox, peer, request);',
    'for (const peer of otherVoters(state)) sendNow(state.outbox, peer, request);',
  ),
  inCore(
    'a candidate with an earlier last term gets the vote',
    'log.ts',
    'return theirLastTerm > ours || (theirLastTerm === ours && theirLastIndex >= log.lastIndex);',
    'return theirLastIndex >= log.lastIndex;',
  ),
  inCore(
    'the vote of an earlier term is kept in a later one',
    'role.ts',
    'state.term = term;\n    state.votedFor = undefined;',
    'state.term = term;',
  ),
  inCore(
    'stickiness dropped on a mere stream error',
    'raft.ts',
    "case 'peerUnreachable':\n      return restartReplication(state, input.peer);",
    "case 'peerUnreachable':\n      restartReplication(state, input.peer);\n      return losePeer(state, input.peer);",
  ),
  inCore(
    'a candidate disturbs a node that hears its leader',
    'receive.ts',
    "if (message.kind === 'requestVote' && isDisturbing(state, message)) return false;\n",
    '',
  ),
  {
    name: 'a leader without a majority stays in office',
    patches: [
      {
        file: 'raft/leadership.ts',
        find: 'if (countActive(state, leader) < quorum(state)) {',
        replace: 'if (countActive(state, leader) < 0) {',
      },
    ],
    hunter: tests('raft/leadership.test.ts', 'raft/election.test.ts'),
  },
];

const replication: readonly PlantedBug[] = [
  inCore(
    'commit of an old-term entry by counting',
    'replication.ts',
    'if (reached <= state.commitIndex || termAt(log, reached) !== state.term) return;',
    'if (reached <= state.commitIndex) return;',
  ),
  inCore(
    "the leader's undurable entry counted",
    'replication.ts',
    '(progress) => progress.matchIndex, log.persistedIndex);',
    '(progress) => progress.matchIndex, log.lastIndex);',
  ),
  inCore(
    'acknowledgement before persist',
    'following.ts',
    "sendAfterPersist(state.outbox, from, {\n    kind: 'appendEntriesResponse',",
    "sendNow(state.outbox, from, {\n    kind: 'appendEntriesResponse',",
  ),
  inCore(
    'an acknowledgement claims the whole log',
    'following.ts',
    'matchIndex: lastNewIndex,',
    'matchIndex: state.log.lastIndex,',
  ),
  inCore(
    'a conflicting suffix kept',
    'following.ts',
    "assert(after >= state.commitIndex, 'a committed entry is never dropped');\n      dropSuffix(state, after);",
    'if (after >= 0) continue;',
  ),
  inCore(
    'a late shorter AppendEntries cuts off what a longer one brought',
    'following.ts',
    'if (termAt(log, entry.index) === entry.term) continue;',
    '',
  ),
  inCore(
    'a follower commits beyond the last new entry',
    'following.ts',
    'logIndex(Math.min(leaderCommit, lastNewIndex))',
    'logIndex(Math.min(leaderCommit, state.log.lastIndex))',
  ),
  inCore(
    'a heartbeat tells a commit index the follower may not hold',
    'leadership.ts',
    'leaderCommit: lower(state.commitIndex, progress.matchIndex),',
    'leaderCommit: state.commitIndex,',
  ),
  inCore(
    'a higher term in a rejected AppendEntries ignored',
    'receive.ts',
    "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;",
    "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;\n  if (message.kind === 'appendEntriesResponse' && !message.success) return false;",
  ),
  inCore(
    'a higher term in a refused vote ignored',
    'receive.ts',
    "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;",
    "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;\n  if (message.kind === 'requestVoteResponse' && !message.voteGranted) return false;",
  ),
  inCore(
    'a stale-session acknowledgement accepted',
    'receive.ts',
    'if (progress?.session !== reply.session) {',
    'if (progress === undefined) {',
  ),
  inCore(
    'a completion of an earlier term vouches for this one',
    'persistence.ts',
    'if (term !== state.term) return undefined;\n',
    '',
  ),
  inCore(
    'a batch vouches for entries that were dropped meanwhile',
    'persistence.ts',
    'for (const batch of state.outstanding) if (batch.stableTo > after) batch.stableTo = after;\n',
    '',
  ),
  inCore(
    'bytes leak from the inflight window',
    'inflight.ts',
    'inflight.bytes -= inflight.sizes[inflight.start] ?? 0;\n',
    '',
  ),
  inCore(
    'a fetch that was lost is waited for for ever',
    'progress.ts',
    'progress.nextIndex = nextIndex;\n  progress.fetchTicket = undefined;',
    'progress.nextIndex = nextIndex;',
  ),
];

const reads: readonly PlantedBug[] = [
  inCore(
    'ReadIndex without a quorum',
    'read-index.ts',
    'const confirmed = majorityValue(values);',
    'const confirmed = Math.max(majorityValue(values), reads.lastRound);',
  ),
  inCore(
    'a new leader reads before its own entry is committed',
    'read-index.ts',
    "if (role.kind === 'leader') return role.committedInTerm && role.reads.queued.length > 0;",
    "if (role.kind === 'leader') return role.reads.queued.length > 0;",
  ),
  {
    name: 'a restarted node uses its read contexts again',
    patches: [
      {
        file: 'raft/state.ts',
        find: 'lastContext: random.integer(0, 2 ** 31) * 2 ** 20,',
        replace: 'lastContext: 0,',
      },
    ],
    hunter: tests('raft/read-index.test.ts'),
  },
  {
    name: 'an answer to a former life confirms a read',
    patches: [
      {
        file: 'raft/following.ts',
        find: 'const session = NO_SESSION;',
        replace: 'const { session } = request;',
      },
      {
        file: 'raft/following.ts',
        find: "kind: 'heartbeatResponse', term: current, session, round: 0 }",
        replace: "kind: 'heartbeatResponse', term: current, session, round: request.round }",
      },
    ],
    hunter: schedules,
  },
];

export const raftBugs: readonly PlantedBug[] = [...elections, ...replication, ...reads];
