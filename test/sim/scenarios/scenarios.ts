// Every scenario. docs/testing.md says which failure of others each one plays again.
import { commitScenarios } from './commit-scenarios.ts';
import { membershipScenarios } from './membership-scenarios.ts';
import { planScenarios } from './plan-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { snapshotScenarios } from './snapshot-scenarios.ts';
import { termScenarios } from './term-scenarios.ts';

export const scenarios: readonly Scenario[] = [
  ...termScenarios,
  ...commitScenarios,
  ...membershipScenarios,
  ...snapshotScenarios,
  ...planScenarios,
];
