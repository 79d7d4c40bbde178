// What the parts of the compose test share: the cluster, where progress is told, and the figures of the report.
import type { ComposeCluster } from './compose-cluster.ts';

/** Names that nobody else's images have: the ones of the documents are the user's own. */
export const images = {
  /** This checkout. */
  local: 'rollcall-test:local',
  /** This checkout under another name: what the documents call rollcall:next. */
  next: 'rollcall-test:next',
  /** The first release, from the history. */
  before: 'rollcall-test:before',
} as const;

export interface Trial {
  readonly cluster: ComposeCluster;
  readonly say: (line: string) => void;
  /** By name, with its unit in the name; printed at the end. */
  readonly figures: Map<string, number>;
  readonly seed: number;
}

/** The documented commands, on the test's own images. */
export const withTestImages = (commands: string): string =>
  commands.replaceAll('rollcall:next', images.next).replaceAll('rollcall:local', images.local);
