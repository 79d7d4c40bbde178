// Bugs of what is on disk before something is said, and of what is believed of a disk afterwards.
import { patch } from '../../sim/planted/planted.ts';
import { bug, type ServerBug } from './server-bug.ts';

export const diskBugs: readonly ServerBug[] = [
  bug(
    'a write is acknowledged before the log is synced',
    ['powerCutAll'],
    patch(
      'storage/wal/wal-files.ts',
      'durable: constants.O_RDWR | dsync,',
      'durable: constants.O_RDWR,',
    ),
  ),
];
