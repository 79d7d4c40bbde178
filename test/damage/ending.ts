// How a node took its damage, by what is seen from outside: its exit code, the lines of its log, what it says in Status.
import type { FileClass } from './file-classes.ts';
import type { LogLine } from './field.ts';

/** `unharmed`: it went on as if nothing were amiss. `cut`: it took the end of its log for a torn write. `from-log`: it made its state
 * anew from its log; `from-peer`: it took a snapshot from another node; `taken-back`: its log was lost and the others took it back
 * under a new incarnation. A number: the exit code with which it refused to start. */
export type Ending = 'unharmed' | 'cut' | 'from-log' | 'from-peer' | 'taken-back' | number;

export function nameOf(ending: Ending): string {
  switch (ending) {
    case 'unharmed':
      return 'unharmed';
    case 'cut':
      return 'repaired: end of the log cut';
    case 'from-log':
      return 'repaired from its log';
    case 'from-peer':
      return 'repaired from a peer';
    case 'taken-back':
      return 'repaired: taken back by the others';
    default:
      return `refused with ${ending}`;
  }
}

export function endingOf(exitCode: number | undefined, lines: readonly LogLine[]): Ending {
  if (exitCode !== undefined) return exitCode;
  const said = (event: string): boolean => lines.some((line) => line.event === event);
  if (said('taken_back')) return 'taken-back';
  if (said('snapshot_installed')) return 'from-peer';
  const begun = lines.find(({ event }) => event === 'running')?.applied_index ?? Infinity;
  if (said('state_discarded') || begun <= 1) return 'from-log';
  return saysCut(lines) ? 'cut' : 'unharmed';
}

/** It took something for the rest of a write that was under way. */
export const saysCut = (lines: readonly LogLine[]): boolean =>
  lines.some(({ msg }) => msg?.includes('was torn') === true);

/** Everything a node that ended has said about why. */
export function lastWords(lines: readonly LogLine[]): string {
  const last = lines.filter(({ event }) => event === 'fatal');
  const words = last.flatMap(({ reason, msg, err }) => [reason, msg, err?.message]);
  return [...new Set(words.filter((word) => word !== undefined && word !== ''))].join(' | ');
}

const advised = /restore|remove|run the same command|start it with/i;

/** What an operator would miss in these words; undefined: nothing. `path` is relative to the data-dir. */
export function missingIn(words: string, dataDir: string, path: string): string | undefined {
  const [part = ''] = path.split('/');
  if (words === '') return 'nothing was said before the end';
  if (!words.includes(dataDir) && !words.includes(part))
    return `neither ${part} nor ${dataDir} is named`;
  return advised.test(words) ? undefined : 'it is not said what to do';
}

/** Files that a start may find gone or changed without having to do anything. */
export const disposable: ReadonlySet<FileClass> = new Set<FileClass>([
  'lock',
  'disk-mark',
  'segment-preparing',
  'state-lock',
  'state-info',
  'former-state',
]);
