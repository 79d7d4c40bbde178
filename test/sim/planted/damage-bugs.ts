// Bugs of what is done with damage: of the log, of the state on disk, of snapshots under way, and of disks that are full.
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
    'a log that is lost again on the way forgets the first loss',
    patch(
      'node/lost-log.ts',
      'const incarnations = [former.incarnation, ...(before?.incarnations ?? [])];',
      'const incarnations = [former.incarnation];',
    ),
  ),
  damagedLog(
    'a log whose beginning is gone is taken for one that was trimmed',
    patch('storage/wal/open-wal.ts', 'first > 1 && !letGo', 'first > 1 && !letGo && first < 0'),
  ),
  damagedLog(
    'whoever is on its way back gets its vote at once',
    patch(
      'raft/change.ts',
      "if (progress?.flow.kind !== 'replicate') return false;\n  if (progress.matchIndex < state.members.configuration.index) return false;\n  return state.log.lastIndex - progress.matchIndex <= state.config.maxPromotionLag;",
      'return progress !== undefined;',
    ),
  ),
  damagedLog(
    'what follows the membership is told before it is noted',
    patch('node/membership-note.ts', 'if (note.due) member ??= sequence;', ''),
  ),
  damagedLog(
    'a learner is promoted before it has acknowledged its membership',
    patch(
      'raft/change.ts',
      'if (progress.matchIndex < state.members.configuration.index) return false;',
      '',
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
    'a node serves while its state is on its way',
    patch(
      'node/node-life.ts',
      'this.#engine !== undefined && !this.#engine.view.awaitsSnapshot;',
      'this.#engine !== undefined;',
    ),
  ),
  damagedState(
    'the scrub finds damage and says nothing',
    patch('node/state-scrub.ts', 'if (hash !== meta.hash) {', "if (hash === '') {"),
  ),
  damagedState('a snapshot is taken whatever its hash', [
    patch(
      'registry/registry-loader.ts',
      'if (currentHash(state) !== meta.hash) return undefined;',
      '',
    ),
    patch(
      'storage/state-verdict.ts',
      'if (hash === meta.hash) return;',
      "if (hash !== '') return;",
    ),
  ]),
  damagedState(
    'another state than the one that was received takes its place',
    patch(
      'storage/sealed-marker.ts',
      'if (appliedIndex === index && appliedTerm === at && meta.hash === hash) return undefined;',
      'if (appliedIndex >= 0) return undefined;',
    ),
  ),
  fullDisk(
    'a batch of the state that found no space is dropped',
    patch('node/state-flusher.ts', 'this.#staged = batch;\n', ''),
  ),
  fullDisk(
    'what takes something away is refused with the rest',
    patch(
      'node/room-reports.ts',
      "case 'expire':\n      return false;",
      "case 'expire':\n      return true;",
    ),
  ),
  fullDisk(
    'a full disk lets registrations through',
    patch(
      'node/room-reports.ts',
      "case 'setStatus':\n      return true;",
      "case 'setStatus':\n      return false;",
    ),
  ),
  fullDisk(
    'a full disk refuses signs of life',
    patch(
      'node/node.ts',
      '_options: CallOptions): Promise<HeartbeatAnswer> {\n    this.#refuseWhenStopping();',
      `_options: CallOptions): Promise<HeartbeatAnswer> {
    const shortage = this.#life.parts.room.shortage();
    if (shortage !== undefined) throw new RegistryError('resourceExhausted', shortage);`,
    ),
  ),
];
