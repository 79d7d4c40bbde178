// Bugs of elections and of pre-vote. Where the core would notice by itself, its assertion is taken away as well: it is the
// checkers over all nodes that are tested here.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const election = inArea('elections');
const preVote = inArea('pre-vote');
const leadership = inArea('leadership');

const noOneVoteCheck = patch(
  'raft/invariants.ts',
  '!sameTerm || before.votedFor === undefined || state.votedFor === before.votedFor,',
  'true,',
);

export const electionBugs: readonly PlantedBug[] = [
  election('a node votes twice in a term', [
    patch(
      'raft/election.ts',
      'const canVote = state.votedFor === undefined || state.votedFor === from;',
      'const canVote = state.votedFor !== state.id;',
    ),
    noOneVoteCheck,
  ]),
  election(
    'a candidate with a shorter log gets the vote',
    patch(
      'raft/log.ts',
      '(theirLastTerm === ours && theirLastIndex >= log.lastIndex)',
      'theirLastTerm === ours',
    ),
  ),
  election(
    'a candidate with an earlier last term gets the vote',
    patch(
      'raft/log.ts',
      'return theirLastTerm > ours || (theirLastTerm === ours && theirLastIndex >= log.lastIndex);',
      'return theirLastIndex >= log.lastIndex;',
    ),
    'a longer log of an earlier term wins no election',
  ),
  election(
    'a vote is not written down',
    patch(
      'raft/persistence.ts',
      'hardState: { term, votedFor, commitIndex: state.commitIndex },',
      'hardState: { term, votedFor: undefined, commitIndex: state.commitIndex },',
    ),
    'a vote is remembered by whoever gave it, whatever happens to the process',
  ),
  election(
    'a vote is told before it is durable',
    patch(
      'raft/election.ts',
      "sendAfterPersist(state.outbox, from, {\n    kind: 'requestVoteResponse',",
      "sendNow(state.outbox, from, {\n    kind: 'requestVoteResponse',",
    ),
  ),
  election(
    'a leader that hears of a later term goes on leading in it',
    patch(
      'raft/receive.ts',
      "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;",
      "if (message.kind === 'preVoteResponse' && message.voteGranted) return true;\n  if (state.role.kind === 'leader' && message.kind === 'heartbeatResponse') {\n    state.term = message.term;\n    state.votedFor = state.id;\n    return true;\n  }",
    ),
    'a leader stamps nothing with a term it was not elected in',
  ),
  preVote(
    'a refused pre-vote does not tell the later term',
    patch(
      'raft/election.ts',
      'const term = voteGranted ? request.term : state.term;',
      'const term = voteGranted ? request.term : (Math.min(state.term, request.term - 1) as typeof state.term);',
    ),
    'a node that was left behind learns the term from a refused pre-vote',
  ),
  preVote(
    'a pre-vote is granted whatever the log',
    patch(
      'raft/election.ts',
      '!hearsLeader(state) &&\n    isUpToDate(state.log, request.lastLogIndex, request.lastLogTerm);',
      '!hearsLeader(state);',
    ),
  ),
  preVote(
    'a pre-vote raises the term of whoever refuses it',
    patch(
      'raft/election.ts',
      'const term = voteGranted ? request.term : state.term;',
      "if (!voteGranted && request.term > state.term) becomeFollower(state, request.term, undefined, 'it was asked');\n  const term = voteGranted ? request.term : state.term;",
    ),
    'a pre-vote disturbs nobody, whoever asks and however often',
  ),
  leadership(
    'a leader whose disk has stopped stays in office',
    patch(
      'raft/disk.ts',
      "becomeFollower(state, state.term, undefined, 'its disk has stopped persisting');",
      '',
    ),
    'a leader whose disk has stopped gives up its office',
  ),
  leadership(
    'heartbeats wait for the disk',
    [
      patch('raft/leadership.ts', 'import { sendNow }', 'import { sendAfterPersist, sendNow }'),
      patch(
        'raft/leadership.ts',
        "sendNow(state.outbox, progress.peer, {\n      kind: 'heartbeat',",
        "sendAfterPersist(state.outbox, progress.peer, {\n      kind: 'heartbeat',",
      ),
    ],
    'heartbeats do not wait for the disk of a leader, nor of a follower',
  ),
];
