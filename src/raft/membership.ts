// Who belongs to the cluster, as a function of the log (dissertation 4.1).
import type { RaftConfig } from './config.ts';
import type { Configuration, Membership } from './types.ts';

const NOBODY: Membership = { voters: [], learners: [] };

export function membershipAt(
  config: Pick<RaftConfig, 'membershipOf'>,
  configuration: Configuration,
): Membership {
  return configuration.payload.length === 0 ? NOBODY : config.membershipOf(configuration.payload);
}
