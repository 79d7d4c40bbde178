// The life of a node: forming or joining -> replaying -> running -> ended. Puts the parts together, hands time to whoever is
// in charge in each phase, and ends everything at once when the node must not go on.
import { logIndex, type Term } from '../lib/ids.ts';
import { RegistryError } from '../lib/registry-error.ts';
import { raftDefaults, type RaftConfig } from '../raft/index.ts';
import { type AppliedPoint, Applier, pointOf } from './applier.ts';
import { assembleMembers, assembleParts, assembleReturns } from './assembly.ts';
import { encodeClusterRecord, membershipOf } from './cluster-record.ts';
import { DiskUse } from './disk-use.ts';
import { Engine } from './engine.ts';
import { type FirstBoot, formedFrame } from './first-boot.ts';
import { firstId } from './first-id.ts';
import { HashReports } from './hash-reports.ts';
import { Health } from './health.ts';
import type { Members } from './members.ts';
import { MembershipNote, NOT_NOTED } from './membership-note.ts';
import type { NodeParts } from './node-parts.ts';
import { beginForming, strangerToLog, type WayIn, wayIn } from './origin.ts';
import { PeerDesk } from './peer-desk.ts';
import type { ClusterRecord } from './peer-protocol.ts';
import { Peers } from './peers.ts';
import type { Fatal, LogImage } from './ports.ts';
import { readFailureCode } from './read-failure.ts';
import type { NodeOptions } from './registry-node.ts';
import { replay } from './replay.ts';
import type { Returns } from './returns.ts';
import { Roster } from './roster.ts';
import { snapshotProblems, stopSnapshots } from './snapshot-parts.ts';
import { Streams } from './streams.ts';
import { startTicker, TICK_MS } from './ticker.ts';

export type Phase = 'forming' | 'replaying' | 'running' | 'ended';

const HUB_TICK_MS = 1000;

export class NodeLife {
  readonly options: NodeOptions;
  readonly parts: NodeParts;
  readonly roster: Roster;
  readonly peers: Peers;
  readonly members: Members;
  readonly health: Health;
  readonly desk: PeerDesk;
  readonly disk: DiskUse;
  readonly hashes: HashReports;
  readonly #returns: Returns;
  readonly #streams: Streams;
  readonly #applier: Applier;
  readonly #note = new MembershipNote({
    roster: () => this.roster,
    write: (clusterUuid) => this.options.markFormed(clusterUuid),
  });
  #phase: Phase = 'replaying';
  #firstBoot: FirstBoot | undefined;
  #wayIn: WayIn | undefined;
  #engine: Engine | undefined;
  #stopTicker = (): void => undefined;
  #hubTickMs = Number.NEGATIVE_INFINITY;

  constructor(options: NodeOptions) {
    this.options = options;
    this.disk = new DiskUse(options);
    const { clock, logStore, self } = options;
    this.roster = new Roster(self, logStore.image);
    this.peers = new Peers({
      options,
      roster: this.roster,
      lastTerm: () => this.#engine?.view.lastTerm ?? lastTermOf(logStore.image),
    });
    const engine = (): Engine | undefined => this.#engine;
    const fatal: Fatal = (code, reason, cause) => this.#fatal(code, reason, cause);
    this.parts = assembleParts({
      options,
      engine,
      serving: () => this.serving,
      clusterUuid: () => this.roster.record?.clusterUuid ?? this.peers.joiningUuid,
      applied: () => this.applied,
      persistedIndex: () => this.#engine?.view.persistedIndex ?? logStore.image.lastIndex,
      noQuorumReason: () => this.noQuorumReason(),
      record: () => this.roster.record,
      peers: () => this.peers,
      framesLost: (to, frames) => this.#streams.framesLost(to, frames),
      fatal,
      changed: () => this.health.changed(),
      ticked: (nowMs) => this.#ticked(nowMs),
    });
    const { parts } = this;
    this.members = assembleMembers({ parts, roster: this.roster, peers: this.peers, engine });
    this.#returns = assembleReturns({ parts, roster: this.roster, peers: this.peers, engine });
    this.hashes = this.#createHashReports();
    this.#applier = this.#createApplier();
    this.health = new Health({
      clock,
      running: () => this.serving,
      leaderId: () => this.#engine?.view.leader ?? '',
      freshOnce: () => parts.rounds.freshMs !== undefined,
      refresh: () => parts.reads.refresh(),
    });
    this.desk = new PeerDesk(
      {
        parts,
        engine,
        members: this.members,
        trusted: (peer) => this.peers.trusted(peer, this.#engine?.view.leader),
        answersAsMember: (peer) => this.peers.answersAsMember(peer),
        asksToReturn: (peer, change) => this.peers.asksToReturn(peer, change),
        stopping: () => this.health.stopping,
        formation: (from, frame) => this.#streams.heardFormation(from, frame),
        stateHash: (from, index, hash) => this.hashes.heard(from, index, hash),
        maxPeerWrites: () =>
          options.limits.maxPendingWrites * Math.max(1, this.peers.members().length),
      },
      firstId(options.seed),
    );
    this.#streams = new Streams({
      parts,
      peers: this.peers,
      roster: this.roster,
      desk: this.desk,
      members: this.members,
      engine,
      firstBoot: () => this.#firstBoot,
      ended: () => this.#phase === 'ended',
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  get engine(): Engine | undefined {
    return this.#engine;
  }

  get record(): ClusterRecord | undefined {
    return this.roster.record;
  }

  get applied(): AppliedPoint {
    return this.#applier.point;
  }

  /** There is something to show here: a node that has not got the state of its cluster yet has nothing, not even stale. */
  get serving(): boolean {
    const running = this.#engine !== undefined && !this.#engine.view.awaitsSnapshot;
    return running && this.roster.standing !== 'outside';
  }

  /** Sees from its log who this node is, or begins to form or to join a cluster; then lets the others in. */
  async start(): Promise<void> {
    const { options } = this;
    const { image } = options.logStore;
    const empty = image.lastIndex === 0;
    const strange = empty ? undefined : strangerToLog(options, this.roster);
    if (strange !== undefined) return this.#fatal(14, strange);
    if (empty && options.stateStore.image.appliedIndex > 0) return this.#fatal(11, LOST_LOG);
    if (this.roster.standing !== 'member') this.#wayIn = this.#beginEntering();
    if (empty && this.#wayIn === undefined) this.#beginForming();
    await options.transport.start(this.#streams.handlers());
    this.#streams.connect();
    this.#stopTicker = startTicker({
      clock: options.clock,
      gapMs: options.heartbeatMs,
      elapsed: (...passed) => this.#elapsed(...passed),
    });
    this.#wayIn?.ask();
    if (this.#phase === 'forming') this.#firstBoot?.tick();
    else void this.#run(image);
  }

  /** No more turns, nothing more from peers. What is on its way to a disk completes. */
  halt(): void {
    this.#phase = 'ended';
    this.#stopTicker();
    this.#wayIn?.stop();
    this.#engine?.stop();
    stopSnapshots(this.parts);
    this.parts.relay.stop();
    this.desk.stop();
    this.members.failAll('shuttingDown', 'this node has stopped');
    this.parts.writes.abandonAll();
    this.parts.reads.failAll('shuttingDown', 'this node has stopped');
  }

  /** One plain sentence each; empty while this node is well. */
  problems(): readonly string[] {
    const problems: string[] = [];
    const standing = this.#standingProblem();
    if (standing !== undefined) problems.push(standing);
    else if (this.#engine?.view.leader === undefined) {
      problems.push('no leader is known: writes and linearizable reads wait for one');
    }
    if (this.#note.problem !== undefined) problems.push(this.#note.problem);
    if (this.hashes.problem !== undefined) problems.push(this.hashes.problem);
    problems.push(...this.#returns.problems(), ...snapshotProblems(this.parts));
    problems.push(...this.parts.reserve.problems());
    const shortage = this.#engine?.leading === true ? this.parts.room.shortage() : undefined;
    if (shortage !== undefined) problems.push(shortage);
    if (this.health.stopping) problems.push('this node is stopping');
    return [...problems, ...this.peers.problems()];
  }

  noQuorumReason(): string {
    const leader = this.#engine?.view.leader;
    if (leader !== undefined) return `the leader ${leader} could not confirm a majority in time`;
    return this.problems()[0] ?? 'no leader is known';
  }

  #standingProblem(): string | undefined {
    if (this.#phase === 'forming') return this.#firstBoot?.problem;
    if (this.#engine === undefined) return 'this node is replaying its log';
    if (this.#wayIn !== undefined) return this.#wayIn.problem;
    if (this.#removed) return REMOVED;
    if (this.#engine.view.awaitsSnapshot) {
      return 'the state below the log was lost: this node waits for a snapshot from the leader';
    }
    return undefined;
  }

  get #removed(): boolean {
    return this.roster.standing === 'removed' || this.peers.saidToBeRemoved;
  }

  #createHashReports(): HashReports {
    return new HashReports({
      parts: this.parts,
      record: () => this.roster.record,
      appliedIndex: () => this.applied.index,
      telling: () => this.#engine !== undefined,
    });
  }

  #createApplier(): Applier {
    const { registry, hub, leases } = this.parts;
    return new Applier({
      registry,
      start: pointOf(this.options.stateStore.image),
      publish(group) {
        hub.publish(group);
        for (const change of group.changes) leases.applied(change);
      },
      applied: (entry, command) => this.#engine?.entryApplied(entry, command),
      hashDue: (index, hash) => this.hashes.due(index, hash),
    });
  }

  #beginForming(): void {
    this.#phase = 'forming';
    this.#firstBoot = beginForming(this.options, this.peers.listed(), {
      formed: (record, image) => this.#clusterFormed(record, image),
      failed: (error) => this.#fatal(10, 'the first record could not be written', error),
    });
  }

  #beginEntering(): WayIn | undefined {
    const { options, peers, members } = this;
    const connect = (): void => this.#streams.connect();
    return wayIn(options, { peers, members, connect, fatal: (...end) => this.#fatal(...end) });
  }

  #clusterFormed(record: ClusterRecord, image: LogImage): void {
    if (this.#phase === 'ended') return;
    this.#note.written();
    const configuration = { index: logIndex(1), payload: encodeClusterRecord(record) };
    this.roster.inEffect(configuration);
    this.roster.settle(configuration);
    this.options.log.info({ event: 'cluster_formed', cluster_uuid: record.clusterUuid });
    for (const { nodeId } of this.peers.others(undefined)) {
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
      await this.#note.writeAtStart(image.lastIndex);
    } catch (error) {
      return this.#fatal(10, NOT_NOTED, error);
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
        membershipNote: this.#note,
        reachesMember: (peer) => this.peers.reachesMember(peer),
        configuration: (configuration) => {
          if (this.roster.inEffect(configuration)) this.#membersChanged();
        },
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
      membershipOf: (payload) => membershipOf(payload, self),
      heartbeatTicks,
      electionTicks: Math.max(3 * heartbeatTicks, Math.round(electionMs / TICK_MS)),
      seed,
    };
  }

  #membersChanged(): void {
    const { record, index, standing } = this.roster;
    this.options.log.info({
      event: 'members',
      configuration_index: index,
      voters: record?.members.filter(({ learner }) => !learner).map(({ nodeId }) => nodeId),
      learners: record?.members.filter(({ learner }) => learner).map(({ nodeId }) => nodeId),
    });
    if (standing === 'member') {
      this.#wayIn?.stop();
      this.#wayIn = undefined;
    }
    this.#streams.connect();
  }

  #elapsed(ticks: number, gapMs: number, atMs: number): void {
    if (this.#engine !== undefined) return this.#engine.elapsed(ticks, gapMs, atMs);
    const now = this.options.clock.now();
    this.#firstBoot?.tick();
    this.parts.writes.tick();
    this.parts.reads.tick();
    this.parts.relay.tick(now);
    this.parts.outbox.flush();
    this.#ticked(now);
  }

  #ticked(nowMs: number): void {
    if (this.roster.settle(this.#applier.point.configuration)) this.#streams.connect();
    this.desk.tick(nowMs);
    this.members.tick(nowMs);
    this.#returns.tick(nowMs);
    this.#streams.tick(nowMs);
    this.health.tick();
    this.disk.tick(nowMs);
    this.parts.reserve.tick(nowMs);
    this.parts.room.tick(nowMs);
    if (nowMs < this.#hubTickMs + HUB_TICK_MS) return;
    this.#hubTickMs = nowMs;
    this.parts.hub.tick(nowMs);
    if (!this.#removed) return;
    // Nothing new will ever come here: a reader that stayed would wait for good (G6), a writer for its whole time-out.
    this.parts.hub.endAll(new RegistryError('shuttingDown', REMOVED));
    this.parts.writes.refuseWaiting('shuttingDown', REMOVED);
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

const lastTermOf = ({ runs, floor }: LogImage): Term => runs.at(-1)?.term ?? floor.term;

const LOST_LOG =
  'the log is missing but the state store is not: restore the whole data directory, or start with an empty one';
const REMOVED =
  'this node was removed from its cluster and answers stale reads only: to return, start it with an empty data directory and --join';
