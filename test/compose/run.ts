// npm run test:compose: the containers of docker-compose.cluster.yml, built, started, registered with; the leader's
// process killed from outside and healed by the restart policy; nothing lost. Needs a Docker engine and compose.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { Watcher } from '../cluster/clients.ts';
import { finalList } from '../cluster/final-list.ts';
import { fetchStatus, registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const endpoints = ['127.0.0.1:7400', '127.0.0.1:7410', '127.0.0.1:7420'];
const project = 'rollcall-test';

/** compose v2 is a plugin of docker, v1 a program of its own; the file is written for both. */
function composeCommand(): readonly string[] {
  if (spawnSync('docker', ['info'], { stdio: 'ignore' }).status !== 0) {
    process.stdout.write(
      'no Docker engine answers; start one (Debian: apt-get install docker.io)\n',
    );
    process.exit(2);
  }
  if (spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0) {
    return ['docker', 'compose'];
  }
  if (spawnSync('docker-compose', ['version'], { stdio: 'ignore' }).status === 0) {
    return ['docker-compose'];
  }
  process.stdout.write('neither `docker compose` nor docker-compose is installed\n');
  process.exit(2);
}

const [program, ...prefix] = composeCommand();

function compose(...words: string[]): string {
  const file = join(repositoryRoot(), 'docker-compose.cluster.yml');
  const all = [...prefix, '-p', project, '-f', file, ...words];
  return execFileSync(present(program, 'a program'), all, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
  });
}

const beganMs = performance.now();
const say = (line: string): void => {
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${line}\n`);
};

async function register(address: string, id: string): Promise<void> {
  const client = registryClient(address);
  const instance = {
    service_name: 'compose',
    instance_id: id,
    host: '10.0.0.1',
    port: 80,
    ttl_ms: 3_600_000,
    metadata: { mark: id },
  };
  const request = { instance, request_id: id };
  try {
    await pollUntil(
      async () => {
        await unary((options, callback) => client.register(request, options, callback), 2000);
        return true;
      },
      { what: `${id} to be registered through ${address}`, timeoutMs: 60_000, everyMs: 20 },
    );
  } finally {
    client.close();
  }
}

async function leaderPosition(): Promise<number> {
  let found = -1;
  await pollUntil(
    async () => {
      const { leader_id: leader } = await fetchStatus(present(endpoints[0], 'three'), 1000);
      found = ['n1', 'n2', 'n3'].indexOf(leader);
      return found >= 0;
    },
    { what: 'a leader', timeoutMs: 60_000, everyMs: 50 },
  );
  return found;
}

async function untilEqual(): Promise<string> {
  let hash = '';
  await pollUntil(
    async () => {
      const statuses = await Promise.all(endpoints.map((address) => fetchStatus(address, 1000)));
      hash = present(statuses[0], 'three nodes').state_hash;
      return statuses.every(
        (status) =>
          status.state_hash === hash &&
          status.applied_index === statuses[0]?.applied_index &&
          status.problems.length === 0,
      );
    },
    { what: 'equal state hashes on all three nodes', timeoutMs: 90_000, everyMs: 100 },
  );
  return hash;
}

async function play(): Promise<void> {
  await register(present(endpoints[0], 'three'), 'first');
  say('the first registration is acknowledged');
  const position = await leaderPosition();
  // On the node that is killed, so that it has to go on elsewhere.
  const watcher = new Watcher('watcher', endpoints, position);
  for (let n = 0; n < 20; n++) {
    await register(present(endpoints[n % 3], 'three'), `before-${n}`);
  }
  const name = `n${position + 1}`;
  const container = compose('ps', '-q', name).trim();
  const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', container], {
    encoding: 'utf8',
  }).trim();
  say(`kill -9 of the leader's process, ${name}, host pid ${pid}`);
  const survivor = present(endpoints[(position + 1) % 3], 'a survivor');
  const killedMs = performance.now();
  process.kill(Number(pid), 'SIGKILL');
  await register(survivor, 'after-the-kill');
  say(`acknowledged again ${(performance.now() - killedMs).toFixed(0)} ms after the kill`);
  const hash = await untilEqual();
  say(`${name} came back by itself; state hashes equal, ${hash}`);
  const lists = await Promise.all(endpoints.map((address) => finalList(address, address)));
  const expected = [
    'first',
    ...Array.from({ length: 20 }, (_, n) => `before-${n}`),
    'after-the-kill',
  ];
  for (const { node, instances } of lists) {
    const missing = expected.filter((id) => !instances.has(id));
    if (missing.length > 0) throw new Error(`${node} lost ${missing.join(', ')}`);
  }
  const last = Math.max(...lists.map(({ revision }) => revision));
  await pollUntil(() => watcher.revision >= last, { what: 'the watcher', timeoutMs: 10_000 });
  watcher.close();
  say(
    `all ${expected.length} registrations are on every node; the watcher resumed ${watcher.resumes} times`,
  );
}

try {
  say('building the image and starting three containers');
  compose('up', '-d', '--build');
  say('started');
  await play();
  process.stdout.write('1 passed, 0 failed\n');
} catch (error) {
  process.stdout.write(compose('logs', '--tail', '30'));
  process.stdout.write('0 passed, 1 failed\n');
  throw error;
} finally {
  compose('down', '-v', '--timeout', '15');
}
