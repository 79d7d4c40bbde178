// The containers are the nodes of `rollcall dev`: docker-compose.cluster.yml, cluster/*.yaml and cluster/Dockerfile say the same
// as the plan of a development cluster, but for what makes a container one. Needs no engine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { planNodes } from '../../src/cli/dev/plan.ts';
import { loadConfig, type NodeConfig } from '../../src/config/load-config.ts';
import { repositoryRoot } from '../support/repository-root.ts';

type Service = Readonly<Record<string, unknown>>;
interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const read = (path: string): string => readFileSync(join(repositoryRoot(), path), 'utf8');
const compose = parse(read('docker-compose.cluster.yml'), { merge: true }) as ComposeFile;
const dockerfile = read('cluster/Dockerfile').replaceAll(/\\\n\s*/g, '');
const names = ['n1', 'n2', 'n3'];
const nodes = names.map((name): Service => compose.services[name] ?? {});
const samples = Object.entries(compose.services).filter(([name]) => !names.includes(name));

const noFile = (): string => {
  throw new Error('no file');
};

/** What `rollcall dev` starts its nodes with. */
const planned: readonly NodeConfig[] = planNodes(3, 7400, '/data').map((node) => {
  const [, ...words] = node.arguments;
  const flags = new Map(
    words.map((word): [string, string] => {
      const [name = '', ...value] = word.slice(2).split('=');
      return [name, value.join('=')];
    }),
  );
  return loadConfig({ flags, environment: {}, readFile: noFile }).config;
});

/** What a node in a container reads. */
const configured: readonly NodeConfig[] = names.map((name) => {
  const flags = new Map([['config', `cluster/${name}.yaml`]]);
  return loadConfig({ flags, environment: {}, readFile: read }).config;
});

const portOf = (address: string): string => address.split(':')[1] ?? '';

/** The planned node, in a container: it listens everywhere, is called by its name, and has its data in the volume. */
function contained(config: NodeConfig): NodeConfig {
  const { nodeId, listenClient, listenPeer, initialMembers } = config;
  return {
    ...config,
    dataDir: '/var/lib/rollcall',
    listenClient: { ...listenClient, host: '0.0.0.0' },
    listenPeer: { ...listenPeer, host: '0.0.0.0' },
    advertiseClient: `${nodeId}:${listenClient.port}`,
    advertisePeer: `${nodeId}:${listenPeer.port}`,
    initialMembers: initialMembers?.map((member) => ({
      ...member,
      peerAddress: `${member.nodeId}:${portOf(member.peerAddress)}`,
    })),
  };
}

describe('the containers are the nodes of `rollcall dev`', () => {
  test('cluster/*.yaml configure what the plan says, in containers', () => {
    expect(configured).toEqual(planned.map(contained));
  });

  test('each service runs its own configuration, under its name, on its own volume, with its port on loopback', () => {
    const own = nodes.map(({ hostname, command, environment, ports, volumes }) => ({
      hostname,
      command,
      environment,
      ports,
      volumes,
    }));
    const wanted = configured.map(({ nodeId, dataDir, listenClient: { port } }) => ({
      hostname: nodeId,
      command: ['server', '--config', `/etc/rollcall/${nodeId}.yaml`],
      environment: { ROLLCALL_ENDPOINTS: `127.0.0.1:${port}` },
      ports: [`127.0.0.1:${port}:${port}`],
      volumes: [`${nodeId}-data:${dataDir}`],
    }));
    expect(own).toEqual(wanted);
    expect(Object.keys(compose.volumes)).toEqual(names.map((name) => `${name}-data`));
  });

  test('apart from that all three are one: the anchor', () => {
    const own = new Set(['build', 'hostname', 'command', 'environment', 'ports', 'volumes']);
    const shared = nodes.map((node) =>
      Object.fromEntries(Object.entries(node).filter(([key]) => !own.has(key))),
    );
    expect(shared[0]).toMatchObject({ restart: 'unless-stopped', read_only: true });
    expect(shared[0]).toEqual(shared[1]);
    expect(shared[0]).toEqual(shared[2]);
  });

  test('the samples of the demo ask all three, publish nothing and keep nothing', () => {
    const endpoints = configured.map(({ advertiseClient }) => advertiseClient).join(',');
    expect(samples).toHaveLength(4);
    for (const [name, sample] of samples) {
      expect(sample, name).toMatchObject({
        profiles: ['demo'],
        environment: { ROLLCALL_ENDPOINTS: endpoints },
        healthcheck: { disable: true },
      });
      expect(Object.keys(sample), name).not.toContain('ports');
      expect(Object.keys(sample), name).not.toContain('volumes');
    }
  });
});

const seconds = (text: unknown): number => Number(/^(\d+)s$/.exec(String(text))?.[1]);

describe('the compose file', () => {
  test('asks for health as the image does, at most every 15 s', () => {
    const [, flags = '', command = ''] = /^HEALTHCHECK (.*?) CMD (.*)$/m.exec(dockerfile) ?? [];
    const inImage = Object.fromEntries(
      flags.split(' ').map((flag) => flag.slice(2).split('=') as [string, string]),
    );
    const {
      test: words,
      interval,
      timeout,
      start_period,
      retries,
    } = (nodes[0]?.['healthcheck'] ?? {}) as Readonly<Record<string, unknown>>;
    expect(words).toEqual(['CMD', ...(JSON.parse(command) as string[])]);
    expect(words).toContain('status');
    expect({ interval, timeout, 'start-period': start_period, retries: String(retries) }).toEqual(
      inImage,
    );
    expect(seconds(interval)).toBeGreaterThanOrEqual(15);
  });

  test('gives a node more time to stop than it takes', () => {
    const [first] = configured;
    expect(1000 * seconds(nodes[0]?.['stop_grace_period'])).toBeGreaterThan(
      2 * Number(first?.shutdownMs),
    );
  });

  test('builds once: two builds of one image at a time get in each other’s way under compose v2', () => {
    const building = Object.entries(compose.services).filter(([, service]) => 'build' in service);
    expect(building.map(([name]) => name)).toEqual(['n1']);
    const images = new Set(Object.values(compose.services).map(({ image }) => image));
    expect([...images]).toEqual(['${ROLLCALL_IMAGE:-rollcall:local}']);
    const [, base] = /^ARG BASE=(.*)$/m.exec(dockerfile) ?? [];
    expect(nodes[0]?.['build']).toMatchObject({
      args: { BASE: `\${ROLLCALL_BASE_IMAGE:-${base ?? ''}}` },
    });
  });

  test('says only what docker-compose 1.29 and the compose specification both know, in the same words', () => {
    const known =
      'build cap_drop command cpus environment healthcheck hostname image logging mem_limit pids_limit ports profiles read_only restart security_opt stop_grace_period volumes';
    const said = new Set(
      Object.values(compose.services).flatMap((service) => Object.keys(service)),
    );
    expect([...said].toSorted()).toEqual(known.split(' '));
    const top = Object.keys(compose).filter((key) => !key.startsWith('x-'));
    expect(top).toEqual(['services', 'volumes']);
  });
});

describe('the image', () => {
  test('runs node itself, as a user without rights, with threads enough', () => {
    const stages = dockerfile.split(/^FROM /m);
    const last = stages.at(-1) ?? '';
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^ENTRYPOINT \["node", /m);
    expect(last).toMatch(/^CMD \["server", /m);
    expect(last).toContain('UV_THREADPOOL_SIZE=8');
    expect(last).not.toMatch(/^RUN npm/m);
    expect(stages.slice(1).every((stage) => stage.startsWith('${BASE}'))).toBe(true);
    expect(dockerfile).toContain('npm ci --omit=dev');
  });
});
