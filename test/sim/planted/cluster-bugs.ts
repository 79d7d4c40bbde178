// Bugs of membership, learners, snapshots, compaction and transfer.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const membership = inArea('membership');
const learners = inArea('learners');
const snapshots = inArea('snapshots');
const compaction = inArea('compaction');
const transfer = inArea('transfer');

export const clusterBugs: readonly PlantedBug[] = [
  membership(
    'a new leader changes the membership before it has committed in its term',
    patch('raft/change.ts', "if (!leader.committedInTerm) return 'termNotCommitted';", ''),
    'a new leader changes no membership before it has committed in its term',
  ),
  membership(
    'a second change is appended while the first is not committed',
    patch(
      'raft/change.ts',
      "if (state.members.configuration.index > state.commitIndex) return 'changePending';",
      '',
    ),
    'a second change waits until the first one is committed',
  ),
  membership(
    'a configuration stays when its entry is dropped',
    patch('raft/membership.ts', 'adopt(state, truncateHistory(state.history, after));', '{}'),
    'a configuration goes with its entry when that is dropped',
  ),
  membership(
    'a configuration acts on followers only after a restart',
    patch(
      'raft/membership.ts',
      'if (configuration === undefined) return;',
      "if (configuration === undefined || state.role.kind === 'follower') return;",
    ),
  ),
  membership(
    'a leader that removes itself counts itself all the same',
    patch(
      'raft/membership.ts',
      'if (isVoter(state, state.id)) values[filled++] = own;',
      'values[isVoter(state, state.id) ? filled++ : filled - 1] = own;',
    ),
    'a leader that removes itself does not count for it, and leaves',
  ),
  membership(
    'nodes campaign at once, and whoever hears a leader listens to them',
    [
      patch(
        'raft/election.ts',
        "return startPreVote(state, timer.hurriedTicks > 0 ? 'the leader is gone' : 'election timeout');",
        'return startElection(state, 0, false);',
      ),
      patch('raft/receive.ts', 'return !request.transfer && hearsLeader(state);', 'return false;'),
    ],
    'a removed node deposes nobody',
  ),
  learners('a learner counts for what is committed', [
    patch(
      'raft/membership.ts',
      'new Float64Array(voters.length)',
      'new Float64Array(leader.progress.length + 1)',
    ),
    patch(
      'raft/membership.ts',
      'if (progress.voter) values[filled++] = valueOf(progress);',
      'values[filled++] = valueOf(progress);',
    ),
    patch(
      'raft/membership.ts',
      "assert(filled === voters.length, 'there is one value for each voter');",
      '',
    ),
    patch(
      'raft/quorum.ts',
      'values[values.length - quorumSize(values.length)]',
      'values[values.length - Math.min(2, values.length)]',
    ),
    patch(
      'raft/replication.ts',
      "assert(isReachedByMajority(values, reached), 'a majority holds what is committed');",
      '',
    ),
  ]),
  learners(
    'a learner campaigns',
    patch('raft/election.ts', "return votes ? undefined : 'it is no voter';", 'return undefined;'),
    'a learner never campaigns',
  ),
  learners(
    'a learner with an empty log is made a voter',
    patch('raft/change.ts', "return 'notCaughtUp';", 'void added;'),
    'a learner becomes a voter once it holds the log, not before',
  ),
  snapshots(
    'a log that conflicts with a snapshot keeps what follows',
    patch(
      'raft/floor.ts',
      'const agrees = termAt(log, index) === term;',
      'const agrees = termAt(log, index) !== undefined;',
    ),
    'a log that conflicts with a snapshot is dropped whole',
  ),
  snapshots(
    'a configuration that was never committed survives a snapshot',
    patch(
      'raft/membership.ts',
      'if (kept !== undefined && index > kept.after)',
      'if (index > configuration.index)',
    ),
    'a configuration that was never committed does not outlive a snapshot',
  ),
  snapshots(
    'a snapshot is answered for before the log on disk begins after it',
    [
      patch('raft/snapshot.ts', 'import { sendAfterPersist, sendNow }', 'import { sendNow }'),
      patch(
        'raft/snapshot.ts',
        'sendAfterPersist(state.outbox, leader, {',
        'sendNow(state.outbox, leader, {',
      ),
    ],
    'the arrival of a snapshot is told once the log on disk begins after it',
  ),
  snapshots(
    'readers are not told that a snapshot took the place of the state',
    patch('node/watch-publisher.ts', 'for (const reader of this.#readers) reader.restart();', ''),
  ),
  snapshots(
    'the state in memory stays when a snapshot is installed',
    patch('node/engine.ts', 'registry.replace(loaded);', ''),
  ),
  snapshots(
    'a node campaigns although its state is missing',
    patch('raft/election.ts', "if (lacksState(state)) return 'its state is missing';", ''),
    'a node that lost its state asks for it, and does not lead before it has it',
  ),
  compaction(
    'a follower that needs entries that were let go is asked on',
    patch(
      'raft/floor.ts',
      "if (progress.flow.kind === 'snapshot' || progress.nextIndex > floorIndex) return;",
      'if (floorIndex >= 0) return;',
    ),
    'a slow follower whose entries were let go gets a snapshot',
  ),
  compaction(
    'the log is cut before the state below it is durable',
    patch(
      'node/log-retention.ts',
      'Math.min(this.#wanted(), settled, this.#heldAt())',
      'Math.min(this.#wanted(), this.#heldAt())',
    ),
  ),
  compaction(
    'the log is cut by count alone',
    patch(
      'node/log-retention.ts',
      'const tooLarge = logStore.bytes > limits.logBytes;',
      'const tooLarge = logStore.bytes < 0;',
    ),
    'a log that is never cut by count is cut by its bytes, again and again',
  ),
  compaction(
    'a snapshot from below the floor is taken for whole',
    patch(
      'raft/snapshot.ts',
      'if (progress.matchIndex < state.log.floorIndex) needSnapshot(state, progress);\n  else becomeProbing',
      'becomeProbing',
    ),
    'a snapshot that is out of date when it arrives is followed by another',
  ),
  transfer(
    'a transfer that failed refuses writes for ever',
    patch('raft/transfer.ts', '  leader.transfer = undefined;\n', ''),
    'a transfer that fails refuses no writes afterwards, nor in a later term',
  ),
  transfer(
    'the heir campaigns before it holds the whole log',
    patch(
      'raft/transfer.ts',
      'if (progress?.matchIndex !== state.log.lastIndex) return;',
      'if (progress === undefined) return;',
    ),
    'an heir is told to campaign once it holds the whole log',
  ),
];
