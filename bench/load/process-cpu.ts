// CPU time of running processes, from /proc: the figure that survives a change of machine.
import { readFileSync } from 'node:fs';

/** Linux reports clock ticks; USER_HZ is 100 on every platform we run on. */
const ticksPerSecond = 100;

/** User plus system seconds of these processes so far; a process that is gone counts nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process ended; its time is lost to us.
    }
  }
  return ticks / ticksPerSecond;
}
