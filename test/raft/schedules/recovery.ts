// After a schedule everything is healed, and the cluster owes what it promises when nothing fails: a leader, one log
// everywhere, a committed proposal, reads on every node, and an answer for every read that was not lost in a crash.
import { lastIndexOf, chainAt } from './chain-log.ts';
import { check } from './check.ts';
import { type Member, viewOf } from './member.ts';
import { answerFetch, calm, propose, read, restart } from './perform.ts';
import { pump, type World } from './world.ts';

/** Twenty election timeouts. Votes may be split several times, but not so often. */
const RECOVERY_TICKS = 120;

/** Heals and drives the cluster until it has recovered. Returns how many ticks that took. */
export function recover(world: World): number {
  heal(world);
  let ticks = driveUntil(world, 'agrees under one leader', 0, () => hasConverged(world));
  const leader = world.members.find((member) => viewOf(member).role === 'leader');
  let proposal = leader ? propose(world, leader, 1, 10) : 0;
  const reads = new Map(world.members.map((member) => [member, read(world, member)]));
  ticks = driveUntil(world, 'commits a proposal and confirms a read on each node', ticks, () => {
    proposal = proposeAgain(world, proposal);
    readAgain(world, reads);
    const served = isCommitted(world, proposal) && areConfirmed(world, reads);
    return served && hasConverged(world) && unanswered(world) === undefined;
  });
  checkSettled(world);
  return ticks;
}

function heal(world: World): void {
  world.tell?.('all heals');
  const { network } = world;
  network.sides = 0;
  // What was held back arrives at last, when nobody expects it any more.
  network.packets.push(...network.late.splice(0));
  for (const member of world.members) {
    member.diskPace = 'prompt';
    member.slowApply = false;
    member.gathering = 0;
    if (member.raft) pump(world, member);
    else restart(world, member);
  }
}

function driveUntil(
  world: World,
  aim: string,
  startTicks: number,
  isReached: () => boolean,
): number {
  let ticks = startTicks;
  while (!isReached()) {
    check(ticks < RECOVERY_TICKS, 'liveness', () => {
      const views = world.members.map((member) => `${member.id} ${JSON.stringify(viewOf(member))}`);
      return `after ${ticks} ticks without a fault no cluster that ${aim}, token ${unanswered(world)} open: ${views.join('; ')}`;
    });
    calm(world, 1);
    for (const member of world.members) {
      while (member.fetches.length > 0) answerFetch(world, member);
    }
    ticks += 1;
  }
  return ticks;
}

function hasConverged(world: World): boolean {
  const views = world.members.map(viewOf);
  const leader = views.find(({ role }) => role === 'leader');
  return (
    leader !== undefined &&
    leader.committedInTerm &&
    views.every(
      (view) =>
        view.leader === leader.leader &&
        view.term === leader.term &&
        view.lastIndex === leader.lastIndex &&
        view.appliedIndex === leader.lastIndex,
    )
  );
}

/** The leader may still change while old messages arrive; a client would ask again, too. */
function proposeAgain(world: World, proposal: number): number {
  const answer = world.ledger.proposals.get(proposal)?.answer;
  const leader = world.members.find((member) => viewOf(member).role === 'leader');
  const settled = hasConverged(world) && !isCommitted(world, proposal);
  if (!leader || (answer === 'appended' && !settled)) return proposal;
  return isCommitted(world, proposal) ? proposal : propose(world, leader, 1, 10);
}

function isCommitted(world: World, proposal: number): boolean {
  return world.ledger.proposals.get(proposal)?.committed ?? false;
}

function readAgain(world: World, reads: Map<Member, number>): void {
  for (const [member, token] of reads) {
    if (world.ledger.reads.get(token)?.answer === 'rejected')
      reads.set(member, read(world, member));
  }
}

function areConfirmed(world: World, reads: ReadonlyMap<Member, number>): boolean {
  return [...reads.values()].every(
    (token) => world.ledger.reads.get(token)?.answer === 'confirmed',
  );
}

/** A token that was given to a life that still goes on, and that it never answered. */
function unanswered({ members, ledger }: World): number | undefined {
  for (const records of [ledger.proposals, ledger.reads]) {
    for (const [token, { member, life, answer }] of records) {
      if (answer === 'none' && members[member]?.life === life) return token;
    }
  }
  return undefined;
}

function checkSettled({ members, ledger }: World): void {
  for (const { id, log } of members) {
    check(
      chainAt(log, lastIndexOf(log)) === ledger.committed.at(-1),
      'state machine safety',
      () => {
        return `${id} settled on another log`;
      },
    );
  }
}
