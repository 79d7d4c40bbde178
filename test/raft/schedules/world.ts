// A cluster of real cores whose network, disks, clocks and state machines move only when they are told to. Every single
// step of a core is followed by every check.
import { present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId, term } from '../../../src/lib/ids.ts';
import type { Envelope, Input, LogEntry, Ready } from '../../../src/raft/index.ts';
import type { Schedule } from './action.ts';
import { payloadOf } from '../lone-node.ts';
import { EMPTY_CHAIN, pushEntry, tokenOf } from './chain-log.ts';
import { completeWrite, queueWrite, releaseMessages, takeReport } from './disk.ts';
import { chainOf, createLedger, type Ledger } from './ledger.ts';
import { createMember, type Member, peerWitness, startMember, viewOf } from './member.ts';
import { createNetwork, type Network, type Packet, put } from './network.ts';
import { checkApply, checkEscape, checkReady } from './ready-checks.ts';
import { checkStep } from './step-checks.ts';
import { count, type Tally } from './tally.ts';
import { tallyCommit, tallyReady, tallyStep } from './tally-branches.ts';

export interface World {
  readonly schedule: Schedule;
  readonly members: readonly Member[];
  readonly ledger: Ledger;
  readonly network: Network;
  readonly tally: Tally;
  /** Told every action and step when a failing schedule is replayed. */
  readonly tell: ((line: string) => void) | undefined;
}

export function createWorld(
  schedule: Schedule,
  tally: Tally,
  tell?: (line: string) => void,
): World {
  const members = Array.from({ length: schedule.members }, (_, at) => createMember(at));
  const ledger = createLedger();
  const voters = members.map(({ id }) => id);
  if (schedule.bootstrapped) {
    for (const member of members) writeFirstRecord(ledger, member, voters);
  }
  const network = createNetwork();
  const world: World = { schedule, members, ledger, network, tally, tell };
  for (const member of members) {
    startMember(member, schedule, members);
    pump(world, member);
  }
  return world;
}

/** As the first boot of a cluster does it: the same record on every disk, committed by what it is. */
function writeFirstRecord(ledger: Ledger, { disk }: Member, voters: readonly NodeId[]): void {
  const first = logIndex(1);
  const record: LogEntry = {
    index: first,
    term: term(1),
    kind: 'bootstrap',
    payload: payloadOf({ voters, learners: [] }),
  };
  pushEntry(disk.log, record, chainOf(ledger, EMPTY_CHAIN, record));
  disk.hardState = { term: term(1), votedFor: undefined, commitIndex: first };
}

/** Feeds one input to a core that runs, and does what its host would do at once. */
export function step(world: World, member: Member, input: Input): void {
  if (!member.raft) return;
  stepCore(world, member, input);
  if (member.gathering > 0) {
    member.gathering -= 1;
    if (member.gathering > 0) return;
  }
  pump(world, member);
}

/** Takes every Ready, and lets disk and state machine work unless they are slow. */
export function pump(world: World, member: Member): void {
  while (member.raft) {
    if (member.raft.hasReady()) take(world, member);
    member.stepsSinceReady = 0;
    if (member.diskPace !== 'stuck' && finishWrites(world, member)) continue;
    else if (!member.slowApply && member.toApply.length > 0) apply(world, member);
    else return;
  }
}

function stepCore(world: World, member: Member, input: Input): void {
  const { ledger, members, tally, tell } = world;
  const raft = present(member.raft, 'only a core that runs takes inputs');
  ledger.now += 1;
  const before = raft.view();
  tell?.(`    ${member.id} <- ${describeInput(input)}`);
  raft.step(input);
  const after = raft.view();
  const done = { member, input, before, after };
  tallyStep(tally, done);
  if (input.kind === 'message' && input.message.kind === 'heartbeat') {
    if (input.message.term === after.term) member.heard.set(after.term, ledger.now);
  }
  checkStep(ledger, members, done);
  tallyCommit(tally, members.length, done);
  member.stepsSinceReady += 1;
  member.cause = member.stepsSinceReady === 1 ? { input, before, after } : undefined;
}

function describeInput(input: Input): string {
  return JSON.stringify(input, (key, value: unknown) => {
    if (value instanceof Uint8Array) return value.length;
    return key === 'payload' ? undefined : value;
  });
}

function take(world: World, member: Member): void {
  const { ledger, members, tally, tell } = world;
  const ready = present(member.raft, 'only a core that runs has a Ready').takeReady();
  tell?.(`    ${member.id} -> ${describeReady(ready)}`);
  tallyReady(tally, member, ready);
  noteVoteGiven(member, ready);
  const chains = checkReady(ledger, members, member, ready);
  member.cause = undefined;
  tallyAnswers(world, ready);
  if (ready.persist || ready.sendAfterPersist.length > 0) {
    queueWrite(member.disk, { batch: ready.persist, chains, messages: ready.sendAfterPersist });
  }
  for (const envelope of ready.sendNow) send(world, member, envelope);
  member.toApply.push(...ready.committed);
  member.fetches.push(...ready.fetch);
}

/** Granting a vote starts the election timeout anew; the observer sees it only in what is sent. */
function noteVoteGiven(member: Member, ready: Ready): void {
  if (!member.cause) return;
  const granted = ready.sendAfterPersist.some(
    ({ message }) => message.kind === 'requestVoteResponse' && message.voteGranted,
  );
  if (granted) member.witness.patientTicks = 0;
}

function tallyAnswers({ tally, ledger, members }: World, ready: Ready): void {
  for (const { token, reason } of ready.rejected) {
    const isRead = ledger.reads.has(token);
    if (reason === 'overloaded') {
      count(
        tally,
        isRead
          ? 'Limits: a read is refused as overloaded'
          : 'Limits: a proposal is refused as overloaded',
      );
    } else if (isRead) {
      count(tally, 'ReadIndex: given up');
    }
  }
  for (const { token } of ready.reads) {
    const read = present(ledger.reads.get(token), 'only what was asked is answered');
    const { role } = viewOf(present(members[read.member], 'the member exists'));
    count(
      tally,
      role === 'leader' ? 'ReadIndex: confirmed on a leader' : 'ReadIndex: confirmed on a follower',
    );
  }
}

function describeReady(ready: Ready): string {
  const shown = Object.entries(ready).filter(
    ([, value]) => value !== undefined && (!Array.isArray(value) || value.length > 0),
  );
  return JSON.stringify(Object.fromEntries(shown), (_key, value: unknown) =>
    value instanceof Uint8Array ? value.length : value,
  );
}

function send(world: World, member: Member, envelope: Envelope): void {
  checkEscape(member, envelope);
  const { to, message } = envelope;
  const packet = { from: member.at, to: indexOf(to), sender: member.id, message };
  if (message.kind === 'appendEntries' || message.kind === 'heartbeat') {
    const peer = peerWitness(member.witness, to);
    if (message.session > peer.endedSession) peer.session = message.session;
  }
  put(world.network.packets, packet);
}

function indexOf(id: string): number {
  return Number(id.slice(1)) - 1;
}

/** Makes all writes durable, lets their messages go and reports them, unless that waits to be told. False when there was
 * nothing to do. */
function finishWrites(world: World, member: Member): boolean {
  const { disk, diskPace } = member;
  const told = diskPace === 'untold' ? 0 : disk.unreported.length;
  if (disk.pending.length + disk.unreleased.length + told === 0) return false;
  while (disk.pending.length > 0) completeWrite(disk, member.id);
  while (disk.unreleased.length > 0) release(world, member);
  if (diskPace === 'prompt') report(world, member, disk.unreported.length);
  return true;
}

/** The messages of the oldest durable write go out. */
export function release(world: World, member: Member): void {
  for (const envelope of releaseMessages(member.disk)) {
    count(world.tally, 'State: stable storage is updated before responding');
    send(world, member, envelope);
  }
}

/** The core learns of the oldest `times` durable batches at once. */
export function report(world: World, member: Member, times: number): void {
  const batch = takeReport(member.disk, member.id, times);
  if (!batch || !member.raft) return;
  stepCore(world, member, { kind: 'persisted', sequence: batch.sequence, term: batch.term });
}

/** The state machine takes in the oldest entry that waits. */
export function apply(world: World, member: Member): void {
  const entry = member.toApply.shift();
  if (!entry || !member.raft) return;
  checkApply(world.ledger, member, entry.index);
  member.appliedIndex = entry.index;
  count(world.tally, 'All servers: commitIndex > lastApplied, so log[lastApplied] is applied');
  const proposal = world.ledger.proposals.get(tokenOf(entry));
  if (proposal?.member === member.at && proposal.life === member.life) {
    count(world.tally, 'Leaders: the answer follows when the entry is applied');
  }
  stepCore(world, member, { kind: 'applied', index: entry.index });
}

/** A packet arrives; at a node that is down it is lost. */
export function deliver(world: World, packet: Packet): void {
  const member = present(world.members[packet.to], 'packets go to members');
  step(world, member, { kind: 'message', from: nodeId(packet.sender), message: packet.message });
}
