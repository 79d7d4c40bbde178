// npm run demo: the registry's main job on real processes. Three nodes, three HTTP services kept registered by the CLI,
// a client that watches and calls them; then the leader, a service and a registration go, and a node comes back. Exits 0
// only if nothing acknowledged was lost, the watch was the exact revision order, no call went to what was gone.
import type { ChildProcess } from 'node:child_process';
import { present } from '../../src/lib/assert.ts';
import { checkHistory } from '../checkers/check-history.ts';
import type { FinalList, WatchMessageRecord } from '../checkers/history.ts';
import { Watcher } from '../cluster/clients.ts';
import { finalList } from '../cluster/final-list.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { type CallerEvent, sharedNow } from './events.ts';
import {
  endProcess,
  runRollcall,
  type Service,
  startCaller,
  startService,
  ttlMs,
} from './processes.ts';

interface Stage {
  readonly cluster: ProcessCluster;
  readonly services: Map<string, Service>;
  readonly events: CallerEvent[];
  readonly beganAtMs: number;
  /** Ids whose registration was acknowledged and not taken back. */
  readonly expected: Set<string>;
}

function say(stage: Stage, line: string): void {
  const seconds = ((sharedNow() - stage.beganAtMs) / 1000).toFixed(3).padStart(8);
  process.stdout.write(`${seconds} s  ${line}\n`);
}

const watched = (stage: Stage): readonly WatchMessageRecord[] =>
  stage.events.flatMap((event) => (event.kind === 'watched' ? [event.message] : []));

/** When the client's stream told the latest change of this kind for the instance; undefined before. */
function toldAt(stage: Stage, kind: 'put' | 'remove', instanceId: string): number | undefined {
  return watched(stage).findLast(({ changes }) =>
    changes.some((change) => change.kind === kind && change.instanceId === instanceId),
  )?.atMs;
}

async function untilTold(
  stage: Stage,
  kind: 'put' | 'remove',
  instanceId: string,
  timeoutMs: number,
): Promise<number> {
  await pollUntil(() => toldAt(stage, kind, instanceId) !== undefined, {
    what: `the watcher to be told ${kind} ${instanceId}`,
    timeoutMs,
    everyMs: 1,
    explain: () => stage.cluster.logTails(5),
  });
  return present(toldAt(stage, kind, instanceId), 'it was told');
}

const elapsed = (fromMs: number, toMs: number): string => `${(toMs - fromMs).toFixed(1)} ms`;

async function bringUp(stage: Stage, id: string): Promise<void> {
  const service = await startService(id, stage.cluster.endpoints);
  stage.services.set(id, service);
  await service.registered;
  stage.expected.add(id);
  await untilTold(stage, 'put', id, 5000);
  say(stage, `${id} serves on port ${service.port}, is registered, and the watcher knows`);
}

const probeOf = (instance_id: string) => ({
  service_name: 'probe',
  instance_id,
  host: '10.0.0.1',
  port: 1,
  ttl_ms: 3_600_000,
});

/** From the start of a registration to the moment the calling client was told of it. */
async function timeRegistration(stage: Stage): Promise<void> {
  const client = registryClient(present(stage.cluster.endpoints[0], 'an endpoint'));
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    const instance = probeOf(`timed-${n}`);
    const beganAtMs = sharedNow();
    await unary((options, callback) => client.register({ instance }, options, callback), 5000);
    stage.expected.add(instance.instance_id);
    delays.push((await untilTold(stage, 'put', instance.instance_id, 5000)) - beganAtMs);
  }
  client.close();
  delays.sort((a, b) => a - b);
  const [least = 0, median = 0, most = 0] = [delays[0], delays[10], delays[19]];
  say(
    stage,
    `20 registrations, begun to told: median ${median.toFixed(1)} ms (${least.toFixed(1)} to ${most.toFixed(1)})`,
  );
}

/** One registration begun after the kill, tried on the survivors every 5 ms, until one is acknowledged. */
async function firstWriteAfter(stage: Stage, endpoints: readonly string[]): Promise<number> {
  const clients = endpoints.map(registryClient);
  const acknowledgedAtMs: number[] = [];
  let attempt = 0;
  await pollUntil(
    () => {
      const client = present(clients[attempt % clients.length], 'a survivor');
      const instance_id = `probe-${attempt++}`;
      const instance = probeOf(instance_id);
      void unary(
        (options, callback) => client.register({ instance }, options, callback),
        10_000,
      ).then(
        () => {
          acknowledgedAtMs.push(sharedNow());
          stage.expected.add(instance_id);
        },
        () => undefined,
      );
      return acknowledgedAtMs.length > 0;
    },
    { what: 'a write after the kill', timeoutMs: 15_000, everyMs: 5 },
  );
  return present(acknowledgedAtMs[0], 'a write was acknowledged');
}

async function killLeader(stage: Stage): Promise<string> {
  const leader = await stage.cluster.waitForLeader();
  const survivors = stage.cluster.nodes.filter((node) => node !== leader);
  say(stage, `kill -9 of the leader, ${leader.id} (pid ${leader.pid})`);
  const killedAtMs = sharedNow();
  const gone = leader.kill('SIGKILL');
  const acknowledgedAtMs = await firstWriteAfter(
    stage,
    survivors.map((node) => node.clientAddress),
  );
  await gone;
  const next = await stage.cluster.waitForLeader();
  say(
    stage,
    `${next.id} leads; kill to first acknowledged write: ${elapsed(killedAtMs, acknowledgedAtMs)}`,
  );
  return leader.id;
}

async function killService(stage: Stage, id: string): Promise<void> {
  const { server, registrar } = present(stage.services.get(id), 'a service');
  say(stage, `kill -9 of ${id} and its registrar, without a word`);
  const killedAtMs = sharedNow();
  endProcess(server, 'SIGKILL');
  endProcess(registrar, 'SIGKILL');
  stage.expected.delete(id);
  const removedAtMs = await untilTold(stage, 'remove', id, ttlMs * 1.01 + 5000);
  const delay = elapsed(killedAtMs, removedAtMs);
  say(stage, `${id} expired; death to removal at the watcher: ${delay} (TTL ${ttlMs} ms)`);
}

async function deregister(stage: Stage, id: string): Promise<void> {
  const { registrar } = present(stage.services.get(id), 'a service');
  stage.expected.delete(id);
  endProcess(registrar, 'SIGTERM');
  const removedAtMs = await untilTold(stage, 'remove', id, 5000);
  say(stage, `${id} deregistered by its registrar on SIGTERM; the watcher knows`);
  await pollUntil(() => sharedNow() - removedAtMs > 500, {
    what: 'calls after it',
    timeoutMs: 5000,
  });
}

/** No call may begin on an instance after its removal reached the client, until it is told again. */
function strayCalls(stage: Stage): readonly string[] {
  const known = new Set<string>();
  const strays: string[] = [];
  for (const event of stage.events) {
    if (event.kind === 'watched') {
      if (event.message.reset) known.clear();
      for (const { kind, instanceId } of event.message.changes) {
        if (kind === 'put') known.add(instanceId);
        else known.delete(instanceId);
      }
    } else if (event.kind === 'called') {
      const removedAtMs = toldAt(stage, 'remove', event.instanceId);
      if (removedAtMs !== undefined && event.atMs > removedAtMs && !known.has(event.instanceId)) {
        strays.push(
          `${event.instanceId} called ${elapsed(removedAtMs, event.atMs)} after its removal`,
        );
      }
    }
  }
  return strays;
}

async function judge(stage: Stage, second: Watcher): Promise<readonly string[]> {
  const finals: FinalList[] = [];
  for (const node of stage.cluster.nodes) finals.push(await finalList(node.id, node.clientAddress));
  const last = Math.max(...finals.map(({ revision }) => revision));
  const reached = (): boolean =>
    second.revision >= last && (watched(stage).at(-1)?.revision ?? -1) >= last;
  await pollUntil(reached, { what: `both watchers to reach revision ${last}`, timeoutMs: 10_000 });
  const watches = [
    { watcher: 'the calling client', messages: watched(stage) },
    { watcher: 'a second watcher', messages: second.messages },
  ];
  const { violations } = checkHistory({ writes: [], watches, finals });
  const missing = [...stage.expected].filter((id) =>
    finals.some(({ instances }) => !instances.has(id)),
  );
  return [
    ...violations.map(({ guarantee, evidence }) => `${guarantee}: ${evidence}`),
    ...missing.map((id) => `G1: ${id} was acknowledged and is not there`),
    ...strayCalls(stage),
  ];
}

const killedService = 'payment-2';

async function play(stage: Stage, second: Watcher): Promise<void> {
  for (const id of ['payment-1', 'payment-2', 'payment-3']) await bringUp(stage, id);
  await timeRegistration(stage);
  const dead = await killLeader(stage);
  await killService(stage, killedService);
  await deregister(stage, 'payment-3');
  await bringUp(stage, 'payment-4');
  const node = present(
    stage.cluster.nodes.find(({ id }) => id === dead),
    'the killed node',
  );
  node.start();
  const hash = await stage.cluster.waitForEqualHashes();
  say(stage, `${dead} is back with the same state hash as the others, ${hash}`);
  const table = await runRollcall([
    'instances',
    'payment',
    '--endpoints',
    stage.cluster.endpoints.join(','),
  ]);
  process.stdout.write(`\n${table}\n`);
  const calls = stage.events.filter((event) => event.kind === 'called');
  const problems = [
    ...(await judge(stage, second)),
    ...(calls.length === 0 ? ['void: no call was made'] : []),
  ];
  const failed = calls.filter((event) => !event.ok);
  const onTheDead = failed.filter(({ instanceId }) => instanceId === killedService).length;
  say(
    stage,
    `${watched(stage).length} watch messages; ${calls.length} calls, ${failed.length} failed, ${onTheDead} of them on ${killedService} before its TTL ran out`,
  );
  for (const problem of problems) process.stdout.write(`FAILED ${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
  process.stdout.write(problems.length === 0 ? 'demo: everything held\n' : 'demo: failed\n');
}

async function main(): Promise<void> {
  const beganAtMs = sharedNow();
  await using cluster = await ProcessCluster.start();
  const stage: Stage = { cluster, services: new Map(), events: [], beganAtMs, expected: new Set() };
  const leader = await cluster.waitForLeader();
  say(stage, `three nodes run and accept writes; ${leader.id} leads`);
  const first = cluster.nodes.indexOf(leader);
  const second = new Watcher('a second watcher', cluster.endpoints, first + 1);
  const caller: ChildProcess = startCaller(cluster.endpoints, first, (event) =>
    stage.events.push(event),
  );
  try {
    await pollUntil(() => watched(stage).length > 0, {
      what: 'the first state',
      timeoutMs: 10_000,
    });
    await play(stage, second);
  } finally {
    second.close();
    caller.stdin?.end();
    for (const { server, registrar } of stage.services.values()) {
      endProcess(registrar, 'SIGKILL');
      endProcess(server, 'SIGKILL');
    }
  }
}

await main();
