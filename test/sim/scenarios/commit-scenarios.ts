// What counts as committed, and what a read may rely on: failures 7, 8 and 12 of the list in docs/testing.md.
import { ofCores } from './core-scenario.ts';
import type { Cores, Wire } from './cores.ts';
import { comeTogether } from './reunion.ts';
import type { Scenario } from './scenario.ts';

const isAcknowledgement = ({ message }: Wire): boolean => message.kind === 'appendEntriesResponse';

/** Each of the others alone has acknowledged: no two of five hold what a majority of five must. */
const twoOfFive = ofCores(
  'two of five are no majority, whichever they are',
  'openraft#1802',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3', 'n4', 'n5');
    cores.elect('n1');
    cores.run(10);
    const { commitIndex: before } = cores.core('n1').raft.view();
    for (const friend of ['n2', 'n3', 'n4', 'n5']) {
      cores.propose('n1', `for ${friend}`);
      cores.deliver(({ from, to }) => from === 'n1' && to === friend);
      cores.deliver((wire) => wire.from === friend && isAcknowledgement(wire));
      if (friend === 'n2') {
        const { commitIndex } = cores.core('n1').raft.view();
        cores.demand(commitIndex === before, 'G1', 'n1 and n2 alone have committed an entry');
      }
      holdersOf(cores);
    }
    comeTogether(cores);
  },
);

/** Nothing counts as committed that fewer than three of the five disks hold. */
function holdersOf(cores: Cores): void {
  const { commitIndex } = cores.core('n1').raft.view();
  const holders = cores.ids.filter(
    (id) => (cores.core(id).disk.log.at(-1)?.index ?? 0) >= commitIndex,
  );
  cores.demand(
    holders.length >= 3,
    'G1',
    `${commitIndex} is committed and only on ${holders.join(', ')}`,
  );
}

/** The leader is stopped, others go on without it, and answers to its question of before arrive after that. */
const pausedLeader = ofCores(
  'an answer to an earlier question confirms no later read',
  'etcd#20418, etcd-io/raft#397',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    const first = cores.read('n1');
    cores.deliver(({ from }) => from === 'n1');
    const late = cores.hold(({ to }) => to === 'n1');
    cores.expect(
      late.some(({ message }) => message.kind === 'heartbeatResponse'),
      'answers are late',
    );
    // n1 stands still.
    cores.run(100, ['n2', 'n3']);
    const heir = cores.leaderOf('n2') ?? '';
    cores.expect(heir === 'n2' || heir === 'n3', 'another one leads');
    cores.propose(heir, 'unseen by n1');
    cores.run(5, ['n2', 'n3']);
    cores.hold(({ to }) => to === 'n1');
    cores.step('n1', { kind: 'clockGap', ticks: 100 });
    const second = cores.read('n1');
    for (const wire of late) cores.arrive(wire);
    const { commitIndex } = cores.core(heir).raft.view();
    const told = cores.core('n1').reads;
    cores.demand(
      (told.get(second) ?? commitIndex) >= commitIndex,
      'G2',
      `a read that began after ${commitIndex} was committed is served at ${told.get(second)}`,
    );
    cores.expect(first !== second, 'two reads were asked');
    comeTogether(cores);
  },
);

/** n3 asked, died, and asks again: the answer to its first question says nothing of the second. */
const formerLife = ofCores(
  'an answer to a former life of the process confirms no read',
  'etcd#20418, etcd-io/raft#397',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    cores.read('n3');
    cores.deliver(({ to, message }) => !(to === 'n3' && message.kind === 'readIndexResponse'));
    const late = cores.hold(({ to }) => to === 'n3');
    cores.expect(late.length > 0, 'the answer to n3 is late');
    cores.restart('n3');
    cores.tick('n1', 5);
    cores.deliver();
    cores.propose('n1', 'acknowledged');
    cores.run(5, ['n1', 'n2']);
    const { commitIndex } = cores.core('n1').raft.view();
    cores.hold(({ to }) => to === 'n3');
    const token = cores.read('n3');
    for (const wire of late) cores.arrive(wire);
    const told = cores.core('n3').reads.get(token) ?? commitIndex;
    cores.demand(told >= commitIndex, 'G2', `a read after ${commitIndex} is served at ${told}`);
    comeTogether(cores);
  },
);

const unsavedEntries = ofCores(
  'nothing is acknowledged or committed before the disks have it',
  'etcd#14370, etcd#10508',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    const { commitIndex: before } = cores.core('n1').raft.view();
    for (const id of cores.ids) cores.core(id).slowDisk = true;
    cores.propose('n1', 'in memory');
    cores.deliver();
    const { commitIndex } = cores.core('n1').raft.view();
    cores.demand(commitIndex === before, 'G1', `${commitIndex} is committed and on no disk`);
    cores.persist('n2');
    cores.deliver();
    const after = cores.core('n1').raft.view().commitIndex;
    cores.demand(after === before, 'G1', `${after} is committed and on the disk of n2 alone`);
    // The power fails: what was promised to the client must be there.
    for (const id of cores.ids) cores.restart(id);
    comeTogether(cores);
  },
);

const loneNode = ofCores('a single node answers after its own disk', 'etcd#14370', (cores) => {
  cores.cluster('n1');
  cores.elect('n1');
  const { commitIndex: before } = cores.core('n1').raft.view();
  cores.core('n1').slowDisk = true;
  cores.propose('n1', 'in memory');
  const { commitIndex } = cores.core('n1').raft.view();
  cores.demand(commitIndex === before, 'G1', `${commitIndex} is committed and on no disk`);
  cores.persist('n1');
  comeTogether(cores);
});

export const commitScenarios: readonly Scenario[] = [
  twoOfFive,
  pausedLeader,
  formerLife,
  unsavedEntries,
  loneNode,
];
