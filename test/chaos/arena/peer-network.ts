// A host of its own for every node, as far as the network goes: a namespace, a pair of devices, and one bridge for all. A
// cut is a rule inside the namespace of the one who no longer hears, so nothing outside of it changes.
import type { ArenaNode, NodeNetwork } from './arena.ts';
import { type Claim, claimNumber } from './claim.ts';
import { run, whyNoProgram } from './command.ts';
import { bridgeOf, namespacePrefixOf, passRule } from './sweep.ts';

/** Where a node lives and how a program gets there. */
export interface Host {
  readonly ip: string;
  /** Put before a program to run it there; the program takes the place of these words and keeps their process id. */
  readonly enter: readonly string[];
  readonly network: NodeNetwork;
  remove(): Promise<void>;
}

/** All nodes on loopback: whole, and not to be cut. */
export const wholeNetwork = (reason: string): NodeNetwork => ({
  deafen: () => Promise.reject(new Error(reason)),
  hear: () => Promise.resolve(),
  lose: () => Promise.reject(new Error(reason)),
  heal: () => Promise.resolve(),
  dropped: () => Promise.resolve(0),
});

function requireNetwork(): void {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root');
  const missing = ['ip', 'iptables', 'iptables-restore', 'nsenter'].map(whyNoProgram).find(Boolean);
  if (missing !== undefined) throw new Error(missing);
}

const firstOrdinal = 11;
/** Two more addresses are for trying out. */
const lastOrdinal = 252;

export class PeerNetwork {
  readonly #claim: Claim;
  readonly #bridge: string;
  readonly #subnet: string;
  /** Of the next host; addresses are not used twice. */
  #nextOrdinal = firstOrdinal;

  private constructor(claim: Claim, subnet: string) {
    this.#claim = claim;
    this.#bridge = bridgeOf(claim);
    this.#subnet = subnet;
  }

  /** The host itself has the first address of the network; nothing is routed beyond it. Rejects with the reason why this host
   * cannot. */
  static async create(claim: Claim): Promise<PeerNetwork> {
    requireNetwork();
    const network = new PeerNetwork(claim, await freeSubnet(claim));
    const bridge = network.#bridge;
    await run('ip', ['link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0']);
    await run('ip', ['address', 'add', `${network.#subnet}.1/24`, 'dev', bridge]);
    await run('ip', ['link', 'set', bridge, 'up']);
    await run('iptables', ['-w', '-I', ...passRule(bridge)]);
    await network.#tryOut();
    return network;
  }

  /** Two hosts reach each other, until one no longer hears the other. */
  async #tryOut(): Promise<void> {
    const one = await this.#makeHost('probe1', lastOrdinal + 1);
    const two = await this.#makeHost('probe2', lastOrdinal + 2);
    if (!(await hears(one, two))) throw new Error('two hosts on a bridge do not reach each other');
    await two.network.lose(1);
    if (await hears(one, two)) throw new Error('iptables does not drop what it is told to');
    await one.remove();
    await two.remove();
  }

  addHost(id: string): Promise<Host> {
    const ordinal = this.#nextOrdinal;
    if (ordinal > lastOrdinal) {
      throw new Error(`a network of the arena has no address after the ${lastOrdinal}th`);
    }
    this.#nextOrdinal += 1;
    return this.#makeHost(id, ordinal);
  }

  async #makeHost(id: string, ordinal: number): Promise<Host> {
    const namespace = `${namespacePrefixOf(this.#claim)}${id}`;
    const ip = `${this.#subnet}.${ordinal}`;
    const device = `${this.#bridge}.${ordinal}`;
    await run('ip', ['netns', 'add', namespace]);
    const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace];
    await run('ip', ['link', 'add', device, ...ends]);
    await run('ip', ['link', 'set', device, 'master', this.#bridge, 'up']);
    const enter = ['nsenter', `--net=/run/netns/${namespace}`, '--'];
    // Not `ip -netns`, which copies all mounts for as long as it runs: a disk could not be unmounted for good meanwhile.
    await runAt(enter, ['ip', 'address', 'add', `${ip}/24`, 'dev', 'eth0']);
    await runAt(enter, ['ip', 'link', 'set', 'eth0', 'up']);
    await runAt(enter, ['ip', 'link', 'set', 'lo', 'up']);
    return {
      ip,
      enter,
      network: await IngressFilter.create(enter, this.#subnet),
      remove: async () => {
        await run('ip', ['link', 'delete', device]);
        await run('ip', ['netns', 'delete', namespace]);
      },
    };
  }
}

/** Asks for a connection to a door that nobody keeps: a host that is reached refuses at once. */
const knockProgram = `
  const socket = require('node:net').connect(7400, process.argv[1]);
  socket.on('error', ({ code }) => { console.log(code); process.exit(); });
  setTimeout(() => process.exit(), 500);
`;

async function hears(one: Host, two: Host): Promise<boolean> {
  const knock = [process.execPath, '-e', knockProgram, one.ip];
  return (await runAt(two.enter, knock)).trim() === 'ECONNREFUSED';
}

/** A network that neither another arena nor anything else on this host has. */
async function freeSubnet(claim: Claim): Promise<string> {
  for (let number = 0; number < 256; number += 1) {
    const subnet = `10.213.${number}`;
    const routes = await run('ip', ['-4', 'route', 'show', 'root', `${subnet}.0/24`]);
    if (routes === '' && claimNumber(claim, number)) return subnet;
  }
  throw new Error('all networks from 10.213.0.0/24 to 10.213.255.0/24 are taken');
}

const chain = 'ROLLCALL-PEERS';
/** Its one rule drops; it is never changed, so that its counter is that of the whole run. */
const graveyard = 'ROLLCALL-DROPPED';

/** What arrives at one host from the others. All rules are replaced at once, so no packet meets half of them. */
class IngressFilter implements NodeNetwork {
  readonly #enter: readonly string[];
  readonly #subnet: string;
  readonly #deafTo = new Set<string>();
  #lostShare = 0;
  /** Changes are made one after the other: the last one that was asked for is the last one made. */
  #change: Promise<unknown> = Promise.resolve();

  private constructor(enter: readonly string[], subnet: string) {
    this.#enter = enter;
    this.#subnet = subnet;
  }

  static async create(enter: readonly string[], subnet: string): Promise<IngressFilter> {
    const filter = new IngressFilter(enter, subnet);
    await filter.#restore([
      `:${graveyard} - [0:0]`,
      `:${chain} - [0:0]`,
      `-A ${graveyard} -j DROP`,
      `-A INPUT -j ${chain}`,
    ]);
    return filter;
  }

  deafen(from: ArenaNode): Promise<void> {
    this.#deafTo.add(ipOf(from));
    return this.#apply();
  }

  hear(from: ArenaNode): Promise<void> {
    this.#deafTo.delete(ipOf(from));
    return this.#apply();
  }

  lose(share: number): Promise<void> {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`a share is 0 to 1, not ${share}`);
    this.#lostShare = share;
    return this.#apply();
  }

  heal(): Promise<void> {
    this.#deafTo.clear();
    this.#lostShare = 0;
    return this.#apply();
  }

  async dropped(): Promise<number> {
    const list = ['iptables', '-w', '-nvxL', graveyard];
    const counters = await runAt(this.#enter, list);
    const dropping = counters.split('\n').find((line) => line.includes('DROP '));
    return Number(dropping?.trim().split(/\s+/)[0]);
  }

  #apply(): Promise<void> {
    const share = this.#lostShare.toFixed(6);
    return this.#restore([
      `:${chain} - [0:0]`,
      // A node reaches itself, and clients, who are on the host, reach every node at all times.
      `-A ${chain} -i lo -j RETURN`,
      `-A ${chain} ! -s ${this.#subnet}.0/24 -j RETURN`,
      `-A ${chain} -s ${this.#subnet}.1 -j RETURN`,
      ...[...this.#deafTo].map((ip) => `-A ${chain} -s ${ip} -j ${graveyard}`),
      ...(this.#lostShare > 0
        ? [`-A ${chain} -m statistic --mode random --probability ${share} -j ${graveyard}`]
        : []),
    ]);
  }

  #restore(rules: readonly string[]): Promise<void> {
    const table = ['*filter', ...rules, 'COMMIT', ''].join('\n');
    const made = this.#change.then(async () => {
      await runAt(this.#enter, ['iptables-restore', '-w', '--noflush'], table);
    });
    // A change that failed is told to whoever asked for it, and does not stand in the way of the next.
    this.#change = made.catch(() => undefined);
    return made;
  }
}

/** Where `enter` leads. */
function runAt(enter: readonly string[], command: readonly string[], input = ''): Promise<string> {
  const [program = '', ...args] = [...enter, ...command];
  return run(program, args, input);
}

export const ipOf = (node: ArenaNode): string => node.peerAddress.replace(/:\d+$/, '');
