// Bugs of commitment, of truncation, of the order in which things become durable, and of the log's recovery.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const commitment = inArea('commitment');
const truncation = inArea('truncation');
const persistence = inArea('persistence order');
const recovery = inArea('log recovery');

const noMajorityCheck = patch(
  'raft/replication.ts',
  "assert(isReachedByMajority(values, reached), 'a majority holds what is committed');",
  '',
);

export const logBugs: readonly PlantedBug[] = [
  commitment('an entry of an earlier term is committed by counting', [
    patch('raft/replication.ts', ' || termAt(log, reached) !== state.term) return;', ') return;'),
  ]),
  commitment(
    'acknowledgements are counted out of order',
    [patch('raft/quorum.ts', 'values.sort();\n', ''), noMajorityCheck],
    'two of five are no majority, whichever they are',
  ),
  commitment(
    'the own copy is counted before it is durable',
    patch(
      'raft/replication.ts',
      'progress.matchIndex, log.persistedIndex);',
      'progress.matchIndex, log.lastIndex);',
    ),
    'nothing is acknowledged or committed before the disks have it',
  ),
  commitment(
    'a node that is alone commits what its disk does not have',
    [
      patch(
        'raft/replication.ts',
        'progress.matchIndex, log.persistedIndex);',
        'progress.matchIndex, log.lastIndex);',
      ),
      patch(
        'raft/raft.ts',
        'propose(state, state.role, proposals);\n',
        'propose(state, state.role, proposals);\n    if (state.role.progress.length === 0) advanceCommit(state, state.role);\n',
      ),
    ],
    'a single node answers after its own disk',
  ),
  commitment(
    'a follower commits what the leader may not have sent it',
    patch(
      'raft/following.ts',
      'logIndex(Math.min(leaderCommit, lastNewIndex))',
      'logIndex(Math.min(leaderCommit, state.log.lastIndex))',
    ),
  ),
  commitment(
    'a heartbeat tells a commit index that the follower may not hold',
    patch(
      'raft/leadership.ts',
      'leaderCommit: lower(state.commitIndex, progress.matchIndex),',
      'leaderCommit: state.commitIndex,',
    ),
  ),
  commitment(
    'what is committed is not taken off the uncommitted bytes',
    patch(
      'raft/replication.ts',
      'leader.uncommittedBytes -= bytesBetween(log, nextIndex(state.commitIndex), reached);',
      '',
    ),
    'what is committed no longer counts against the limit of what is not',
  ),
  truncation('a conflicting suffix is kept', [
    patch(
      'raft/following.ts',
      "assert(after >= state.commitIndex, 'a committed entry is never dropped');\n      dropSuffix(state, after);",
      'if (after >= 0) continue;',
    ),
  ]),
  truncation('a late shorter AppendEntries cuts what a longer one brought', [
    patch('raft/following.ts', 'if (termAt(log, entry.index) === entry.term) continue;', ''),
    patch(
      'raft/following.ts',
      "assert(after >= state.commitIndex, 'a committed entry is never dropped');",
      'if (after < state.commitIndex) continue;',
    ),
  ]),
  truncation(
    'a batch under way vouches for entries that were dropped meanwhile',
    patch(
      'raft/persistence.ts',
      'for (const batch of state.outstanding) if (batch.stableTo > after) batch.stableTo = after;\n',
      '',
    ),
  ),
  persistence(
    'an acknowledgement leaves before the entries are durable',
    patch(
      'raft/following.ts',
      "sendAfterPersist(state.outbox, from, {\n    kind: 'appendEntriesResponse',",
      "sendNow(state.outbox, from, {\n    kind: 'appendEntriesResponse',",
    ),
    'nothing is acknowledged or committed before the disks have it',
  ),
  persistence(
    'what waits for one batch leaves with the batch before it',
    patch('node/ready-runner.ts', 'if (durable === issued)', 'if (durable <= issued)'),
  ),
  persistence(
    'term and vote are written down with the next entries only',
    patch(
      'storage/wal/write-ahead-log.ts',
      'if (this.#failure !== undefined) return Promise.reject(this.#failure);\n',
      'if (this.#failure !== undefined) return Promise.reject(this.#failure);\n    if (batch.entries.length === 0 && !batch.floor && !batch.truncateAfter) return Promise.resolve();\n',
    ),
  ),
  persistence(
    'the state on disk runs ahead of the log',
    patch(
      'node/state-flusher.ts',
      'batch === undefined || batch.appliedIndex > this.#host.persistedIndex()',
      'batch === undefined',
    ),
  ),
  persistence(
    'a state batch names one entry less than it holds',
    patch(
      'node/state-flusher.ts',
      'appliedIndex: index,',
      'appliedIndex: Math.max(this.#flushedIndex + 1, index - 1) as LogIndex,',
    ),
    'the state on disk and its index move together, so that nothing is applied twice',
  ),
  recovery(
    'a torn last write is not cut off',
    patch(
      'storage/wal/open-wal.ts',
      'if (end.torn !== undefined) await cut',
      'if (false) await cut',
    ),
  ),
  recovery(
    'the last write is not written again at recovery',
    patch(
      'storage/wal/open-wal.ts',
      'if (replay.lastWrite !== undefined) await',
      'if (false) await',
    ),
  ),
  recovery(
    'a frame is believed without its checksum',
    patch(
      'storage/wal/frame.ts',
      'return crc32(frame.subarray(headerBytes, end), header.previousCrc) === frame.readUInt32LE(8);',
      'return end > 0;',
    ),
  ),
  recovery(
    'a torn last write is taken for rot',
    patch(
      'storage/wal/recovery.ts',
      'const torn = hasZeroSector(frame) && ',
      'const torn = frame.length < 0 && ',
    ),
  ),
  recovery(
    'the vote is recovered from the first batch of a term, not the last',
    patch(
      'storage/wal/replay.ts',
      'replay.hardState = hardState;',
      'if (hardState.term > replay.hardState.term) replay.hardState = hardState;',
    ),
  ),
];
