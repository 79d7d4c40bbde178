// Opens an arena with all that this host allows, and sees to it that nothing of it stays behind.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePorts } from '../../support/process-cluster.ts';
import type { Ability, Arena, ArenaNode, ArenaSettings, NodeClock, NodeDisk } from './arena.ts';
import { abandonedClaims, type Claim, claimVariable, makeClaim } from './claim.ts';
import { whyNoProgram } from './command.ts';
import { HostedNode } from './hosted-node.ts';
import { type Host, PeerNetwork, whyNoNetwork } from './peer-network.ts';
import { disksOf, sweep } from './sweep.ts';

/** Nodes are named n1, n2 and so on, and not started. A process may have one arena at a time. */
export async function openArena(settings: ArenaSettings): Promise<Arena> {
  for (const abandoned of abandonedClaims()) sweep(abandoned);
  const directory = resolve(settings.directory);
  mkdirSync(directory, { recursive: true });
  const claim = makeClaim(directory);
  const release = sweepOnTheWayOut(claim);
  try {
    const arena = new HostArena({ ...settings, directory }, claim, release);
    await arena.open();
    return arena;
  } catch (error) {
    release();
    throw error;
  }
}

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whatever ends this process but SIGKILL. Returns what ends the claim before that, once. */
function sweepOnTheWayOut(claim: Claim): () => void {
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    process.off('exit', release);
    for (const ending of endings) process.off(ending, interrupt);
    sweep(claim);
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    // A program that handles the signal closes the arena itself, or exits, and then this is called again.
    if (process.listenerCount(signal) > 1) return;
    release();
    process.kill(process.pid, signal);
  };
  process.on('exit', release);
  for (const ending of endings) process.on(ending, interrupt);
  return release;
}

class HostArena implements Arena {
  readonly missing = new Map<Ability, string>();
  readonly #settings: ArenaSettings;
  readonly #claim: Claim;
  readonly #release: () => void;
  readonly #nodes: HostedNode[] = [];
  readonly #places = new Map<ArenaNode, Place>();
  #peers: PeerNetwork | undefined;
  #prologue: readonly string[] = [];

  constructor(settings: ArenaSettings, claim: Claim, release: () => void) {
    this.#settings = settings;
    this.#claim = claim;
    this.#release = release;
  }

  get nodes(): readonly ArenaNode[] {
    return this.#nodes;
  }

  get endpoints(): readonly string[] {
    return this.#nodes.map(({ clientAddress }) => clientAddress);
  }

  /** Hosts, disks and addresses for the members to begin with. */
  async open(): Promise<void> {
    const noNetwork = whyNoNetwork();
    if (noNetwork === undefined) this.#peers = await PeerNetwork.create(this.#claim);
    else this.missing.set('network', noNetwork);
    for (const ability of ['power', 'slowDisk', 'wallClock'] as const) {
      this.missing.set(ability, 'this arena cannot do it');
    }
    // Servers of a harness that was killed end with it, and not only when the next one clears up.
    if (whyNoProgram('setpriv') === undefined) this.#prologue = ['setpriv', '--pdeathsig', 'KILL'];
    mkdirSync(disksOf(this.#claim));
    const ids = Array.from({ length: this.#settings.nodes }, (_, position) => `n${position + 1}`);
    const places = [];
    for (const id of ids) places.push(await this.#findPlace(id));
    const members = places.map(({ id, peerAddress }) => `${id}=${peerAddress}`).join(',');
    for (const place of places) this.#settle(place, ['--initial-members', members]);
  }

  async addNode(id: string): Promise<ArenaNode> {
    if (this.#nodes.some((node) => node.id === id)) throw new Error(`there is a node ${id}`);
    const members = this.endpoints.join(',');
    return this.#settle(await this.#findPlace(id), ['--join', members]);
  }

  async replaceNode(node: ArenaNode): Promise<ArenaNode> {
    const position = this.#nodes.findIndex((candidate) => candidate === node);
    const place = this.#places.get(node);
    if (place === undefined) throw new Error(`${node.id} is none of the arena's nodes`);
    await node.kill();
    await node.disk.wipe();
    this.#nodes.splice(position, 1);
    this.#places.delete(node);
    const members = this.endpoints.join(',');
    const fresh = this.#settle(place, ['--join', members]);
    this.#nodes.splice(position, 0, ...this.#nodes.splice(-1));
    return fresh;
  }

  async removeNode(node: ArenaNode): Promise<void> {
    const position = this.#nodes.findIndex((candidate) => candidate === node);
    if (position < 0) return;
    this.#nodes.splice(position, 1);
    await node.kill();
    rmSync(node.dataDir, { recursive: true, force: true });
    await this.#places.get(node)?.host?.remove();
    this.#places.delete(node);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#nodes.map((node) => node.kill()));
    this.#release();
  }

  async #findPlace(id: string): Promise<Place> {
    const dataDir = join(disksOf(this.#claim), id, 'data');
    mkdirSync(dataDir, { recursive: true });
    if (this.#peers === undefined) {
      const [client = 0, peer = 0] = await freePorts(2);
      const addresses = { clientAddress: `127.0.0.1:${client}`, peerAddress: `127.0.0.1:${peer}` };
      return { id, dataDir, ...addresses, host: undefined };
    }
    const host = await this.#peers.addHost(id);
    const addresses = { clientAddress: `${host.ip}:7400`, peerAddress: `${host.ip}:7401` };
    return { id, dataDir, ...addresses, host };
  }

  #command({ id, dataDir, clientAddress, peerAddress, host }: Place, flags: readonly string[]) {
    const server = [process.execPath, '--enable-source-maps', this.#settings.main, 'server'];
    const own = ['--node-id', id, '--data-dir', dataDir, '--listen-client', clientAddress];
    own.push('--listen-peer', peerAddress);
    // Clients of the arena are on another host, as the node sees it.
    own.push('--allow-remote-admin');
    return [...(host?.enter ?? []), ...this.#prologue, ...server, ...own, ...flags];
  }

  #settle(place: Place, flags: readonly string[]): HostedNode {
    const { id, dataDir, clientAddress, peerAddress, host } = place;
    const node = new HostedNode({
      id,
      dataDir,
      clientAddress,
      peerAddress,
      directory: this.#settings.directory,
      command: this.#command(place, flags),
      environment: { ...this.#settings.environment, [claimVariable]: this.#claim.token },
      network: host?.network ?? noNetwork(this.missing.get('network') ?? ''),
      disk: plainDisk,
      clock: hostClock,
    });
    this.#nodes.push(node);
    this.#places.set(node, place);
    return node;
  }
}

/** Where a node is to be. */
interface Place {
  readonly id: string;
  readonly dataDir: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly host: Host | undefined;
}

const refuse = (reason: string): Promise<never> => Promise.reject(new Error(reason));

/** All nodes on loopback: whole, and not to be cut. */
const noNetwork = (reason: string): Host['network'] => ({
  deafen: () => refuse(reason),
  hear: () => Promise.resolve(),
  lose: () => refuse(reason),
  heal: () => Promise.resolve(),
  dropped: () => Promise.resolve(0),
});

const plainDisk = (node: ArenaNode): NodeDisk => ({
  cutPower: () => refuse('this arena cannot cut the power'),
  slow: () => refuse('this arena cannot slow a disk'),
  normal: () => Promise.resolve(),
  wipe: () => {
    if (node.running) return refuse(`${node.id} runs`);
    for (const name of readdirSync(node.dataDir)) {
      rmSync(join(node.dataDir, name), { recursive: true, force: true });
    }
    return Promise.resolve();
  },
});

const hostClock = (): NodeClock => ({
  shift: () => refuse('this arena cannot move a clock'),
  offsetMs: () => Promise.resolve(0),
});
