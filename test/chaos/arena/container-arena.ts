// The cluster of docker-compose.cluster.yml as an arena: three containers that their restart policy starts again, one network,
// two images. Clients are on the host and reach the nodes by their published ports, which are those of the compose file.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { present } from '../../../src/lib/assert.ts';
import { ComposeCluster, takenAddresses } from '../../compose/compose-cluster.ts';
import { findEngine } from '../../compose/engine.ts';
import { buildImage } from '../../compose/first-start.ts';
import { images, removeImages } from '../../compose/images.ts';
import type { Ability, Arena, ArenaNode, ArenaSettings, NodeRelease } from './arena.ts';
import { ContainerEvents } from './container-events.ts';
import { ContainerNode } from './container-node.ts';
import { abandonedProjects, projectOf, sweepProject } from './container-sweep.ts';
import { onTheWayOut } from './way-out.ts';

const members = 3;
const peerPorts = [7401, 7411, 7421];

/** Of a release: the second differs from the first by its label alone, and so in its id. */
const nextFrom = (image: string): string => `FROM ${image}\nLABEL rollcall.release=next\n`;

/** And why. */
export const missingInContainers: ReadonlyMap<Ability, string> = new Map([
  ['network', 'a container is disconnected as a whole'],
  ['power', 'the volume of a container is a directory of the host'],
  ['slowDisk', 'nothing is preloaded into the program of an image'],
  ['wallClock', 'nothing is preloaded into the program of an image'],
  ['absence', 'the restart policy brings back at once what has died'],
  ['members', 'the compose file has three nodes'],
]);

/** Why there can be no containers to strike here, and what to do; undefined where there can. */
export function whyNoContainers(): string | undefined {
  const engine = findEngine();
  if (engine.kind === 'none') return engine.reason;
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return 'nodes in containers are killed and stopped by the host, past the engine, which needs Linux and root';
  }
  return undefined;
}

/** Builds both images and starts the nodes, which run when this resolves. Rejects where there is no engine, or somebody else
 * listens on the published ports. A process may have one such arena at a time, and a host, too. The logs of the nodes,
 * `<directory>/<id>.log`, stay. */
export async function openContainerArena(settings: ArenaSettings): Promise<Arena> {
  const engine = findEngine();
  if (engine.kind === 'none') throw new Error(engine.reason);
  if (settings.nodes !== members) throw new Error(`the compose file has ${members} nodes`);
  for (const abandoned of abandonedProjects()) sweepProject(abandoned);
  const directory = resolve(settings.directory);
  mkdirSync(directory, { recursive: true });
  const project = projectOf(process.pid);
  const additions = [writeAddition(directory, settings.environment)];
  const cluster = new ComposeCluster({ engine, project, image: images.local, additions });
  const taken = await takenAddresses(cluster.endpoints);
  if (taken.length > 0) {
    throw new Error(`${taken.join(', ')} in use: stop what listens there, as \`rollcall dev\``);
  }
  const release = onTheWayOut(() => {
    sweepProject(project);
    removeImages();
  });
  const arena = new ContainerArena(cluster, directory, release);
  try {
    await arena.found();
    return arena;
  } catch (error) {
    await arena.close();
    throw error;
  }
}

/** A check is a process of its own: what it takes would be missing where processors are few. */
const unchecked = { healthcheck: { interval: '24h' } };

/** What the servers of a run are told beyond the compose file. JSON is YAML. */
function writeAddition(directory: string, environment: ArenaSettings['environment']): string {
  const path = join(directory, 'compose-addition.json');
  const ids = Array.from({ length: members }, (_, position) => `n${position + 1}`);
  const services = Object.fromEntries(ids.map((id) => [id, { environment, ...unchecked }]));
  writeFileSync(path, JSON.stringify({ services }));
  return path;
}

class ContainerArena implements Arena {
  readonly missing = missingInContainers;
  readonly nodes: readonly ContainerNode[];
  readonly endpoints: readonly string[];
  readonly #cluster: ComposeCluster;
  readonly #release: () => void;
  #events: ContainerEvents | undefined;

  constructor(cluster: ComposeCluster, directory: string, release: () => void) {
    this.#cluster = cluster;
    this.#release = release;
    this.endpoints = cluster.endpoints;
    const inspect = (container: string, template: string): Promise<string> =>
      cluster.docker('inspect', '-f', template, container);
    this.nodes = cluster.nodes.map((node, position) => {
      const peerAddress = `${node.id}:${peerPorts[position] ?? 0}`;
      const notOffered = 'the nodes are in containers';
      const releaseOf = (owner: ContainerNode): NodeRelease => this.#releaseOf(owner);
      const parts = { node, peerAddress, directory, notOffered, inspect };
      return new ContainerNode({ ...parts, release: releaseOf });
    });
  }

  async found(): Promise<void> {
    await buildImages(this.#cluster);
    this.#events = new ContainerEvents(this.#cluster.project, (event) => {
      this.nodes.find(({ id }) => id === event.service)?.hear(event);
    });
    await this.#cluster.compose('up', '-d');
    await Promise.all(this.nodes.map((node) => node.begun()));
  }

  addNode(): Promise<ArenaNode> {
    return Promise.reject(new Error(missingInContainers.get('members')));
  }

  replaceNode(): Promise<ArenaNode> {
    return Promise.reject(new Error(missingInContainers.get('members')));
  }

  removeNode(): Promise<void> {
    return Promise.reject(new Error(missingInContainers.get('members')));
  }

  async close(): Promise<void> {
    this.#events?.close();
    for (const node of this.nodes) node.close();
    try {
      await this.#cluster.remove();
    } finally {
      this.#release();
    }
  }

  #releaseOf(node: ContainerNode): NodeRelease {
    const look = (template: string): Promise<string> =>
      this.#cluster.docker('inspect', '-f', template, present(node.container, 'a container'));
    return {
      name: async () => (await look('{{.Config.Image}} {{.Image}}')).trim().slice(0, 48),
      exchange: async () => {
        const { container } = node;
        const from = (await look('{{.Config.Image}}')).trim();
        this.#cluster.useImage(from === images.local ? images.next : images.local);
        await this.#cluster.compose('up', '-d', '--no-deps', node.id);
        await node.begun(container);
        return node.endedWith;
      },
    };
  }
}

async function buildImages(cluster: ComposeCluster): Promise<void> {
  const figures = new Map<string, number>();
  await buildImage({ cluster, figures, seed: 0, say: () => undefined });
  await cluster.run(
    `printf '${nextFrom(images.local).replaceAll('\n', '\\n')}' | docker build -q -t ${images.next} -`,
  );
}
