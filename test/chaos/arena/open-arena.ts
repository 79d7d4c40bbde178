// Opens an arena with all that this host allows, and sees to it that nothing of it stays behind.
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePorts } from '../../support/process-cluster.ts';
import type { Ability, Arena, ArenaNode, ArenaSettings } from './arena.ts';
import { abandonedClaims, type Claim, claimVariable, makeClaim } from './claim.ts';
import { ControlPage, underControl } from './control-page.ts';
import { HostedNode } from './hosted-node.ts';
import { createClock, fixedClock } from './node-clock.ts';
import { createDisk, makeDataDir, Volume } from './node-disk.ts';
import { type Host, wholeNetwork } from './peer-network.ts';
import { disksOf, sweep } from './sweep.ts';
import { prepareTools, type Toolbox } from './toolbox.ts';
import { onTheWayOut } from './way-out.ts';

/** Nodes are named n1, n2 and so on, and not started. A process may have one arena at a time. Its disks are in
 * `<directory>/disks` until it is closed; the logs of the nodes, `<directory>/<id>.log`, stay. */
export async function openArena(settings: ArenaSettings): Promise<Arena> {
  for (const abandoned of abandonedClaims()) sweep(abandoned);
  const directory = resolve(settings.directory);
  mkdirSync(directory, { recursive: true });
  const claim = makeClaim(directory);
  const release = onTheWayOut(() => sweep(claim));
  try {
    mkdirSync(disksOf(claim));
    const tools = await prepareTools(claim);
    const arena = new HostArena({ ...settings, directory }, claim, tools, release);
    await arena.found();
    return arena;
  } catch (error) {
    release();
    throw error;
  }
}

/** Where a node is to be, and what it has there. */
interface Place {
  readonly id: string;
  readonly dataDir: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly host: Host | undefined;
  readonly volume: Volume | undefined;
  readonly page: ControlPage | undefined;
}

class HostArena implements Arena {
  readonly #settings: ArenaSettings;
  readonly #claim: Claim;
  readonly #tools: Toolbox;
  readonly #release: () => void;
  readonly #nodes: HostedNode[] = [];
  readonly #places = new Map<ArenaNode, Place>();

  constructor(settings: ArenaSettings, claim: Claim, tools: Toolbox, release: () => void) {
    this.#settings = settings;
    this.#claim = claim;
    this.#tools = tools;
    this.#release = release;
  }

  get missing(): ReadonlyMap<Ability, string> {
    return this.#tools.missing;
  }

  get nodes(): readonly ArenaNode[] {
    return this.#nodes;
  }

  get endpoints(): readonly string[] {
    return this.#nodes.map(({ clientAddress }) => clientAddress);
  }

  /** The members to begin with. */
  async found(): Promise<void> {
    const ids = Array.from({ length: this.#settings.nodes }, (_, position) => `n${position + 1}`);
    const places = await Promise.all(ids.map((id) => this.#findPlace(id)));
    const members = places.map(({ id, peerAddress }) => `${id}=${peerAddress}`).join(',');
    for (const place of places) this.#settle(place, ['--initial-members', members]);
  }

  async addNode(id: string): Promise<ArenaNode> {
    if (this.#nodes.some((node) => node.id === id)) throw new Error(`there is a node ${id}`);
    const members = this.endpoints.join(',');
    return this.#settle(await this.#findPlace(id), ['--join', members]);
  }

  async replaceNode(node: ArenaNode): Promise<ArenaNode> {
    const place = this.#placeOf(node);
    await node.kill();
    await node.disk.wipe();
    const position = this.#forget(node);
    const fresh = this.#settle(place, ['--join', this.endpoints.join(',')]);
    this.#nodes.splice(position, 0, ...this.#nodes.splice(-1));
    return fresh;
  }

  async removeNode(node: ArenaNode): Promise<void> {
    const { host, volume, page } = this.#placeOf(node);
    this.#forget(node);
    await node.kill();
    await volume?.remove();
    page?.close();
    rmSync(this.#roomOf(node.id), { recursive: true });
    await host?.remove();
  }

  #placeOf(node: ArenaNode): Place {
    const place = this.#places.get(node);
    if (place === undefined) throw new Error(`${node.id} is none of the arena's nodes`);
    return place;
  }

  /** Returns where it stood among the nodes. */
  #forget(node: ArenaNode): number {
    const position = this.#nodes.findIndex((candidate) => candidate === node);
    this.#nodes.splice(position, 1);
    this.#places.delete(node);
    return position;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#nodes.map((node) => node.kill()));
    for (const { page } of this.#places.values()) page?.close();
    this.#places.clear();
    this.#release();
  }

  #roomOf(id: string): string {
    return join(disksOf(this.#claim), id);
  }

  async #findPlace(id: string): Promise<Place> {
    const { peers, powerCut, library } = this.#tools;
    const host = await peers?.addHost(id);
    const room = this.#roomOf(id);
    mkdirSync(room);
    const disk = join(room, 'disk');
    const volume = powerCut === undefined ? undefined : await Volume.create(disk, powerCut);
    const page = library === undefined ? undefined : new ControlPage(join(room, 'control'));
    const dataDir = join(disk, 'data');
    makeDataDir(dataDir);
    const ports = host === undefined ? await freePorts(2) : [7400, 7401];
    const [clientAddress = '', peerAddress = ''] = ports.map(
      (port) => `${host?.ip ?? '127.0.0.1'}:${port}`,
    );
    return { id, dataDir, clientAddress, peerAddress, host, volume, page };
  }

  #settle(place: Place, flags: readonly string[]): HostedNode {
    const reason = (ability: Ability): string => this.missing.get(ability) ?? '';
    const { id, dataDir, clientAddress, peerAddress, host, volume, page } = place;
    const reasons = { power: reason('power'), slowDisk: reason('slowDisk') };
    const node = new HostedNode({
      id,
      dataDir,
      clientAddress,
      peerAddress,
      logFile: join(this.#settings.directory, `${id}.log`),
      command: this.#command(place, flags),
      environment: { ...this.#settings.environment, [claimVariable]: this.#claim.token },
      equipment: (owner) => ({
        network: host?.network ?? wholeNetwork(reason('network')),
        disk: createDisk({ node: owner, volume, page, reasons }),
        clock: page === undefined ? fixedClock(reason('wallClock')) : createClock(owner, page),
      }),
      beforeStart: () => {
        page?.write('syncDelayUs', 0);
        page?.write('failsWrites', 0);
      },
    });
    this.#nodes.push(node);
    this.#places.set(node, place);
    return node;
  }

  #command(place: Place, flags: readonly string[]): readonly string[] {
    const { id, dataDir, clientAddress, peerAddress, host, page } = place;
    const { leash, library } = this.#tools;
    const control = library === undefined || page === undefined ? [] : underControl(library, page);
    const server = [process.execPath, '--enable-source-maps', this.#settings.main, 'server'];
    const own = ['--node-id', id, '--data-dir', dataDir, '--listen-client', clientAddress];
    // Clients of the arena are on another host, as the node sees it.
    own.push('--listen-peer', peerAddress, '--allow-remote-admin');
    return [...(host?.enter ?? []), ...leash, ...control, ...server, ...own, ...flags];
  }
}
