// All that an arena of one process could have left on this host, found without the arena's own records.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimDirectory } from '../claim.ts';
import { runAtOnce } from '../command.ts';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const list = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path) : []);

const linesOf = (text: string, which: (line: string) => boolean): readonly string[] =>
  text.split('\n').filter(which);

/** In words; none: nothing is left. */
export function leftoversOf(owner: number, directory: string): readonly string[] {
  const name = `rcz${owner}`;
  const named = (entry: string): boolean => new RegExp(`\\b${name}(?!\\d)`).test(entry);
  const inside = (text: string): boolean => text.includes(`${directory}/`);
  return [
    ...list('/sys/class/net').filter(named),
    ...list('/run/netns').filter(named),
    ...linesOf(runAtOnce('iptables', ['-w', '-S']), named),
    ...linesOf(read('/proc/self/mountinfo'), inside),
    ...linesOf(runAtOnce('losetup', ['--list', '--noheadings', '-O', 'BACK-FILE']), inside),
    ...list('/proc')
      .filter((entry) => /^\d+$/.test(entry) && inside(read(`/proc/${entry}/cmdline`)))
      .map((pid) => `process ${pid}`),
    ...list(claimDirectory()).filter((entry) => entry.startsWith(`owner-${owner}-`)),
    ...(existsSync(join(directory, 'disks')) ? [join(directory, 'disks')] : []),
  ];
}
