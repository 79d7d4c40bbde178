// What a node of any arena is made of: where it is, and what can be done to its network, disk, clock, cable and release.
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import type {
  ArenaNode,
  NodeCable,
  NodeClock,
  NodeDisk,
  NodeNetwork,
  NodeRelease,
} from './arena.ts';

export type NodePlace = Pick<
  ArenaNode,
  'id' | 'clientAddress' | 'peerAddress' | 'dataDir' | 'logFile'
>;

export type NodeEquipment = Pick<ArenaNode, 'network' | 'disk' | 'clock' | 'cable' | 'release'>;

/** Its process is left to the arena's own kind of node. */
export abstract class EquippedNode implements ArenaNode {
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly network: NodeNetwork;
  readonly disk: NodeDisk;
  readonly clock: NodeClock;
  readonly cable: NodeCable;
  readonly release: NodeRelease;

  constructor(place: NodePlace, equipmentOf: (node: ArenaNode) => NodeEquipment) {
    this.id = place.id;
    this.clientAddress = place.clientAddress;
    this.peerAddress = place.peerAddress;
    this.dataDir = place.dataDir;
    this.logFile = place.logFile;
    const { network, disk, clock, cable, release } = equipmentOf(this);
    this.network = network;
    this.disk = disk;
    this.clock = clock;
    this.cable = cable;
    this.release = release;
  }

  abstract get running(): boolean;
  abstract get pid(): number;
  abstract get exitCode(): number | undefined;
  abstract start(): void;
  abstract signal(signal: NodeJS.Signals): void;
  abstract kill(signal?: NodeJS.Signals): Promise<void>;
  abstract status(timeoutMs?: number): Promise<StatusResponse__Output>;
}
