// All bugs that are hunted by runs on real processes.
import { answerBugs } from './answer-bugs.ts';
import { diskBugs } from './disk-bugs.ts';
import { leaseBugs } from './lease-bugs.ts';
import type { ServerBug } from './server-bug.ts';

export const serverBugs: readonly ServerBug[] = [...diskBugs, ...leaseBugs, ...answerBugs];
