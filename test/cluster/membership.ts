// Members come and go under load, by the commands of docs/operations.md: a dead node is replaced, a fourth one joins through
// a snapshot, is promoted only when it has caught up, leads, answers repeated writes as the one before, and is removed.
import type { ExecException } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { pollUntil } from '../support/poll.ts';
import { freePorts, type ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';
import { type Campaign, longestSilence, say, underLoad } from './campaign.ts';
import { repeatWrites } from './clients.ts';
import { untilLogBegins } from './faults.ts';
import { untilLeads } from './hand-over.ts';
import { localize, nodeOf, type Place, readRunbook, runCommands } from './runbook.ts';

const onMember = "on a member's host";
const server = 'on the new host, the server';
const afterwards = "on a member's host, afterwards";

const placeOf = (documented: string, node: ProcessNode): Place => ({ documented, ...pick(node) });

function pick({ id, clientAddress, peerAddress, dataDir }: ProcessNode) {
  return { id, clientAddress, peerAddress, dataDir };
}

/** Runs one part of a runbook as it stands in the document. */
async function follow(
  cluster: ProcessCluster,
  book: string,
  part: string,
  places: readonly Place[],
): Promise<string> {
  const commands = present(readRunbook(book).get(part), `runbook ${book} has a part "${part}"`);
  const [host] = places;
  return runCommands(localize(commands, places, present(host, 'a host')), cluster.endpoints);
}

/** Starts the server of a runbook on its new host, and takes it into the cluster's care. */
function startJoining(
  { cluster, environment }: Campaign,
  book: string,
  places: readonly Place[],
  joining: Place,
): ProcessNode {
  const commands = present(readRunbook(book).get(server), `runbook ${book} starts a server`);
  const node = nodeOf(
    localize(commands, places, joining),
    joining,
    join(cluster.directory, `${joining.id}.log`),
    environment,
  );
  cluster.adopt(node);
  node.start();
  return node;
}

/** Its log begins late: what came before it can only have got from a snapshot. */
async function expectSnapshot(node: ProcessNode): Promise<void> {
  const { first_index: first } = await node.status();
  if (Number(first) <= 1) throw new Error(`void: ${node.id} got the whole log, no snapshot`);
  say(`  ${node.id} got a snapshot: its log begins at entry ${first}`);
}

async function untilTrimmed(cluster: ProcessCluster): Promise<void> {
  await untilLogBegins(cluster, await cluster.waitForLeader(), 1);
}

/** The runbook for a lost disk, under load. */
export async function replaceDeadNode(campaign: Campaign, dead: ProcessNode): Promise<void> {
  const { cluster } = campaign;
  const [first, third] = cluster.nodes.filter((node) => node !== dead);
  const places = [
    placeOf('n1', present(first, 'a survivor')),
    placeOf('n2', dead),
    placeOf('n3', present(third, 'another survivor')),
  ];
  await dead.kill('SIGKILL');
  rmSync(dead.dataDir, { recursive: true });
  await underLoad(campaign, async (load) => {
    await untilTrimmed(cluster);
    const beganAtMs = performance.now();
    await follow(cluster, 'replace', onMember, places);
    const node = startJoining(campaign, 'replace', places, placeOf('n2', dead));
    const table = await follow(cluster, 'replace', afterwards, places);
    const tookMs = performance.now() - beganAtMs;
    say(
      `  ${node.id} replaced in ${tookMs.toFixed(0)} ms, no write for at most ${longestSilence(load, beganAtMs).toFixed(0)} ms`,
    );
    if (!table.includes(`${node.id} votes`)) throw new Error(`not promoted:\n${table}`);
    await expectSnapshot(node);
  });
}

/** A fourth node joins as a learner. Returns it; it has no vote yet. */
async function joinLearner(campaign: Campaign): Promise<ProcessNode> {
  const { cluster } = campaign;
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const joining: Place = {
    documented: 'n4',
    id: 'n4',
    clientAddress: `127.0.0.1:${clientPort}`,
    peerAddress: `127.0.0.1:${peerPort}`,
    dataDir: join(cluster.directory, 'n4'),
  };
  const places = [...cluster.nodes.map((node) => placeOf(node.id, node)), joining];
  return underLoad(campaign, async (load) => {
    await untilTrimmed(cluster);
    const beganAtMs = performance.now();
    await follow(cluster, 'add', onMember, places);
    const node = startJoining(campaign, 'add', places, joining);
    await pollUntil(
      async () => {
        const { role, applied_index: applied } = await node.status();
        return role === 'LEARNER' && Number(applied) > 0;
      },
      { what: 'n4 to follow', timeoutMs: 30_000, explain: () => cluster.logTails() },
    );
    const tookMs = performance.now() - beganAtMs;
    say(
      `  n4 follows after ${tookMs.toFixed(0)} ms, no write for at most ${longestSilence(load, beganAtMs).toFixed(0)} ms`,
    );
    await expectSnapshot(node);
    return node;
  });
}

/** More entries than a learner may lack to be promoted (raft/config.ts, maxPromotionLag). */
const tooMany = 1300;

async function promoteInTime(campaign: Campaign, learner: ProcessNode): Promise<void> {
  const { cluster } = campaign;
  const places = cluster.nodes.map((node) => placeOf(node.id, node));
  const others = cluster.nodes.filter((node) => node !== learner);
  const endpoints = others.map((node) => node.clientAddress);
  await underLoad(
    campaign,
    async (load) => {
      learner.signal('SIGSTOP');
      load.more();
      try {
        await load.untilMore(tooMany, 'the learner to fall behind');
        const refusal = await refusalOf(`rollcall member promote ${learner.id}`, endpoints);
        say(`  refused while it lacks entries: ${refusal}`);
        if (!refusal.includes('failed_precondition')) throw new Error('refused for another reason');
      } finally {
        learner.signal('SIGCONT');
      }
      await follow(cluster, 'add', afterwards, places);
      const { members } = await present(others[0], 'a member').status();
      const voters = members.filter((member) => !member.learner).map((member) => member.node_id);
      if (!voters.includes(learner.id)) throw new Error(`${learner.id} was not promoted`);
      say(`  promoted once it had caught up; ${voters.length} voters`);
    },
    learner,
  );
}

/** What the command says on standard error, exit code 1. Throws when it succeeds. */
async function refusalOf(command: string, endpoints: readonly string[]): Promise<string> {
  try {
    await runCommands(command, endpoints);
  } catch (error) {
    const { code, stderr } = error as ExecException;
    if (code === 1) return (stderr ?? '').trim();
    throw error;
  }
  throw new Error(`"${command}" was done`);
}

/** By command, to the node whose state came from a snapshot; then writes from before are repeated there (G4). */
async function leadFromSnapshot(campaign: Campaign, node: ProcessNode): Promise<void> {
  const { cluster, writes } = campaign;
  await underLoad(campaign, async (load) => {
    const beganAtMs = performance.now();
    const place = placeOf('n3', node);
    const commands = present(readRunbook('transfer').get(onMember), 'a command to hand over');
    await untilLeads(cluster, localize(commands, [place], place), (leader) => leader === node);
    await load.untilMore(50, 'writes at the new leader');
    say(
      `  handed over by command, no write for at most ${longestSilence(load, beganAtMs).toFixed(0)} ms`,
    );
  });
  const repeated = await repeatWrites(node.clientAddress, writes);
  say(`  ${repeated} writes repeated at ${node.id}, all answered as the first time (G4)`);
}

/** The leader itself is removed, under load. It goes on running, and neither it nor its next life disturbs anybody (G16). */
async function removeLeader(campaign: Campaign, node: ProcessNode): Promise<void> {
  const { cluster } = campaign;
  const place = placeOf('n4', node);
  // Writers would wait for answers of a node that is none of the cluster's any more.
  cluster.forget(node);
  await underLoad(campaign, async (load) => {
    const beganAtMs = performance.now();
    await follow(cluster, 'remove', onMember, [place]);
    await cluster.waitForLeader();
    await load.untilMore(50, 'writes without it');
    say(
      `  the leader removed, no write for at most ${longestSilence(load, beganAtMs).toFixed(0)} ms`,
    );
    await expectQuiet(cluster, node);
    await node.kill('SIGKILL');
    node.start();
    await expectQuiet(cluster, node);
  });
  await node.kill('SIGKILL');
}

const quietMs = 2000;

/** The removed node says what it is and does not campaign; the others' term stays. */
async function expectQuiet(cluster: ProcessCluster, removed: ProcessNode): Promise<void> {
  await pollUntil(
    async () => (await removed.status()).problems.some((line) => /removed/.test(line)),
    {
      what: `${removed.id} to say that it was removed`,
      timeoutMs: 30_000,
      everyMs: 50,
      explain: () => cluster.logTails(),
    },
  );
  const leader = await cluster.waitForLeader();
  const { term } = await leader.status();
  const untilMs = performance.now() + quietMs;
  while (performance.now() < untilMs) {
    const [itself, now] = await Promise.all([removed.status(), leader.status()]);
    const campaigns = itself.role === 'CANDIDATE' || itself.role === 'LEADER';
    if (campaigns) throw new Error(`a removed node is ${itself.role} (G16)`);
    if (now.term !== term) {
      throw new Error(`after a removal the term went from ${term} to ${now.term} (G16)`);
    }
  }
}

/** All of it, in this order. */
export async function runMembership(
  campaign: Campaign,
  judgeNow: () => Promise<void>,
): Promise<void> {
  const { cluster } = campaign;
  say('a fourth node joins by the runbook, under load');
  const fourth = await joinLearner(campaign);
  await judgeNow();
  say('it is promoted only when it has caught up');
  await promoteInTime(campaign, fourth);
  await judgeNow();
  say('it leads, from a state that came as a snapshot');
  await leadFromSnapshot(campaign, fourth);
  await judgeNow();
  say('the leader is removed, and goes on running');
  await removeLeader(campaign, fourth);
  if (cluster.nodes.includes(fourth)) throw new Error('it is still one of the nodes');
  await judgeNow();
}
