// Every scenario. docs/testing.md says which failure of others each one plays again.
import type { Scenario } from './scenario.ts';

export const scenarios: readonly Scenario[] = [];
