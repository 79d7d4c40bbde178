// All bugs that are hunted by runs on real processes.
import { diskBugs } from './disk-bugs.ts';
import type { ServerBug } from './server-bug.ts';

export const serverBugs: readonly ServerBug[] = [...diskBugs];
