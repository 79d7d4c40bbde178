// Everything that is fuzzed, for the tests and for `npm run fuzz`.
import { configTargets } from './config-targets.ts';
import { fileTargets } from './file-targets.ts';
import { logTargets } from './log-targets.ts';
import type { Target } from './target.ts';
import { wireTargets } from './wire-targets.ts';

export const targets: readonly Target[] = [
  ...logTargets,
  ...fileTargets,
  ...wireTargets,
  ...configTargets,
];
