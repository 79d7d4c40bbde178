// The network: a bag of packets that a schedule delivers in any order, late, twice or never.
import type { NodeId } from '../../../src/lib/ids.ts';
import type { Message } from '../../../src/raft/index.ts';

export interface Packet {
  readonly from: number;
  readonly to: number;
  readonly sender: NodeId;
  readonly message: Message;
}

export interface Network {
  readonly packets: Packet[];
  /** Held back until picked. */
  readonly late: Packet[];
  /** Bit i: the side of the cut on which member i stands. */
  sides: number;
  /** True: only packets from side 0 to side 1 are lost. */
  oneWay: boolean;
}

/** The oldest packets are lost beyond this. */
const MAX_PACKETS = 300;

export function createNetwork(): Network {
  return { packets: [], late: [], sides: 0, oneWay: false };
}

export function put(packets: Packet[], packet: Packet): void {
  packets.push(packet);
  if (packets.length > MAX_PACKETS) packets.shift();
}

function isCut(network: Network, from: number, to: number): boolean {
  const left = (network.sides >> from) & 1;
  const right = (network.sides >> to) & 1;
  return left !== right && (!network.oneWay || left === 0);
}

/** Takes out the packet that `pick` falls on, cut links included: a packet may outlive the cut it waited behind. */
export function takeAt(packets: Packet[], pick: number): Packet | undefined {
  if (packets.length === 0) return undefined;
  return packets.splice(pick % packets.length, 1)[0];
}

/** Takes out everything that can be delivered now, optionally to one member only, oldest first. */
export function takeDeliverable(network: Network, to?: number): readonly Packet[] {
  const taken: Packet[] = [];
  let kept = 0;
  for (const packet of network.packets) {
    const wanted = to === undefined || packet.to === to;
    if (wanted && !isCut(network, packet.from, packet.to)) taken.push(packet);
    else network.packets[kept++] = packet;
  }
  network.packets.length = kept;
  return taken;
}

/** Holds back everything on its way to one member, also what waits behind a cut. */
export function holdBackTo(network: Network, to: number): void {
  let kept = 0;
  for (const packet of network.packets) {
    if (packet.to === to) put(network.late, packet);
    else network.packets[kept++] = packet;
  }
  network.packets.length = kept;
}
