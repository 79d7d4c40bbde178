// Bugs of what is on disk before something is said, and of what is believed of a disk afterwards.
import { patch } from '../../sim/planted/planted.ts';
import { bug, type ServerBug, simulated } from './server-bug.ts';

export const diskBugs: readonly ServerBug[] = [
  bug(
    'the log is written without a sync',
    ['powerCutAll'],
    patch(
      'storage/wal/wal-files.ts',
      'durable: constants.O_RDWR | dsync,',
      'durable: constants.O_RDWR,',
    ),
  ),
  bug(
    'a write is acknowledged before the log has written it',
    ['powerCutAll'],
    patch('storage/wal/write-ahead-log.ts', 'return done.promise;', 'return Promise.resolve();'),
  ),
  simulated('an acknowledgement leaves before the entries are durable', ['powerCutAll']),
  bug(
    'damaged records of the state store are believed',
    ['loseRecord'],
    patch(
      'registry/registry-loader.ts',
      'if (currentHash(state) !== meta.hash) return undefined;\n',
      '',
    ),
    30,
  ),
  simulated('a node that lost its disk takes part under its old name', ['wipe']),
];
