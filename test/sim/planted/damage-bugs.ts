// Bugs of what is done with damage: of the log, of the state on disk, and of disks that are full.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const damagedLog = inArea('damaged log');
const damagedState = inArea('damaged state');
const fullDisk = inArea('full disk');

export const damageBugs: readonly PlantedBug[] = [
  damagedLog(
    'a log that has rotted is cut where the rot begins',
    patch(
      'storage/wal/recovery.ts',
      "if (!torn) throw damaged(at, 'a frame does not match its checksum');",
      '',
    ),
  ),
  damagedLog(
    'a node that lost its log keeps its incarnation',
    patch(
      'node/lost-log.ts',
      'incarnation,\n    lost:',
      'incarnation: former.incarnation,\n    lost:',
    ),
  ),
  damagedLog('a node is asked for its vote before it is back', [
    patch(
      'node/peers.ts',
      'const hello = this.#connected.get(peer);\n    return hello !== undefined && this.#host.roster.means(peer, hello.incarnation);',
      'return this.#connected.has(peer);',
    ),
    patch(
      'node/peers.ts',
      'const hello = this.#admitted.get(peer);\n    return hello !== undefined && this.#host.roster.means(peer, hello.incarnation);',
      'return this.#admitted.has(peer);',
    ),
  ]),
  damagedLog(
    'whoever is on its way back gets its vote at once',
    patch(
      'raft/change.ts',
      "if (progress?.flow.kind !== 'replicate') return false;\n  if (progress.matchIndex < state.members.configuration.index) return false;\n  return state.log.lastIndex - progress.matchIndex <= state.config.maxPromotionLag;",
      'return progress !== undefined;',
    ),
  ),
  damagedState(
    'the applied index of a state is believed without its hash',
    patch('storage/state-verdict.ts', 'if (hash === expected)', "if (hash !== '')"),
  ),
  damagedState(
    'the state of another node is believed',
    patch(
      'storage/state-verdict.ts',
      "if (state.owner !== owner) return 'it was written by another node';",
      '',
    ),
  ),
  damagedState(
    'the scrub finds damage and says nothing',
    patch('node/state-scrub.ts', 'if (hash !== meta.hash) {', "if (hash === '') {"),
  ),
  fullDisk(
    'a batch of the state that found no space is dropped',
    patch('node/state-flusher.ts', 'this.#staged = batch;\n', ''),
  ),
];
