// Snapshots, the beginning of the log, and flags that could stick: failures 2, 14 and 15 of the list in docs/testing.md.
import { ofCores } from './core-scenario.ts';
import type { Cores } from './cores.ts';
import { comeTogether } from './reunion.ts';
import type { Scenario } from './scenario.ts';

function compactAll(cores: Cores, ids: readonly string[]): void {
  for (const id of ids) {
    cores.step(id, { kind: 'compact', index: cores.core(id).raft.view().appliedIndex });
  }
}

/** The log of n3 is longer than the snapshot it gets, and holds other entries. */
const conflict = ofCores(
  'a log that conflicts with a snapshot is dropped whole',
  'hashicorp/raft#697',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n3');
    cores.run(10);
    cores.isolate('n3');
    for (let entry = 0; entry < 30; entry++) cores.propose('n3', `lost ${entry}`);
    cores.run(150, ['n1', 'n2']);
    const heir = cores.leaderOf('n1') ?? '';
    for (let entry = 0; entry < 8; entry++) cores.propose(heir, `kept ${entry}`);
    cores.run(10, ['n1', 'n2']);
    compactAll(cores, ['n1', 'n2']);
    cores.expect(
      cores.core('n3').raft.view().lastIndex > cores.core(heir).raft.view().lastIndex,
      'the log of n3 reaches beyond the snapshot',
    );
    // What was sent to it meanwhile is lost.
    cores.hold(({ to }) => to === 'n3');
    comeTogether(cores);
    const floors = cores.core('n3').disk.floor.index;
    cores.expect(floors > 0, 'n3 got a snapshot');
  },
);

/** n3 is being sent entries when the log is cut behind them. */
const throttled = ofCores(
  'a slow follower whose entries were let go gets a snapshot',
  'etcd-io/raft#31',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    for (let entry = 0; entry < 20; entry++) {
      cores.propose('n1', `entry ${entry}`);
      cores.deliver(({ from, to }) => from !== 'n3' && to !== 'n3');
    }
    compactAll(cores, ['n1', 'n2']);
    cores.hold(({ to }) => to === 'n3');
    comeTogether(cores);
    cores.expect(cores.core('n3').disk.floor.index > 0, 'n3 got a snapshot');
  },
  { maxInflightMessages: 2, maxCachedBytes: 1 },
);

/** The log moves on by more than it keeps while the snapshot travels, twice. */
const overtaken = ofCores(
  'a snapshot that is out of date when it arrives is followed by another',
  'consul#9609, hashicorp/raft#212',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    const others = ['n1', 'n2'];
    const writeAndCut = (what: string): void => {
      for (let entry = 0; entry < 10; entry++) cores.propose('n1', `${what} ${entry}`);
      cores.run(5, others);
      compactAll(cores, others);
    };
    cores.isolate('n3');
    writeAndCut('before');
    cores.hold(({ to }) => to === 'n3');
    cores.cut.clear();
    for (let round = 0; round < 3; round++) {
      cores.run(60);
      const { pullFrom } = cores.core('n3');
      cores.expect(pullFrom !== undefined, 'n3 is told to pull a snapshot');
      const snapshot = cores.snapshotOf(pullFrom ?? 'n1');
      writeAndCut(`during ${round}`);
      cores.hold(({ to }) => to === 'n3');
      cores.install('n3', snapshot);
    }
    comeTogether(cores);
  },
);

/** The log of n3 begins after the snapshot in memory only; the leader must not count on it. */
const toldTooEarly = ofCores(
  'the arrival of a snapshot is told once the log on disk begins after it',
  'etcd#10219, etcd#11888, etcd#5664',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    cores.isolate('n3');
    for (let entry = 0; entry < 10; entry++) cores.propose('n1', `entry ${entry}`);
    cores.run(5, ['n1', 'n2']);
    compactAll(cores, ['n1', 'n2']);
    cores.hold(({ to }) => to === 'n3');
    cores.cut.clear();
    cores.run(60);
    cores.expect(cores.core('n3').pullFrom !== undefined, 'n3 is told to pull a snapshot');
    cores.core('n3').slowDisk = true;
    cores.install('n3', cores.snapshotOf('n1'));
    cores.deliver();
    const known =
      cores
        .core('n1')
        .raft.peers()
        .find(({ peer }) => peer === 'n3')?.matchIndex ?? 0;
    const { disk } = cores.core('n3');
    const held = disk.floor.index + disk.log.length;
    cores.demand(known <= held, 'G1', `n1 counts on ${known} at n3, whose disk reaches to ${held}`);
    cores.restart('n3');
    comeTogether(cores);
  },
);

/** The process dies between the snapshot's arrival and its place in the state. */
const lostState = ofCores(
  'a node that lost its state asks for it, and does not lead before it has it',
  'etcd#10219, etcd#11888, etcd#8935',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    for (let entry = 0; entry < 10; entry++) cores.propose('n1', `entry ${entry}`);
    cores.run(5);
    compactAll(cores, cores.ids);
    cores.restart('n3', { lostState: true });
    cores.isolate('n3');
    cores.run(200);
    cores.demand(
      cores.core('n3').raft.view().role === 'follower',
      'raft',
      'n3 campaigns without its state',
    );
    comeTogether(cores);
  },
);

const failedTransfer = ofCores(
  'a transfer that fails refuses no writes afterwards, nor in a later term',
  'hashicorp/raft#696',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    cores.isolate('n3');
    cores.step('n1', { kind: 'transferLeadership', target: cores.core('n3').id });
    const refused = cores.propose('n1', 'meanwhile');
    cores.expect(
      cores.core('n1').rejected.get(refused) === 'transferring',
      'a transfer is under way',
    );
    cores.run(45, ['n1', 'n2']);
    const again = cores.propose('n1', 'afterwards');
    const reason = cores.core('n1').rejected.get(again);
    cores.demand(
      reason === undefined,
      'G15',
      `writes are refused as ${reason} after the transfer failed`,
    );
    // The next one is cut short by the end of the term itself.
    cores.step('n1', { kind: 'transferLeadership', target: cores.core('n3').id });
    cores.isolate('n1');
    cores.run(200);
    comeTogether(cores);
    cores.handOver('n1');
    const later = cores.propose('n1', 'in a later term');
    const why = cores.core('n1').rejected.get(later);
    cores.demand(why === undefined, 'G15', `writes of a later term are refused as ${why}`);
  },
);

/** n3 lags when leadership is handed to it: it is told to campaign once it has caught up, and wins. */
const wholeHeir = ofCores(
  'an heir is told to campaign once it holds the whole log',
  'dissertation 3.10, etcd#10201',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    cores.run(20);
    for (let entry = 0; entry < 5; entry++) cores.propose('n1', `entry ${entry}`);
    cores.step('n1', { kind: 'transferLeadership', target: cores.core('n3').id });
    cores.deliver(({ to }) => to !== 'n3');
    const hasty = cores.wire.some(({ message }) => message.kind === 'timeoutNow');
    cores.demand(!hasty, 'G16', 'n3 is told to campaign without the newest entries');
    cores.run(5);
    const { role } = cores.core('n3').raft.view();
    cores.demand(role === 'leader', 'G15', `leadership was handed to n3, which is ${role}`);
    comeTogether(cores);
  },
);

const countedOnce = ofCores(
  'what is committed no longer counts against the limit of what is not',
  'etcd#10167, cockroach#31689, etcd-io/raft#11',
  (cores) => {
    cores.cluster('n1', 'n2', 'n3');
    cores.elect('n1');
    for (const leader of ['n2', 'n3', 'n1']) {
      cores.handOver(leader);
      for (let entry = 0; entry < 40; entry++) {
        const token = cores.propose(leader, `a text of some length ${entry}`);
        cores.run(1);
        const reason = cores.core(leader).rejected.get(token);
        if (reason !== undefined)
          cores.blame('G15', `entry ${entry} of ${leader} is refused as ${reason}`);
      }
    }
    comeTogether(cores);
  },
  { maxUncommittedBytes: 1024, maxInflightBytes: 512 },
);

export const snapshotScenarios: readonly Scenario[] = [
  conflict,
  throttled,
  overtaken,
  toldTooEarly,
  lostState,
  failedTransfer,
  wholeHeir,
  countedOnce,
];
