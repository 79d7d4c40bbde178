// What the parts of the compose test share: the cluster, where progress is told, and the figures of the report.
import type { ComposeCluster } from './compose-cluster.ts';

export interface Trial {
  readonly cluster: ComposeCluster;
  readonly say: (line: string) => void;
  /** By name, with its unit in the name; printed at the end. */
  readonly figures: Map<string, number>;
  readonly seed: number;
}
