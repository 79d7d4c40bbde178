// One start of a machine: the log is opened on what its disks hold, and a node on that, as cli/serve does it; everything outside
// of the node is simulated.
import type { Logger } from 'pino';
import { type NodeId, nodeId } from '../../src/lib/ids.ts';
import { createNode } from '../../src/node/node.ts';
import type { Member, MemberIdentity } from '../../src/node/peer-protocol.ts';
import type { Clock } from '../../src/node/ports.ts';
import type { NodeOptions, RegistryNode } from '../../src/node/registry-node.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';
import type { Coverage } from './coverage.ts';
import type { Garble } from './garble.ts';
import type { RaftLedger } from './ledger.ts';
import type { SimNetwork } from './network.ts';
import type { Parameters } from './parameters.ts';
import type { SimDisk } from './sim-disk.ts';
import type { StateDisk } from './state-disk.ts';
import type { Process, Timeline } from './timeline.ts';
import { SimTransport } from './transport.ts';

export interface MachineWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly ledger: RaftLedger;
  readonly parameters: Parameters;
  readonly coverage: Coverage;
  /** A node that was no member begins to note that it is one; for how many milliseconds that hangs. */
  readonly noteBegan: (node: string) => number;
  readonly blame: (guarantee: string, evidence: string) => void;
  readonly log: (node: string) => Logger;
  /** Asks some member to add this node, as --join does. */
  readonly ask: (self: MemberIdentity, process: Process) => Promise<readonly Member[]>;
}

/** The machine, and what it is told. */
export interface BootOptions extends Pick<NodeOptions, 'join' | 'replaces' | 'restored' | 'fatal'> {
  readonly id: NodeId;
  readonly incarnation: string;
  /** Its data-dir belongs to a cluster. */
  readonly formed: boolean;
  /** Those of the first configuration; none for one that joins. */
  readonly members: readonly string[];
  readonly process: Process;
  readonly clock: Clock;
  readonly disk: SimDisk;
  readonly state: StateDisk;
  readonly garble: Garble;
  /** All of the log was read. */
  readonly logRead: () => void;
  readonly connected: (transport: SimTransport) => void;
  /** Entries are about to be read back from the log. */
  readonly readsBack: () => void;
  /** The log is about to let go of everything up to there. */
  readonly trims: (index: number) => void;
  /** Durable when it resolves: the data-dir belongs to this cluster. */
  readonly note: (clusterUuid: string) => Promise<void>;
  readonly drawSeed: () => number;
}

const HEARTBEAT_MS = 50;
const ELECTION_MS = 300;
const RESERVE_BYTES = 1 << 20;
const SCRUB_REST_MS = 500;

const peerAddress = (member: string): string => `sim:${member}`;

export const asMember = (name: string): Pick<MemberIdentity, 'nodeId' | 'peerAddress'> => ({
  nodeId: nodeId(name),
  peerAddress: peerAddress(name),
});

export async function boot(world: MachineWorld, options: BootOptions): Promise<RegistryNode> {
  const { network, ledger, parameters, coverage, log } = world;
  const { id, incarnation, formed, process, clock, disk, state, garble, ...rest } = options;
  const { logRead, connected, readsBack, trims, note, drawSeed, members, ...wayIn } = rest;
  const wal = await openWal('/wal', {
    segmentBytes: parameters.segmentBytes,
    maxFrameBytes: parameters.maxFrameBytes,
    owner: incarnation,
    formed,
    files: disk.files,
    log: log(id),
  });
  logRead();
  const transport = new SimTransport({
    network,
    self: id,
    address: peerAddress(id),
    process,
    clock,
    heartbeatMs: HEARTBEAT_MS,
    outgoing: (frames) => garble.pass(frames),
  });
  connected(transport);
  const logStore = ledger.observe(id, wal, {
    read: readsBack,
    floor: ({ index }) => trims(index),
    starved: () => coverage.count('starvedLogs'),
  });
  const { index: floorIndex } = wal.image.floor;
  return createNode({
    ...wayIn,
    self: {
      nodeId: id,
      incarnation,
      peerAddress: peerAddress(id),
      clientAddress: `client:${id}`,
    },
    clusterId: 'simulated',
    softwareVersion: '0.0.0',
    initialMembers: members.map(asMember),
    logStore,
    stateStore: state.open({ process, floorIndex, owner: incarnation }),
    transport,
    markFormed: note,
    freeSpace: () => disk.freeSpace(process),
    clock,
    log: log(id),
    seed: drawSeed(),
    heartbeatMs: HEARTBEAT_MS,
    electionMs: ELECTION_MS,
    limits: { diskReserveBytes: RESERVE_BYTES, ...parameters.limits },
    raftLimits: parameters.raftLimits,
    retention: parameters.retention,
    scrubRestMs: SCRUB_REST_MS,
  });
}
