// How scenarios of cores are written down.
import type { RaftConfig } from '../../../src/raft/index.ts';
import { Cores } from './cores.ts';
import type { Scenario } from './scenario.ts';

export function ofCores(
  name: string,
  seenIn: string,
  play: (cores: Cores) => void,
  config: Partial<RaftConfig> = {},
): Scenario {
  return {
    name,
    seenIn,
    run: () => {
      const cores = new Cores(config);
      play(cores);
      return Promise.resolve(cores.violations);
    },
  };
}
