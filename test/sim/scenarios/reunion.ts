// The end of a scenario: everything is mended, and the cores have to make one cluster of themselves again.
import { raftDefaults } from '../../../src/raft/index.ts';
import type { Cores } from './cores.ts';

/** Election timeouts until all is well again. */
const ROUNDS = 20;
const LAST_WORDS = 'the end';

/** There must be a leader, all must come to hold the same, and something new must be committed. */
export function comeTogether(cores: Cores, ids: readonly string[] = cores.ids): void {
  cores.cut.clear();
  for (const id of ids) {
    cores.core(id).slowDisk = false;
    cores.core(id).slowApply = false;
    cores.persist(id);
    cores.apply(id);
  }
  for (let round = 0; round < ROUNDS; round++) {
    cores.run(raftDefaults.electionTicks, ids);
    for (const id of ids) {
      const { pullFrom } = cores.core(id);
      if (pullFrom !== undefined) cores.install(id, cores.snapshotOf(pullFrom));
    }
    const leader = ids.find((id) => cores.core(id).raft.view().role === 'leader');
    if (leader !== undefined && round === ROUNDS / 2) cores.propose(leader, LAST_WORDS);
  }
  const views = ids.map((id) => cores.core(id).raft.view());
  const [first] = views;
  const agreed =
    first?.leader !== undefined &&
    views.every(
      (view) =>
        view.leader === first.leader &&
        view.appliedIndex === first.appliedIndex &&
        view.lastIndex === first.lastIndex &&
        view.configurationIndex === first.configurationIndex,
    );
  cores.demand(agreed, 'G6', `they do not come together: ${JSON.stringify(views)}`);
  cores.demand(cores.hasCommitted(LAST_WORDS), 'G15', 'nothing can be written any more');
}
