// What this host allows: each ability is tried before it is offered, and what fails says why.
import type { Ability } from './arena.ts';
import type { Claim } from './claim.ts';
import { whyNoProgram } from './command.ts';
import { prepareControl } from './control-page.ts';
import { preparePowerCut } from './node-disk.ts';
import { onlyInContainers } from './not-offered.ts';
import { PeerNetwork } from './peer-network.ts';
import { disksOf } from './sweep.ts';

export interface Toolbox {
  readonly missing: ReadonlyMap<Ability, string>;
  readonly peers: PeerNetwork | undefined;
  /** The program that cuts the power of a volume. */
  readonly powerCut: string | undefined;
  /** The library that is preloaded into servers. */
  readonly library: string | undefined;
  /** Put before a server: it dies with the harness, even where that is killed. */
  readonly leash: readonly string[];
}

export async function prepareTools(claim: Claim): Promise<Toolbox> {
  const missing = new Map<Ability, string>([
    ['cable', onlyInContainers],
    ['release', onlyInContainers],
  ]);
  const prepare = async <T>(abilities: readonly Ability[], attempt: Promise<T>) => {
    try {
      return await attempt;
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'it failed without a reason';
      for (const ability of abilities) missing.set(ability, reason);
      return undefined;
    }
  };
  const disks = disksOf(claim);
  const [peers, powerCut, library] = await Promise.all([
    prepare(['network'], PeerNetwork.create(claim)),
    prepare(['power'], preparePowerCut(disks)),
    prepare(['slowDisk', 'wallClock'], prepareControl(disks)),
  ]);
  return { missing, peers, powerCut, library, leash: findLeash() };
}

/** None where the host has no program for it. */
export const findLeash = (): readonly string[] =>
  whyNoProgram('setpriv') === undefined ? ['setpriv', '--pdeathsig', 'KILL'] : [];
