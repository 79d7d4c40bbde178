// Terms, elections and pre-vote: failures 1, 10 and 11 of the list in docs/testing.md.
import { ofCores } from './core-scenario.ts';
import { comeTogether } from './reunion.ts';
import type { Scenario } from './scenario.ts';

/** n1 leads in an earlier term than n2 and does not know it: n3 has voted for n2. */
const staleLeader = ofCores(
  'a leader stamps nothing with a term it was not elected in',
  'hashicorp/raft#695',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    const { term: own } = cores.core('n1').raft.view();
    cores.isolate('n1');
    cores.run(100, ['n2', 'n3']);
    cores.expect(cores.leaderOf('n2') !== 'n1', 'another one was elected behind its back');
    cores.cut.clear();
    // Nothing of the new leader arrives, only an answer to its own heartbeat, and with it a proposal.
    cores.hold(({ to }) => to === 'n1');
    cores.tick('n1', 5);
    cores.deliver(({ from, message }) => from === 'n1' && message.kind === 'heartbeat');
    cores.deliver(({ to, message }) => to === 'n1' && message.kind === 'heartbeatResponse');
    cores.propose('n1', 'late');
    const newest = cores.core('n1').disk.log.at(-1);
    cores.demand(
      (newest?.term ?? 0) <= own,
      'raft',
      `n1 was elected in term ${own} and appended in term ${newest?.term}`,
    );
    comeTogether(cores);
  },
);

/** Only n1 can win, and only if the others tell it how far the terms have come. */
const leftBehind = ofCores(
  'a node that was left behind learns the term from a refused pre-vote',
  'etcd#8243, etcd#8501, openraft#1796, hashicorp/raft#605, #609',
  (cores) => {
    const voters = ['n1', 'n2', 'n3'];
    cores.add('n1', { voters, log: [1, 2, 2], term: 2 });
    cores.add('n2', { voters, log: [1], term: 7 });
    cores.add('n3', { voters, log: [1], term: 9 });
    cores.isolate('n3');
    comeTogether(cores, ['n1', 'n2']);
    cores.demand(cores.leaderOf('n1') === 'n1', 'raft', 'whoever lacks entries was elected');
  },
);

const leaderHeard = ofCores(
  'a pre-vote disturbs nobody, whoever asks and however often',
  'hashicorp/raft#605, #609',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    const { term: before } = cores.core('n1').raft.view();
    // n3 hears nobody, and everybody hears n3.
    cores.cut.add('n1 n3').add('n2 n3');
    cores.run(400);
    comeTogether(cores);
    const { term: after, leader } = cores.core('n1').raft.view();
    cores.demand(
      leader === 'n1' && after === before,
      'G16',
      `n1 led in term ${before}, and now ${leader} leads in term ${after}`,
    );
  },
);

const stuckDisk = ofCores(
  'a leader whose disk has stopped gives up its office',
  'hashicorp/raft#503, #522, etcd#3068, vault#14372, dqlite#589',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    cores.core('n1').slowDisk = true;
    cores.propose('n1', 'stuck');
    cores.run(250);
    const heir = cores.leaderOf('n2') ?? '';
    cores.demand(
      heir !== '' && heir !== 'n1',
      'G15',
      `after 2.5 s without a write to the disk of n1, "${heir}" leads`,
    );
    if (heir === 'n2' || heir === 'n3') cores.propose(heir, 'goes on');
    cores.run(20);
    comeTogether(cores);
  },
);

const slowDisk = ofCores(
  'heartbeats do not wait for the disk of a leader, nor of a follower',
  'etcd#7617, etcd#7312',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(10);
    const { term: before } = cores.core('n1').raft.view();
    for (let write = 0; write < 10; write++) {
      for (const id of cores.ids) cores.core(id).slowDisk = true;
      cores.propose('n1', `slow ${write}`);
      cores.run(80);
      for (const id of cores.ids) {
        cores.core(id).slowDisk = false;
        cores.persist(id);
      }
    }
    comeTogether(cores);
    const { term: after } = cores.core('n1').raft.view();
    cores.demand(after === before, 'G16', `slow disks cost ${after - before} elections`);
  },
);

/** n3 votes, dies, and is asked by the other candidate of the same term. */
const oneVote = ofCores(
  'a vote is remembered by whoever gave it, whatever happens to the process',
  'the paper, section 5.2',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    const campaign = (id: string): void => {
      for (let ticks = 0; ticks < 100; ticks++) {
        cores.tick(id);
        cores.deliver(({ from, to, message }) => {
          return message.kind.startsWith('preVote') && [from, to].includes('n3');
        });
        if (cores.core(id).raft.view().role === 'candidate') return;
      }
    };
    // n3 tells both that they would win, before either asks it for its vote.
    campaign('n1');
    campaign('n2');
    const terms = ['n1', 'n2'].map((id) => cores.core(id).raft.view().term);
    cores.expect(terms[0] === terms[1], `both campaign in one term: ${terms.join()}`);
    cores.deliver(({ from, to }) => from === 'n1' && to === 'n3');
    cores.deliver(({ from, to }) => from === 'n3' && to === 'n1');
    cores.restart('n3');
    cores.deliver(({ from, to }) => from === 'n2' && to === 'n3');
    cores.deliver(({ from, to }) => from === 'n3' && to === 'n2');
    comeTogether(cores);
  },
);

/** n1 has the longer log, and what it has was superseded: n2 and n3 committed an entry of a later term. */
const laterTerm = ofCores(
  'a longer log of an earlier term wins no election',
  'the paper, section 5.4.1',
  (cores) => {
    const voters = ['n1', 'n2', 'n3'];
    cores.add('n1', { voters, log: [1, 2, 2, 2, 2], term: 3 });
    for (const id of ['n2', 'n3']) cores.add(id, { voters, log: [1, 3], term: 3 });
    cores.isolate('n2');
    cores.run(200, ['n1', 'n3']);
    cores.demand(cores.leaderOf('n3') === 'n3', 'raft', `${cores.leaderOf('n3')} was elected`);
    comeTogether(cores);
  },
);

export const termScenarios: readonly Scenario[] = [
  laterTerm,
  oneVote,
  staleLeader,
  leftBehind,
  leaderHeard,
  stuckDisk,
  slowDisk,
];
