// Which instances a reader means. Evaluated on state, never on events.
import type { Status } from './types.ts';

/** All parts are ANDed. Bounds are checked at the door: 64 services, 64 tags, 64 metadata pairs. */
export interface Selector {
  /** '*' means all namespaces. */
  readonly namespace: string;
  /** Empty: every service of the namespace. Sorted, distinct. */
  readonly services: readonly string[];
  readonly healthyOnly: boolean;
  readonly tags: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly zone: string;
  readonly region: string;
  readonly version: string;
  /** Any of these; empty: every status. */
  readonly statuses: readonly Status[];
}
