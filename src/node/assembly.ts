// Puts the parts of a node together. What is wired here is who may call whom; what they do is in their own files.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import { firstId } from './first-id.ts';
import { createRegistry, type Registry } from '../registry/index.ts';
import type { AppliedPoint } from './applier.ts';
import { DiskReserve } from './disk-reserve.ts';
import type { Engine } from './engine.ts';
import { createHeartbeatRelay, type HeartbeatRouter } from './heartbeat-relay.ts';
import { createLeases, type Leases } from './lease-table.ts';
import { Members } from './members.ts';
import type { NodeParts } from './node-parts.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import type { ClusterRecord, PeerFrame } from './peer-protocol.ts';
import type { Peers } from './peers.ts';
import type { Fatal } from './ports.ts';
import { createProposals } from './proposals.ts';
import { Reads } from './reads.ts';
import type { NodeOptions } from './registry-node.ts';
import { createRegistryTime } from './registry-time.ts';
import { RoomReports } from './room-reports.ts';
import { Rounds } from './rounds.ts';
import { assembleSnapshots } from './snapshot-parts.ts';
import { Returns } from './returns.ts';
import type { Roster } from './roster.ts';
import { StateFlusher } from './state-flusher.ts';
import { createWatchHub } from './watch-publisher.ts';
import { Writes } from './writes.ts';

export interface AssemblyHost {
  readonly options: NodeOptions;
  /** undefined until the log is replayed, and once the node has ended. */
  readonly engine: () => Engine | undefined;
  /** There is a state to show: not while the log is replayed, or before a cluster has taken this node in. */
  readonly serving: () => boolean;
  readonly clusterUuid: () => string;
  readonly applied: () => AppliedPoint;
  readonly persistedIndex: () => LogIndex;
  /** Why there is no quorum to write or read through, in plain words. */
  readonly noQuorumReason: () => string;
  /** The configuration in effect. */
  readonly record: () => ClusterRecord | undefined;
  readonly peers: () => Pick<Peers, 'isConnected' | 'reads'>;
  readonly framesLost: (to: NodeId, frames: readonly PeerFrame[]) => void;
  readonly fatal: Fatal;
  readonly changed: () => void;
  readonly ticked: (nowMs: number) => void;
}

/** No response exceeds 3 MiB (registry.proto). */
const WATCH_MESSAGE_BYTES = 3 << 20;
/** Number of that frame (docs/protocol.md). */
const DISK_REPORT = 13;

export function assembleParts(host: AssemblyHost): NodeParts {
  const { options, engine } = host;
  const { clock, limits, transport, stateStore } = options;
  // An empty store has nothing to load, and need not know the hash of nothing.
  const { image } = stateStore;
  const registry = createRegistry(limits, image.appliedIndex > 0 ? image : undefined);
  const wake = (): void => engine()?.wake();
  const outbox = createOutbox({ transport, lost: host.framesLost, wake });
  let lastToken = 0;
  const nextToken = (): number => ++lastToken;
  const rounds = new Rounds({ nextToken, wake, unansweredMs: 2 * options.electionMs });
  const joinRound: Rounds['join'] = (done) => rounds.join(done);

  const leases = assembleLeases(host, registry);
  const relay = assembleRelay(host, registry, leases);
  const flusher = assembleFlusher(host, registry);
  const { reserve, room } = assembleRoom(host, flusher, outbox);
  const writes = new Writes({
    clock,
    self: options.self.nodeId,
    registry,
    leader: () => engine()?.view.leader,
    leading: () => engine()?.leading === true,
    send: (to, frame) => outbox.add(to, frame),
    joinRound,
    propose: (call, done) => engine()?.propose(call, done),
    renew: ({ namespace, instanceId }) => leases.renew(namespace, instanceId),
    noQuorumReason: host.noQuorumReason,
    shortage: () => room.shortage(),
    wake,
    firstId: firstId(options.seed),
  });
  const reads = new Reads({
    clock,
    registry,
    // What lost its state has nothing to show, not even something stale.
    running: host.serving,
    joinRound,
    freshMs: () => rounds.freshMs,
    noQuorumReason: host.noQuorumReason,
  });
  return {
    options,
    registry,
    hub: assembleHub(host, registry),
    leases,
    relay,
    proposals: createProposals(nextToken),
    rounds,
    writes,
    reads,
    outbox,
    flusher,
    reserve,
    room,
    ...assembleSnapshots(host, (to, frame) => outbox.add(to, frame)),
    registryTime: createRegistryTime(clock),
    noQuorumReason: host.noQuorumReason,
    fatal: host.fatal,
    changed: host.changed,
    ticked: host.ticked,
  };
}

function assembleFlusher(
  { options, applied, persistedIndex, fatal }: AssemblyHost,
  registry: Registry,
): StateFlusher {
  const { clock, stateStore, log } = options;
  return new StateFlusher({
    clock,
    registry,
    stateStore,
    applied,
    persistedIndex,
    log,
    failed: (error) => fatal(10, 'the state store could not be written', error),
  });
}

function assembleRoom(
  { options, record, peers }: AssemblyHost,
  flusher: StateFlusher,
  outbox: Outbox,
): Pick<NodeParts, 'reserve' | 'room'> {
  const { clock, log, logStore, freeSpace, limits, self } = options;
  const reserve = new DiskReserve({
    clock,
    freeSpace,
    reserveBytes: limits.diskReserveBytes ?? 0,
    logStore,
    stateStarved: () => flusher.starved,
    log,
  });
  const room = new RoomReports({
    self: self.nodeId,
    reserve,
    record,
    isConnected: (peer) => peers().isConnected(peer),
    understands: (peer) => peers().reads(peer, DISK_REPORT),
    send: (to, frame) => outbox.add(to, frame),
  });
  return { reserve, room };
}

function assembleHub({ options, clusterUuid }: AssemblyHost, registry: Registry): NodeParts['hub'] {
  const { clock, log, limits } = options;
  return createWatchHub({
    registry,
    clock,
    log,
    limits: { messageBytes: WATCH_MESSAGE_BYTES, ...limits },
    clusterUuid,
  });
}

export interface MembersAssembly {
  readonly parts: NodeParts;
  readonly roster: Roster;
  readonly peers: Peers;
  readonly engine: () => Engine | undefined;
}

export function assembleReturns({ parts, roster, engine }: MembersAssembly): Returns {
  const { self, log, restored } = parts.options;
  return new Returns({
    self,
    roster,
    view: () => engine()?.view,
    leading: () => engine()?.leading === true,
    propose: (payload, done) => engine()?.proposeMembership(payload, done),
    restored: () => restored?.(),
    log,
  });
}

export function assembleMembers(host: MembersAssembly): Members {
  const { parts, roster, peers, engine } = host;
  const { clock, self, seed } = parts.options;
  return new Members({
    clock,
    self: self.nodeId,
    record: () => roster.record,
    members: () => peers.members(),
    view: () => engine()?.view,
    peerViews: () => engine()?.peers() ?? [],
    leading: () => engine()?.leading === true,
    propose: (payload, done) => engine()?.proposeMembership(payload, done),
    transfer: (target) => engine()?.push({ kind: 'transferLeadership', target }),
    send: (to, frame) => parts.outbox.add(to, frame),
    noQuorumReason: parts.noQuorumReason,
    firstId: firstId(seed),
  });
}

function assembleLeases({ options, engine }: AssemblyHost, registry: Registry): Leases {
  const { clock, log, self } = options;
  return createLeases({
    clock,
    registry,
    log,
    confirmRound(done) {
      const running = engine();
      if (running === undefined) done(false);
      else running.confirmLeadership(done);
    },
    proposeExpiry(body, done) {
      const call = { body, requestId: '', fingerprint: '', actor: `node ${self.nodeId}` };
      engine()?.propose(call, ({ kind }) => done(kind === 'applied' ? 'applied' : 'lost'));
    },
  });
}

function assembleRelay(
  { options, engine }: AssemblyHost,
  registry: Registry,
  leases: Leases,
): HeartbeatRouter {
  const { clock, transport, self } = options;
  return createHeartbeatRelay({
    clock,
    registry,
    leases,
    send(frame) {
      const leader = engine()?.view.leader;
      return leader !== undefined && leader !== self.nodeId && transport.send(leader, [frame]);
    },
  });
}
