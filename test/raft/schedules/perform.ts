// Carries out the actions of a schedule.
import { present } from '../../../src/lib/assert.ts';
import type { LogEntry } from '../../../src/raft/index.ts';
import { type Action, LEADER } from './action.ts';
import { lastIndexOf, payloadOf } from './chain-log.ts';
import { completeWrite, crashDisk } from './disk.ts';
import { type Member, startMember, viewOf } from './member.ts';
import { holdBackTo, put, takeAt, takeDeliverable } from './network.ts';
import { count } from './tally.ts';
import { apply, deliver, pump, release, report, step, type World } from './world.ts';

export function perform(world: World, action: Action): void {
  const { network } = world;
  world.tell?.(JSON.stringify(action));
  switch (action.kind) {
    case 'calm':
      return calm(world, action.ticks);
    case 'deliver': {
      const packet = takeAt(network.packets, action.packet);
      return packet ? deliver(world, packet) : undefined;
    }
    case 'deliverLate': {
      const packet = takeAt(network.late, action.packet);
      return packet ? deliver(world, packet) : undefined;
    }
    case 'delay': {
      const packet = takeAt(network.packets, action.packet);
      if (packet) put(network.late, packet);
      return undefined;
    }
    case 'flush': {
      const packets = takeDeliverable(network);
      for (const packet of action.backwards ? packets.toReversed() : packets)
        deliver(world, packet);
      return undefined;
    }
    case 'duplicate': {
      const packet = network.packets[action.packet % Math.max(1, network.packets.length)];
      if (packet) put(action.late ? network.late : network.packets, packet);
      return undefined;
    }
    case 'lose':
      takeAt(network.packets, action.packet);
      return undefined;
    case 'cut':
      network.sides = action.sides;
      network.oneWay = action.oneWay;
      return undefined;
    case 'heal':
      network.sides = 0;
      return undefined;
    case 'proposeToLeaders':
      for (const member of world.members) {
        if (member.raft?.view().role === 'leader') {
          propose(world, member, action.count, action.size);
        }
      }
      return undefined;
    case 'tick':
    case 'pause':
    case 'isolate':
    case 'deliverTo':
    case 'loseTo':
    case 'crash':
    case 'restart':
    case 'pace':
    case 'write':
    case 'release':
    case 'report':
    case 'apply':
    case 'flushState':
    case 'answerFetch':
    case 'unreachable':
    case 'disconnected':
    case 'clockGap':
    case 'propose':
    case 'read':
    case 'gather':
      return performAt(world, pick(world, action.member), action);
  }
}

type MemberAction = Extract<Action, { readonly member: number }>;

function performAt(world: World, member: Member, action: MemberAction): void {
  switch (action.kind) {
    case 'tick':
      for (let done = 0; done < action.ticks; done++) step(world, member, { kind: 'tick' });
      return undefined;
    case 'pause':
      return pause(world, member, action.ticks);
    case 'isolate':
      world.network.sides = (1 << member.at) | (1 << pick(world, action.friend).at);
      world.network.oneWay = false;
      return undefined;
    case 'deliverTo':
      for (const packet of takeDeliverable(world.network, member.at)) deliver(world, packet);
      return undefined;
    case 'loseTo':
      takeDeliverable(world.network, member.at);
      return undefined;
    case 'crash':
      if (action.late) holdBackTo(world.network, member.at);
      return crash(world, member);
    case 'restart':
      return restart(world, member);
    case 'pace':
      member.diskPace = action.disk;
      member.slowApply = action.slowApply;
      return pumpUnlessGathering(world, member);
    case 'write':
      for (let done = 0; done < action.count; done++) completeWrite(member.disk, member.id);
      return undefined;
    case 'release':
      if (!member.raft) return undefined;
      for (let done = 0; done < action.count; done++) release(world, member);
      return undefined;
    case 'report':
      report(world, member, action.count);
      return pumpUnlessGathering(world, member);
    case 'apply':
      for (let done = 0; done < action.count; done++) apply(world, member);
      return pumpUnlessGathering(world, member);
    case 'flushState':
      return flushState(member);
    case 'answerFetch':
      return answerFetch(world, member);
    case 'unreachable':
      return step(world, member, {
        kind: 'peerUnreachable',
        peer: pick(world, action.peer).id,
      });
    case 'disconnected':
      return step(world, member, {
        kind: 'peerDisconnected',
        peer: pick(world, action.peer).id,
      });
    case 'clockGap':
      return step(world, member, { kind: 'clockGap', ticks: action.ticks });
    case 'propose':
      propose(world, member, action.count, action.size);
      return undefined;
    case 'read':
      read(world, member);
      return undefined;
    case 'gather':
      member.gathering = action.inputs;
      return undefined;
  }
}

function pick(world: World, number: number): Member {
  if (number >= LEADER) {
    const wanted = number === LEADER ? 'leader' : 'candidate';
    const found = world.members.filter((member) => member.raft?.view().role === wanted);
    const latest = found.toSorted((a, b) => viewOf(b).term - viewOf(a).term)[0];
    if (latest) return latest;
  }
  return present(world.members[number % world.members.length], 'there are members');
}

function pumpUnlessGathering(world: World, member: Member): void {
  if (member.gathering === 0) pump(world, member);
}

/** One process stands still; the others go on, and what they send to it waits. */
function pause(world: World, stopped: Member, ticks: number): void {
  const { network } = world;
  const { sides, oneWay } = network;
  network.sides = 1 << stopped.at;
  network.oneWay = false;
  for (let done = 0; done < ticks; done++) {
    for (const member of world.members) {
      if (member !== stopped) step(world, member, { kind: 'tick' });
    }
    settleNetwork(world);
  }
  network.sides = sides;
  network.oneWay = oneWay;
}

/** One tick everywhere, then all that can be delivered, also what the deliveries cause. */
export function calm(world: World, ticks: number): void {
  for (let done = 0; done < ticks; done++) {
    for (const member of world.members) step(world, member, { kind: 'tick' });
    settleNetwork(world);
  }
}

const MAX_WAVES = 12;

function settleNetwork(world: World): void {
  for (let wave = 0; wave < MAX_WAVES; wave++) {
    const packets = takeDeliverable(world.network);
    if (packets.length === 0) return;
    for (const packet of packets) deliver(world, packet);
  }
}

function crash(world: World, member: Member): void {
  if (!member.raft) return;
  const { disk } = member;
  if (disk.pending.some(({ batch }) => batch)) {
    count(world.tally, 'Crash: a batch that was not durable is lost');
  }
  if (disk.unreported.length > 0) count(world.tally, 'Crash: a durable batch was never reported');
  crashDisk(disk);
  member.raft = undefined;
}

export function restart(world: World, member: Member): void {
  if (member.raft) return;
  const { hardState, log } = member.disk;
  if (hardState.votedFor !== undefined && lastIndexOf(log) > 0) {
    count(world.tally, 'State: term, vote and log outlive a restart');
  }
  startMember(member, world.schedule, world.members);
  world.tell?.(`    ${member.id} starts with ${JSON.stringify(hardState)}`);
  pump(world, member);
}

/** The state machine's store never runs ahead of what the core knows its own log to hold: at the same index the disk may
 * still have an entry that the core has already dropped. */
function flushState(member: Member): void {
  if (!member.raft) return;
  const { persistedIndex } = viewOf(member);
  const flushed = Math.min(member.appliedIndex, persistedIndex);
  if (flushed > member.flushedIndex) member.flushedIndex = flushed;
}

/** Reads back from the disk what a core asked for: at least one entry, and no more than it wants. */
export function answerFetch(world: World, member: Member): void {
  const asked = member.fetches.shift();
  if (!asked || !member.raft) return;
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const entry of member.disk.log.entries.slice(asked.from - 1, asked.to)) {
    bytes += entry.payload.byteLength;
    if (entries.length > 0 && bytes > asked.maxBytes) break;
    entries.push(entry);
  }
  if (entries.length === 0) return;
  step(world, member, { kind: 'fetched', ticket: asked.ticket, entries });
}

export function propose(world: World, member: Member, times: number, size: number): number {
  const { ledger } = world;
  if (!member.raft) return 0;
  const proposals = Array.from({ length: times }, () => {
    ledger.lastToken += 1;
    const token = ledger.lastToken;
    ledger.proposals.set(token, {
      member: member.at,
      life: member.life,
      answer: 'none',
      index: 0,
      term: 0,
      committed: false,
    });
    return { token, payload: payloadOf(token, size) };
  });
  step(world, member, { kind: 'propose', proposals });
  return ledger.lastToken;
}

export function read(world: World, member: Member): number {
  const { ledger } = world;
  if (!member.raft) return 0;
  ledger.lastToken += 1;
  const token = ledger.lastToken;
  ledger.reads.set(token, {
    member: member.at,
    life: member.life,
    began: ledger.now + 1,
    floor: ledger.highestCommit,
    answer: 'none',
  });
  step(world, member, { kind: 'readIndex', token });
  return token;
}
