// Bugs of ReadIndex, of sessions between nodes and with clients, and of identity.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const reads = inArea('ReadIndex');
const sessions = inArea('sessions');
const identity = inArea('bootstrap identity');

export const readBugs: readonly PlantedBug[] = [
  reads(
    'a read is confirmed without a quorum',
    patch(
      'raft/read-index.ts',
      'const confirmed = majorityValue(values);',
      'const confirmed = Math.max(majorityValue(values), reads.lastRound);',
    ),
  ),
  reads(
    'a new leader answers reads before it has committed in its term',
    patch(
      'raft/read-index.ts',
      'return role.committedInTerm && role.reads.queued.length > 0;',
      'return role.reads.queued.length > 0;',
    ),
  ),
  reads(
    'a read does not wait until its index is applied',
    patch('node/rounds.ts', 'if (index <= this.#appliedIndex) this', 'if (index >= 0) this'),
  ),
  reads(
    'a read joins a round that began before it',
    patch(
      'node/rounds.ts',
      'this.#gathering.push(done);\n',
      'const under = [...this.#underWay.values()].at(-1);\n    if (under !== undefined) {\n      (under.waiting as Done[]).push(done);\n      return;\n    }\n    this.#gathering.push(done);\n',
    ),
  ),
  reads(
    'a round takes the number of one that is not answered yet',
    patch(
      'raft/read-index.ts',
      'reads.lastRound += 1;',
      'if (reads.rounds.length === 0) reads.lastRound += 1;',
    ),
    'an answer to an earlier question confirms no later read',
  ),
  reads(
    'a bounded read is answered beyond its bound',
    patch('node/reads.ts', "'bounded' && ageMs <= maxStalenessMs", "'bounded' && ageMs >= 0"),
  ),
  reads(
    'a restarted node uses its read contexts again',
    patch('raft/state.ts', 'random.integer(0, 2 ** 31) * 2 ** 20', '0'),
    'an answer to a former life of the process confirms no read',
  ),
  sessions(
    'an answer of an earlier session counts',
    patch(
      'raft/receive.ts',
      'if (progress?.session !== reply.session) {',
      'if (progress === undefined) {',
    ),
    'an answer from an earlier membership says nothing of the new one',
  ),
  sessions(
    'a client is shown an older revision than it has seen',
    patch(
      'node/reads.ts',
      'if (this.#host.registry.revision < reader.options.minRevision) {',
      'if (this.#host.registry.revision < 0) {',
    ),
  ),
  identity('a node that lost its disk takes part under its old name', [
    patch(
      'node/admission.ts',
      'return member.nodeId === hello.nodeId && member.incarnation === hello.incarnation;',
      'return member.nodeId === hello.nodeId;',
    ),
    patch(
      'node/roster.ts',
      'member.nodeId === nodeId && member.incarnation === incarnation',
      "member.nodeId === nodeId && incarnation !== ''",
    ),
    patch(
      'node/roster.ts',
      'one.nodeId === nodeId && one.incarnation === incarnation',
      'one.nodeId === nodeId',
    ),
    patch(
      'node/cluster-record.ts',
      'id === self.nodeId && incarnation !== self.incarnation',
      "id === self.nodeId && self.incarnation === ''",
    ),
    patch(
      'node/formation.ts',
      'genuine && own?.incarnation === self.incarnation',
      'genuine && own',
    ),
  ]),
  identity('a node forms a cluster with whoever it has reached first', [
    patch('node/formation.ts', 'empties() === others.length ?', 'empties() > 0 ?'),
    patch(
      'node/formation.ts',
      'others.every((peer) => told.get(peer)?.proposedUuid === own.clusterUuid)',
      "own.clusterUuid !== ''",
    ),
  ]),
];
