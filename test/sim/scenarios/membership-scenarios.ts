// Who belongs to the cluster: failures 3, 4, 5 and 6 of the list in docs/testing.md.
import { ofCores } from './core-scenario.ts';
import { membership, type Wire } from './cores.ts';
import { comeTogether } from './reunion.ts';
import type { Scenario } from './scenario.ts';

/** n3 led for a moment and appended a configuration that nobody else has; then its log is superseded by a snapshot. */
const phantom = ofCores(
  'a configuration that was never committed does not outlive a snapshot',
  'openraft#1808, openraft#1892, matrixone#23281',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n3');
    cores.run(10);
    cores.isolate('n3');
    for (let entry = 0; entry < 20; entry++) cores.propose('n3', `lost ${entry}`);
    cores.change('n3', membership('n1 n2 n3', 'n9'));
    cores.expect(
      cores.core('n3').raft.view().membership.learners.length === 1,
      'n3 appended a change',
    );
    cores.run(150, ['n1', 'n2']);
    const heir = cores.leaderOf('n1') ?? '';
    cores.expect(heir === 'n1' || heir === 'n2', 'another one leads');
    for (let entry = 0; entry < 6; entry++) cores.propose(heir, `kept ${entry}`);
    cores.run(10, ['n1', 'n2']);
    const { appliedIndex } = cores.core(heir).raft.view();
    for (const id of ['n1', 'n2']) cores.step(id, { kind: 'compact', index: appliedIndex });
    // What was sent to n3 meanwhile is lost.
    cores.hold(({ to }) => to === 'n3');
    comeTogether(cores);
    const { learners } = cores.core('n3').raft.view().membership;
    cores.demand(learners.length === 0, 'raft', `n3 still knows the learner ${learners.join()}`);
    cores.restart('n3');
    const after = cores.core('n3').raft.view().membership.learners;
    cores.demand(after.length === 0, 'raft', `started anew, n3 knows the learner ${after.join()}`);
  },
);

const among = ({ from, to }: Wire): boolean => !['n1', 'n5'].some((id) => id === from || id === to);

const small = (wire: Wire): boolean => among(wire) && wire.message.kind !== 'appendEntries';

/** Two leaders change the same configuration in two ways whose majorities need not meet (Ongaro 2015). */
const twoLeaders = ofCores(
  'a new leader changes no membership before it has committed in its term',
  'hashicorp/raft configurationChangeChIfStable, atomix/copycat#23, openraft#2051, hydro#3192',
  (cores) => {
    const all = { voters: ['n1', 'n2', 'n3', 'n4'], learners: ['n5'] };
    for (const id of [...all.voters, ...all.learners]) cores.add(id, all);
    cores.elect('n1');
    cores.run(20);
    // n1 makes a voter of n5, and only n5 hears of it.
    cores.change('n1', membership('n1 n2 n3 n4 n5'));
    cores.deliver(({ to }) => to === 'n5');
    cores.deliver(({ from }) => from === 'n5');
    cores.hold(() => true);
    const { voters } = cores.core('n5').raft.view().membership;
    cores.expect(voters.length === 5, 'n5 has the change');
    // n2 is elected by the configuration of before, and wants to remove n1.
    for (const id of ['n2', 'n3', 'n4']) {
      cores.step(id, { kind: 'peerDisconnected', peer: cores.core('n1').id });
    }
    for (let ticks = 0; ticks < 100 && cores.leaderOf('n2') !== 'n2'; ticks++) {
      cores.tick('n2');
      cores.deliver(small);
    }
    cores.expect(cores.core('n2').raft.view().role === 'leader', 'n2 is elected');
    cores.tick('n2', 5);
    cores.deliver(small);
    cores.change('n2', membership('n2 n3 n4', 'n5'));
    // Only n3 hears of that.
    cores.deliver((wire) => among(wire) && wire.from !== 'n4' && wire.to !== 'n4');
    cores.hold(() => true);
    // And n1 comes back with a majority of the five.
    for (const id of ['n2', 'n3']) cores.isolate(id);
    cores.run(200);
    comeTogether(cores);
  },
);

/** Two removals at once: the majority of three that remain need not meet that of the five before. */
const twoRemovals = ofCores(
  'a second change waits until the first one is committed',
  'etcd#7625, etcd#12359, etcd-io/raft#80, #456, #469',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3', 'n4', 'n5');
    cores.elect('n1');
    cores.run(20);
    const near = ['n1', 'n2'];
    const far = ['n3', 'n4', 'n5'];
    for (const id of far)
      for (const other of near) cores.cut.add(`${id} ${other}`).add(`${other} ${id}`);
    const first = cores.change('n1', membership('n1 n2 n3 n4'));
    cores.expect(cores.core('n1').appended.has(first), 'the first removal is under way');
    cores.change('n1', membership('n1 n2 n3'));
    cores.run(5, near);
    cores.run(150, far);
    cores.expect(
      far.some((id) => cores.core(id).raft.view().role === 'leader'),
      'the far side has a leader',
    );
    comeTogether(cores);
  },
);

/** What n4 acknowledged before it was removed arrives when it is a member again, with an empty disk. */
const backAgain = ofCores(
  'an answer from an earlier membership says nothing of the new one',
  'raft-rs#571, etcd-io/raft#349',
  (cores) => {
    const all = { voters: ['n1', 'n2', 'n3'], learners: ['n4'] };
    for (const id of [...all.voters, ...all.learners]) cores.add(id, all);
    cores.elect('n1');
    cores.run(20);
    cores.propose('n1', 'held');
    cores.deliver(({ to }) => to !== 'n1');
    const late = cores.hold(
      ({ from, message }) => from === 'n4' && message.kind === 'appendEntriesResponse',
    );
    cores.expect(late.length > 0, 'an acknowledgement of n4 is late');
    cores.run(5);
    cores.change('n1', membership('n1 n2 n3'));
    cores.run(5);
    cores.add('n4');
    cores.change('n1', membership('n1 n2 n3', 'n4'));
    cores.hold(({ to }) => to === 'n4');
    for (const wire of late) cores.arrive(wire);
    const known = cores
      .core('n1')
      .raft.peers()
      .find(({ peer }) => peer === 'n4')?.matchIndex;
    cores.demand(
      known === 0,
      'raft',
      `n1 believes that the empty n4 holds everything up to ${known}`,
    );
    cores.run(10);
    cores.change('n1', membership('n1 n2 n3 n4'));
    comeTogether(cores);
  },
);

/** n1 removes itself, and must not count itself for that, nor go on leading. */
const leaderLeaves = ofCores(
  'a leader that removes itself does not count for it, and leaves',
  'hashicorp/raft#481, etcd-io/raft#83',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3', 'n4');
    cores.elect('n1');
    cores.run(20);
    const { commitIndex: before } = cores.core('n1').raft.view();
    cores.change('n1', membership('n2 n3 n4'));
    cores.deliver(({ from, to }) => from === 'n1' && to === 'n2');
    cores.deliver(({ from, to }) => from === 'n2' && to === 'n1');
    const { commitIndex } = cores.core('n1').raft.view();
    cores.demand(
      commitIndex === before,
      'G1',
      'one voter of three and the removed leader committed',
    );
    cores.run(100);
    cores.demand(
      cores.core('n1').raft.view().role !== 'leader',
      'raft',
      'n1 leads although it is no member',
    );
    comeTogether(cores, ['n2', 'n3', 'n4']);
  },
);

/** A removed node that does not know it asks for votes for ever. */
const removedDisturbs = ofCores(
  'a removed node deposes nobody',
  'dissertation 4.2.3, etcd#8501',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3', 'n4');
    cores.elect('n1');
    cores.run(20);
    cores.isolate('n4');
    cores.change('n1', membership('n1 n2 n3'));
    cores.run(20, ['n1', 'n2', 'n3']);
    const { term: before } = cores.core('n1').raft.view();
    cores.cut.clear();
    cores.run(600);
    const { term: after, role } = cores.core('n1').raft.view();
    cores.demand(
      after === before && role === 'leader',
      'G16',
      `the term rose from ${before} to ${after}`,
    );
    comeTogether(cores, ['n1', 'n2', 'n3']);
  },
);

/** n1 appended a change that nobody else has; the next leader puts something else in its place. */
const rolledBack = ofCores(
  'a configuration goes with its entry when that is dropped',
  'dissertation 4.1, hashicorp/raft, openraft',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    cores.isolate('n1');
    cores.change('n1', membership('n1 n2 n3', 'n9'));
    cores.hold(() => true);
    cores.run(150, ['n2', 'n3']);
    comeTogether(cores);
    const { learners } = cores.core('n1').raft.view().membership;
    cores.demand(learners.length === 0, 'raft', `n1 still knows the learner ${learners.join()}`);
  },
);

/** A learner that hears nobody waits; it is no voter until it holds the log. */
const patientLearner = ofCores('a learner never campaigns', 'dissertation 4.2.1', (cores) => {
  const all = { voters: ['n1', 'n2', 'n3'], learners: ['n4'] };
  for (const id of [...all.voters, ...all.learners]) cores.add(id, all);
  cores.elect('n1');
  cores.run(20);
  const { term: before } = cores.core('n1').raft.view();
  cores.isolate('n1');
  cores.run(40, ['n4']);
  cores.cut.clear();
  for (const id of ['n2', 'n3', 'n4']) {
    cores.step(id, { kind: 'peerDisconnected', peer: cores.core('n1').id });
  }
  // Only the learner's time passes: whoever it asks would say yes.
  cores.run(200, ['n4']);
  cores.deliver();
  const { role, term: after } = cores.core('n4').raft.view();
  const quiet = role === 'follower' && after === before;
  cores.demand(quiet, 'raft', `the learner n4 is ${role} in term ${after}, it was ${before}`);
  comeTogether(cores);
});

const emptyLearner = ofCores(
  'a learner becomes a voter once it holds the log, not before',
  'hashicorp/raft#481, raft-rs#352',
  (cores) => {
    const all = { voters: ['n1', 'n2'], learners: ['n3'] };
    for (const id of ['n1', 'n2']) cores.add(id, all);
    cores.add('n3');
    cores.elect('n1');
    for (let entry = 0; entry < 50; entry++) cores.propose('n1', `entry ${entry}`);
    cores.isolate('n3');
    cores.run(20);
    const token = cores.change('n1', membership('n1 n2 n3'));
    const reason = cores.core('n1').rejected.get(token);
    cores.demand(reason === 'notCaughtUp', 'G15', `an empty learner becomes a voter: ${reason}`);
    cores.hold(({ to }) => to === 'n3');
    comeTogether(cores);
  },
  { maxPromotionLag: 4 },
);

export const membershipScenarios: readonly Scenario[] = [
  rolledBack,
  patientLearner,
  emptyLearner,
  phantom,
  twoLeaders,
  twoRemovals,
  backAgain,
  leaderLeaves,
  removedDisturbs,
];
