// Every bug that the simulator must find, area by area.
import type { PlantedBug } from '../../planted/bug.ts';
import { clusterBugs } from './cluster-bugs.ts';
import { damageBugs } from './damage-bugs.ts';
import { electionBugs } from './election-bugs.ts';
import { leaseBugs } from './lease-bugs.ts';
import { logBugs } from './log-bugs.ts';
import { readBugs } from './read-bugs.ts';
import { stateBugs } from './state-bugs.ts';
import { watchBugs } from './watch-bugs.ts';

export const simulatedBugs: readonly PlantedBug[] = [
  ...electionBugs,
  ...logBugs,
  ...readBugs,
  ...leaseBugs,
  ...watchBugs,
  ...stateBugs,
  ...clusterBugs,
  ...damageBugs,
];
