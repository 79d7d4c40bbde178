// With which exit code a node ends that cannot read its own log. Damage needs an operator's decision; a disk, or a table of
// open files, that refused a read does not, and must not be taken for it.
import { InvariantError } from '../lib/assert.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';

/** 13: a defect of ours. 14: a later version wrote it. 10: the disk refused, and the store's error says so itself. 11: anything else is
 * damage. */
export function readFailureCode(error: unknown): 10 | 11 | 13 | 14 {
  if (error instanceof InvariantError) return 13;
  if (error instanceof UnknownFormatError) return 14;
  const refused = error instanceof Error && 'exitCode' in error && error.exitCode === 10;
  return refused ? 10 : 11;
}
