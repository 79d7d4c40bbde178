// The cluster of `rollcall dev`, the node files and the compose file are the same three nodes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { planNodes } from '../../src/cli/dev/plan.ts';
import { parseAddress } from '../../src/config/address.ts';
import { loadConfig, type NodeConfig } from '../../src/config/load-config.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot(), path), 'utf8');

interface ComposeService {
  readonly command: readonly string[];
  readonly hostname: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly restart: string;
  readonly stop_grace_period: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

const compose = parse(read('docker-compose.cluster.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const planned = planNodes(3, 7400, './data/dev');

const fromFile = (name: string): NodeConfig =>
  loadConfig({
    flags: new Map([['config', `cluster/${name}.yaml`]]),
    environment: {},
    readFile: read,
  }).config;

function fromDev(position: number): NodeConfig {
  const [, ...flags] = planned[position]?.arguments ?? [];
  const pairs = flags.map((flag): [string, string] => {
    const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/.exec(flag) ?? [];
    return [name, value];
  });
  return loadConfig({ flags: new Map(pairs), environment: {}, readFile: read }).config;
}

const portOf = (address: string | undefined): number | undefined =>
  address === undefined ? undefined : parseAddress(address)?.port;

/** What may differ between a process on loopback and a container: hosts and the place of the data. */
function withoutPlace(config: NodeConfig): object {
  return {
    ...config,
    dataDir: '',
    listenClient: config.listenClient.port,
    listenPeer: config.listenPeer.port,
    advertiseClient: portOf(config.advertiseClient) ?? config.listenClient.port,
    advertisePeer: portOf(config.advertisePeer) ?? config.listenPeer.port,
    initialMembers: config.initialMembers?.map(({ nodeId, peerAddress }) => [
      nodeId,
      portOf(peerAddress),
    ]),
  };
}

describe.for([0, 1, 2])('node %i', (position) => {
  const name = `n${position + 1}`;
  const config = fromFile(name);
  const service = compose.services[name];

  test('is the same in cluster/ and in rollcall dev, but for hosts and the place of its data', () => {
    expect(withoutPlace(config)).toEqual(withoutPlace(fromDev(position)));
  });

  test('is started by the compose file with its own configuration, port and volume', () => {
    const port = config.listenClient.port;
    expect(service).toMatchObject({
      command: ['server', '--config', `/etc/rollcall/${name}.yaml`],
      hostname: name,
      environment: { ROLLCALL_ENDPOINTS: `127.0.0.1:${port}` },
      ports: [`127.0.0.1:${port}:${port}`],
      volumes: [`${name}-data:${config.dataDir}`],
      restart: 'unless-stopped',
    });
    expect(compose.volumes).toHaveProperty(`${name}-data`);
  });

  test('is reached by the others under its name in the compose network', () => {
    expect(config.advertiseClient).toBe(`${name}:${config.listenClient.port}`);
    expect(config.initialMembers).toContainEqual({
      nodeId: name,
      peerAddress: `${name}:${config.listenPeer.port}`,
    });
    expect(config.listenClient.host).toBe('0.0.0.0');
  });

  test('has more time to stop than it takes at most', () => {
    const graceMs = Number.parseInt(service?.stop_grace_period ?? '0', 10) * 1000;
    expect(graceMs).toBeGreaterThan(config.shutdownMs);
  });
});

describe('the cluster', () => {
  test('has the same nodes everywhere', () => {
    const names = ['n1', 'n2', 'n3'];
    expect(planned.map((node) => node.name)).toEqual(names);
    expect(Object.keys(compose.services)).toEqual(names);
    for (const name of names) {
      expect(fromFile(name).initialMembers?.map((member) => member.nodeId)).toEqual(names);
    }
  });

  test('is checked for health by the command line, in the image and in the compose file alike', () => {
    const check = ['node', 'dist/cli/main.js', 'status', '--timeout-ms', '3000'];
    expect(compose.services['n1']?.healthcheck.test).toEqual(['CMD', ...check]);
    expect(read('cluster/Dockerfile')).toContain(
      `CMD ${JSON.stringify(check).replaceAll(',', ', ')}`,
    );
  });

  test('gives libuv the pool that LevelDB and the log need', () => {
    expect(read('cluster/Dockerfile')).toContain('UV_THREADPOOL_SIZE=8');
  });
});
