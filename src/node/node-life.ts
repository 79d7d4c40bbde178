// The life of a node: forming -> replaying -> running -> ended. Hands peers and time to whoever is in charge in each
// phase, and ends everything at once when the node must not go on.
import { assert } from '../lib/assert.ts';
import { logIndex, type LogIndex, type NodeId } from '../lib/ids.ts';
import { RegistryError } from '../lib/registry-error.ts';
import { raftDefaults, type RaftConfig } from '../raft/index.ts';
import { type AppliedPoint, Applier } from './applier.ts';
import { assembleParts } from './assembly.ts';
import { decodeClusterRecord, membershipOf } from './cluster-record.ts';
import { DiskUse } from './disk-use.ts';
import { Engine } from './engine.ts';
import { FirstBoot, formedFrame } from './first-boot.ts';
import { firstId } from './first-id.ts';
import { createHashComparison, type HashComparison, type HashVerdict } from './hash-comparison.ts';
import { Health } from './health.ts';
import type { NodeParts } from './node-parts.ts';
import { PeerDesk } from './peer-desk.ts';
import type { ClusterRecord, FormationFrame, Hello, PeerFrame, Refusal } from './peer-protocol.ts';
import { Peers } from './peers.ts';
import type { Fatal, LogImage, TransportHandlers } from './ports.ts';
import { readFailureCode } from './read-failure.ts';
import { snapshotProblems, stopSnapshots } from './snapshot-parts.ts';
import type { NodeOptions } from './registry-node.ts';
import { replay } from './replay.ts';
import { startTicker, TICK_MS } from './ticker.ts';

export type Phase = 'forming' | 'replaying' | 'running' | 'ended';

const HUB_TICK_MS = 1000;

export class NodeLife {
  readonly options: NodeOptions;
  readonly parts: NodeParts;
  readonly peers: Peers;
  readonly health: Health;
  readonly desk: PeerDesk;
  readonly disk: DiskUse;
  readonly #applier: Applier;
  #phase: Phase = 'replaying';
  #record: ClusterRecord | undefined;
  #firstBoot: FirstBoot | undefined;
  #engine: Engine | undefined;
  #comparison: HashComparison | undefined;
  #difference: string | undefined;
  #stopTicker = (): void => undefined;
  #hubTickMs = Number.NEGATIVE_INFINITY;
  /** When the core was last told that a peer's queue is full. */
  readonly #overflowMs = new Map<NodeId, number>();

  constructor(options: NodeOptions) {
    this.options = options;
    this.disk = new DiskUse(options);
    const { clock, logStore } = options;
    const fatal: Fatal = (code, reason, cause) => this.#fatal(code, reason, cause);
    this.peers = new Peers({
      options,
      record: () => this.#record,
      configurationIndex: () => logIndex(this.#record === undefined ? 0 : 1),
    });
    this.parts = assembleParts({
      options,
      engine: () => this.#engine,
      clusterUuid: () => this.#record?.clusterUuid ?? '',
      applied: () => this.applied,
      persistedIndex: () => this.#engine?.view.persistedIndex ?? logStore.image.lastIndex,
      noQuorumReason: () => this.noQuorumReason(),
      framesLost: (to, frames) => this.#framesLost(to, frames),
      fatal,
      changed: () => this.health.changed(),
      ticked: (nowMs) => this.#ticked(nowMs),
    });
    const { registry, hub, leases, rounds, reads } = this.parts;
    this.#applier = new Applier({
      registry,
      publish(group) {
        hub.publish(group);
        for (const change of group.changes) leases.applied(change);
      },
      applied: (entry, command) => this.#engine?.entryApplied(entry, command),
      hashDue: (index, hash) => this.#hashDue(index, hash),
    });
    this.health = new Health({
      clock,
      running: () => this.#engine?.view.awaitsSnapshot === false,
      leaderId: () => this.#engine?.view.leader ?? '',
      freshOnce: () => rounds.freshMs !== undefined,
      refresh: () => reads.refresh(),
    });
    const deskHost = {
      parts: this.parts,
      engine: () => this.#engine,
      trusted: (peer: NodeId) => this.peers.trusted(peer),
      stopping: () => this.health.stopping,
      formation: (from: NodeId, frame: FormationFrame) => this.#heardFormation(from, frame),
      stateHash: (from: NodeId, index: LogIndex, hash: string) =>
        this.#judge(this.#comparison?.report(from, index, hash)),
      maxPeerWrites: options.limits.maxPendingWrites * Math.max(1, this.peers.others().length),
    };
    this.desk = new PeerDesk(deskHost, firstId(options.seed));
  }

  get phase(): Phase {
    return this.#phase;
  }

  get engine(): Engine | undefined {
    return this.#engine;
  }

  get record(): ClusterRecord | undefined {
    return this.#record;
  }

  get applied(): AppliedPoint {
    return this.#applier.point;
  }

  /** Reads who this node is from its log, or begins to form a cluster; then lets the others in. */
  async start(): Promise<void> {
    const { options } = this;
    const { image } = options.logStore;
    if (image.lastIndex > 0) await this.#readRecord();
    else this.#beginForming();
    if (this.#phase === 'ended') return;
    await options.transport.start(this.#handlers());
    options.transport.connect(this.peers.others());
    this.#stopTicker = startTicker({
      clock: options.clock,
      gapMs: options.heartbeatMs,
      elapsed: (ticks, gapMs) => this.#elapsed(ticks, gapMs),
    });
    if (this.#record === undefined) this.#firstBoot?.tick();
    else void this.#run(image);
  }

  /** No more turns, nothing more from peers. What is on its way to a disk completes. */
  halt(): void {
    this.#phase = 'ended';
    this.#stopTicker();
    this.#engine?.stop();
    stopSnapshots(this.parts);
    this.parts.relay.stop();
    this.desk.stop();
    this.parts.writes.abandonAll();
    this.parts.reads.failAll('shuttingDown', 'this node has stopped');
  }

  /** One plain sentence each; empty while this node is well. */
  problems(): readonly string[] {
    const problems: string[] = [];
    if (this.#phase === 'forming' && this.#firstBoot !== undefined) {
      problems.push(this.#firstBoot.problem);
    } else if (this.#phase === 'replaying') {
      problems.push('this node is replaying its log');
    } else if (this.#engine?.view.leader === undefined) {
      problems.push('no leader is known: writes and linearizable reads wait for one');
    }
    if (this.#difference !== undefined) problems.push(this.#difference);
    problems.push(...snapshotProblems(this.parts));
    if (this.health.stopping) problems.push('this node is stopping');
    return [...problems, ...this.peers.problems()];
  }

  noQuorumReason(): string {
    const leader = this.#engine?.view.leader;
    if (leader !== undefined) return `the leader ${leader} could not confirm a majority in time`;
    return this.problems()[0] ?? 'no leader is known';
  }

  #beginForming(): void {
    const { options } = this;
    const { self, clusterId, clock, logStore, stateStore, transport, markFormed } = options;
    const listed = this.peers.listed();
    assert(listed.includes(self.nodeId), 'this node is one of the initial members');
    if (stateStore.image.appliedIndex > 0) {
      return this.#fatal(
        11,
        'the log is missing but the state store is not: restore the whole data directory, or start with an empty one',
      );
    }
    this.#phase = 'forming';
    this.#firstBoot = new FirstBoot({
      self,
      clusterId,
      listed,
      clock,
      logStore,
      markFormed,
      tell(frame) {
        for (const peer of listed) if (peer !== self.nodeId) transport.send(peer, [frame]);
      },
      formed: (record, image) => this.#formed(record, image),
      failed: (error) => this.#fatal(10, 'the first record could not be written', error),
    });
  }

  async #readRecord(): Promise<void> {
    const { self, clusterId, logStore, markFormed } = this.options;
    try {
      const [first] = await logStore.read(logIndex(1), logIndex(1), 1 << 20);
      assert(first?.kind === 'bootstrap', 'the first entry of a log is the cluster record');
      const record = decodeClusterRecord(first.payload);
      const own = record.members.find((member) => member.nodeId === self.nodeId);
      if (record.clusterId !== clusterId || own?.incarnation !== self.incarnation) {
        const known = `cluster "${record.clusterId}", members ${record.members.map((member) => member.nodeId).join(', ')}`;
        this.#fatal(
          14,
          `the data directory belongs to another node or cluster (${known}): check --node-id, --cluster-id and --data-dir`,
        );
        return;
      }
      await markFormed(record.clusterUuid);
      this.#adopt(record);
    } catch (error) {
      this.#fatal(readFailureCode(error), 'the log could not be read', error);
    }
  }

  #adopt(record: ClusterRecord): void {
    this.#record = record;
    const members = record.members.map((member) => member.nodeId);
    this.#comparison = createHashComparison(this.options.self.nodeId, members);
  }

  #formed(record: ClusterRecord, image: LogImage): void {
    if (this.#phase === 'ended') return;
    this.#adopt(record);
    this.options.log.info({ event: 'cluster_formed', cluster_uuid: record.clusterUuid });
    for (const { nodeId } of this.peers.others()) {
      this.options.transport.send(nodeId, [formedFrame(record)]);
    }
    void this.#run(image);
  }

  async #run(image: LogImage): Promise<void> {
    const { options } = this;
    this.#phase = 'replaying';
    if (options.stateStore.discarded !== undefined) {
      options.log.warn({ event: 'state_discarded', reason: options.stateStore.discarded });
    }
    try {
      const start = await replay({
        config: this.#raftConfig(),
        image,
        logStore: options.logStore,
        state: options.stateStore.image,
        applier: this.#applier,
        progressed: () => this.parts.flusher.tick(),
        ended: () => this.#phase === 'ended',
      });
      if (start === undefined || this.phase === 'ended') return;
      this.#engine = new Engine({
        parts: this.parts,
        start,
        applier: this.#applier,
        configuration: () => this.health.changed(),
        installed: () => this.health.changed(),
      });
      this.#phase = 'running';
      options.log.info({ event: 'running', applied_index: start.appliedIndex });
    } catch (error) {
      this.#fatal(readFailureCode(error), 'the log could not be replayed', error);
    }
  }

  #raftConfig(): RaftConfig {
    const { self, heartbeatMs, electionMs, seed } = this.options;
    const heartbeatTicks = Math.max(1, Math.round(heartbeatMs / TICK_MS));
    return {
      ...raftDefaults,
      ...this.options.raftLimits,
      id: self.nodeId,
      membershipOf,
      heartbeatTicks,
      electionTicks: Math.max(3 * heartbeatTicks, Math.round(electionMs / TICK_MS)),
      seed,
    };
  }

  #handlers(): TransportHandlers {
    const guarded = <A extends unknown[]>(run: (...given: A) => void): ((...given: A) => void) => {
      return (...given) => {
        if (this.#phase === 'ended') return;
        try {
          run(...given);
        } catch (error) {
          this.#fatal(13, 'an unexpected error', error);
        }
      };
    };
    return {
      admit: (hello) => this.#admit(hello),
      hello: () => this.peers.hello(),
      onFrames: guarded((from: NodeId, frames: readonly PeerFrame[]) =>
        this.desk.receive(from, frames),
      ),
      onConnected: guarded((_peer: NodeId, hello: Hello) => this.#connected(hello)),
      onBroken: guarded((peer: NodeId) => this.#broken(peer)),
      onGone: guarded((peer: NodeId) => this.#engine?.push({ kind: 'peerDisconnected', peer })),
      onRefused: guarded((peer, refusal) => this.peers.refused(peer, refusal)),
    };
  }

  #admit(hello: Hello): Refusal | undefined {
    const { nodeId } = hello;
    const refusal = this.peers.admit(hello);
    // A peer that is connected and greets again has dialled a new stream: its answers on the one before are lost.
    if (refusal === undefined && this.peers.isConnected(nodeId)) this.#answersLost(nodeId);
    return refusal;
  }

  #answersLost(peer: NodeId): void {
    this.parts.writes.peerBroken(peer);
    if (this.#engine?.view.leader === peer) this.parts.relay.broken();
  }

  #connected(hello: Hello): void {
    const { nodeId } = hello;
    this.options.log.info({ event: 'peer_connected', peer: nodeId });
    this.peers.connected(hello);
    this.desk.streamChanged(nodeId);
    if (this.#record === undefined) this.#firstBoot?.connected(hello);
    else if (hello.clusterUuid === '') {
      this.options.transport.send(nodeId, [formedFrame(this.#record)]);
    }
    if (this.#engine?.view.leader === nodeId) this.parts.relay.flush();
    this.#engine?.wake();
  }

  #broken(peer: NodeId): void {
    this.options.log.info({ event: 'peer_broken', peer });
    this.peers.broken(peer);
    this.desk.streamChanged(peer);
    this.#firstBoot?.broken(peer);
    this.#engine?.push({ kind: 'peerUnreachable', peer });
    this.#answersLost(peer);
  }

  #heardFormation(from: NodeId, frame: FormationFrame): void {
    if (this.#record === undefined) this.#firstBoot?.heard(from, frame);
    else if (!frame.formed) this.options.transport.send(from, [formedFrame(this.#record)]);
  }

  #framesLost(to: NodeId, frames: readonly PeerFrame[]): void {
    let entriesLost = false;
    for (const frame of frames) {
      if (frame.kind === 'writeRequest') this.parts.writes.notSent(frame);
      entriesLost ||= frame.kind === 'raft' && frame.message.kind === 'appendEntries';
    }
    // A full queue, not a broken stream: the core has to begin again from what the peer is known to hold. Its question
    // meets the same full queue, so it is told once in a heartbeat; it asks again as heartbeats are answered.
    const now = this.options.clock.now();
    const lastMs = this.#overflowMs.get(to) ?? Number.NEGATIVE_INFINITY;
    if (!entriesLost || !this.peers.isConnected(to) || now < lastMs + this.options.heartbeatMs)
      return;
    this.#overflowMs.set(to, now);
    this.#engine?.push({ kind: 'peerUnreachable', peer: to });
  }

  #elapsed(ticks: number, gapMs: number): void {
    if (this.#engine !== undefined) return this.#engine.elapsed(ticks, gapMs);
    const now = this.options.clock.now();
    this.#firstBoot?.tick();
    this.parts.writes.tick();
    this.parts.reads.tick();
    this.parts.relay.tick(now);
    this.parts.outbox.flush();
    this.#ticked(now);
  }

  #ticked(nowMs: number): void {
    this.desk.tick(nowMs);
    this.health.tick();
    this.disk.tick(nowMs);
    if (nowMs < this.#hubTickMs + HUB_TICK_MS) return;
    this.#hubTickMs = nowMs;
    this.parts.hub.tick(nowMs);
  }

  #hashDue(index: LogIndex, hash: string): void {
    this.#judge(this.#comparison?.report(this.options.self.nodeId, index, hash));
    if (this.#engine === undefined) return;
    for (const { nodeId } of this.peers.others()) {
      this.parts.outbox.add(nodeId, { kind: 'stateHash', index, hash });
    }
  }

  #judge(verdict: HashVerdict | undefined): void {
    if (verdict === undefined || verdict.kind === 'nothing') return;
    const others = verdict.peers.join(' and ');
    const difference = `the state of this node at index ${verdict.index} differs from that of ${others}`;
    if (verdict.kind === 'outvoted') return this.#fatal(12, `${difference}, which are a majority`);
    if (this.#difference === undefined) {
      this.options.log.error({ event: 'state_differs', detail: difference });
    }
    this.#difference = difference;
  }

  #fatal(...[code, reason, cause]: Parameters<Fatal>): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.options.log.fatal({ event: 'fatal', exit_code: code, reason, err: cause });
    this.options.fatal(code, reason, cause);
    // Production has exited by now. In a test the process lives on, and this node must be as silent as a dead one.
    this.parts.flusher.stop();
    this.halt();
    this.parts.hub.endAll(new RegistryError('shuttingDown', 'this node has stopped'));
    void this.options.transport.stop();
  }
}
