// The first start by the commands of docs/operations.md: the image, `up` to the first acknowledged write, a healthy cluster,
// and what the containers may not do.
import { present } from '../../src/lib/assert.ts';
import type { WriteRecord } from '../checkers/history.ts';
import { readRunbook } from '../cluster/runbook.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import type { ComposeCluster, ComposeNode } from './compose-cluster.ts';
import { images, withTestImages } from './images.ts';
import type { Trial } from './trial.ts';

/** Of `up` with the image built, to the first acknowledged write. */
const firstWriteLimitMs = 15_000;

export const containerCommands = (part: string): string =>
  withTestImages(present(readRunbook('containers').get(part), `containers: ${part}`));

const mebibytes = (bytes: number): number => Math.round(bytes / 1024 / 1024);

export async function buildImage({ cluster, say, figures }: Trial): Promise<void> {
  const beganMs = performance.now();
  await cluster.run(containerCommands('build'));
  const base = process.env['ROLLCALL_BASE_IMAGE'] ?? 'node:24-bookworm-slim';
  const size = async (image: string): Promise<number> =>
    mebibytes(Number(await cluster.docker('image', 'inspect', '-f', '{{.Size}}', image)));
  const [whole, below] = [await size(images.local), await size(base)];
  figures.set('imageMebibytes', whole);
  figures.set('imageAboveBaseMebibytes', whole - below);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  say(`image built in ${seconds} s: ${whole} MiB, ${whole - below} MiB of it above ${base}`);
}

/** Tries until it is acknowledged. */
async function firstWrite({ endpoints, logTails }: ComposeCluster): Promise<WriteRecord> {
  const invokedAtMs = performance.now();
  const instance = {
    service_name: 'service-0',
    instance_id: 'first',
    host: '10.0.0.1',
    port: 1,
    ttl_ms: 3_600_000,
    metadata: { mark: 'first-m0' },
  };
  const clients = endpoints.map(registryClient);
  let position = 0;
  let revision = 0;
  try {
    await pollUntil(
      async () => {
        const client = present(clients[position++ % clients.length], 'a client');
        const answer = await unary<{ revision: string }>(
          (options, callback) =>
            client.register({ instance, request_id: 'first-m0' }, options, callback),
          2000,
        );
        revision = Number(answer.revision);
        return true;
      },
      { what: 'the first acknowledged write', timeoutMs: 60_000, explain: logTails },
    );
  } finally {
    for (const client of clients) client.close();
  }
  return {
    kind: 'register',
    instanceId: instance.instance_id,
    mark: instance.metadata.mark,
    invokedAtMs,
    returnedAtMs: performance.now(),
    outcome: 'acknowledged',
    revision,
    changed: true,
  };
}

export async function firstStart({ cluster, say, figures }: Trial): Promise<WriteRecord> {
  const beganMs = performance.now();
  const [write, printed] = await Promise.all([
    firstWrite(cluster),
    cluster.run(containerCommands('start')),
  ]);
  const tookMs = Math.round(write.returnedAtMs - beganMs);
  figures.set('firstWriteMs', tookMs);
  say(`first write acknowledged ${tookMs} ms after \`up\` (limit ${firstWriteLimitMs})`);
  if (tookMs > firstWriteLimitMs) throw new Error('the first write took too long');
  for (const { id } of cluster.nodes) {
    if (!new RegExp(`^${id} +127`, 'm').test(printed)) throw new Error(`no ${id} in:\n${printed}`);
  }
  const members = await cluster.run(containerCommands('members'));
  if ((members.match(/ yes /g) ?? []).length !== 3) throw new Error(`not three:\n${members}`);
  await untilHealthy(cluster);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  say(`all three containers are healthy to Docker after ${seconds} s`);
  for (const node of cluster.nodes) await expectConfined(node, cluster);
  say('no root, read-only but for the volume, limited, on loopback only');
  return write;
}

async function untilHealthy({ nodes, logTails }: ComposeCluster): Promise<void> {
  await pollUntil(
    async () => {
      const states = await Promise.all(
        nodes.map((node) => node.inspect('{{.State.Health.Status}}')),
      );
      return states.every((state) => state === 'healthy');
    },
    { what: 'three healthy containers', timeoutMs: 60_000, everyMs: 500, explain: logTails },
  );
}

/** As the engine has it and as a process inside meets it. */
async function expectConfined(node: ComposeNode, cluster: ComposeCluster): Promise<void> {
  const facts = await node.inspect(
    '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.PortBindings}}',
  );
  if (!/^node true [1-9]\d* [1-9]\d* [1-9]\d* unless-stopped /.test(facts)) {
    throw new Error(`${node.id}: user, read-only, memory, cpus, pids, restart: ${facts}`);
  }
  const hosts = [...facts.matchAll(/"HostIp":"([^"]*)"/g)].map(([, host]) => host);
  if (hosts.length !== 1 || hosts[0] !== '127.0.0.1') {
    throw new Error(`${node.id} is published on ${hosts.join(', ')}`);
  }
  const attempt =
    'for d in / /tmp /opt/rollcall /etc/rollcall /var/lib/rollcall; do touch $d/.probe 2>/dev/null && { rm $d/.probe; echo $d; }; done; true';
  const writable = await cluster.docker('exec', await node.container(), 'sh', '-c', attempt);
  if (writable.trim() !== '/var/lib/rollcall') {
    throw new Error(`${node.id} may write to ${writable.trim().split('\n').join(', ')}`);
  }
}
