// The streams to the other nodes, as they come and go: who is let in, who is told what was lost, and whom to keep streams to
// as the members change.
import type { NodeId } from '../lib/ids.ts';
import type { Engine } from './engine.ts';
import { type FirstBoot, formedFrame } from './first-boot.ts';
import type { Members } from './members.ts';
import type { NodeParts } from './node-parts.ts';
import type { PeerDesk } from './peer-desk.ts';
import type { FormationFrame, Hello, PeerFrame, Refusal } from './peer-protocol.ts';
import type { Peers } from './peers.ts';
import type { TransportHandlers } from './ports.ts';
import type { Roster } from './roster.ts';

export interface StreamsHost {
  readonly parts: NodeParts;
  readonly peers: Peers;
  readonly roster: Roster;
  readonly desk: PeerDesk;
  readonly members: Members;
  readonly engine: () => Engine | undefined;
  readonly firstBoot: () => FirstBoot | undefined;
  readonly ended: () => boolean;
}

/** How often it is looked whether somebody who was let in has been removed since. */
const REVIEW_MS = 100;

export class Streams {
  readonly #host: StreamsHost;
  /** When the core was last told that a peer's queue is full. */
  readonly #overflowMs = new Map<NodeId, number>();
  #connectDeferred = false;
  /** As of the last look at whom to keep streams to. */
  #leader: NodeId | undefined;
  #reviewedMs = Number.NEGATIVE_INFINITY;

  constructor(host: StreamsHost) {
    this.#host = host;
  }

  handlers(): TransportHandlers {
    const guarded = <A extends unknown[]>(run: (...given: A) => void): ((...given: A) => void) => {
      return (...given) => {
        if (this.#host.ended()) return;
        try {
          run(...given);
        } catch (error) {
          this.#host.parts.fatal(13, 'an unexpected error', error);
        }
      };
    };
    const { peers, desk, engine } = this.#host;
    return {
      admit: (hello) => this.#admit(hello),
      hello: () => peers.hello(),
      onFrames: guarded((from: NodeId, frames: readonly PeerFrame[]) => desk.receive(from, frames)),
      onConnected: guarded((_peer: NodeId, hello: Hello) => this.#connected(hello)),
      onBroken: guarded((peer: NodeId) => this.#broken(peer)),
      onGone: guarded((peer: NodeId) => engine()?.push({ kind: 'peerDisconnected', peer })),
      onRefused: guarded((peer, refusal) => peers.refused(peer, refusal)),
    };
  }

  /** The members are others now, or somebody is at another address. */
  connect(): void {
    if (this.#host.ended()) return;
    this.#leader = this.#host.engine()?.view.leader;
    const others = this.#host.peers.others(this.#leader);
    const kept = new Set(others.map(({ nodeId }) => nodeId));
    for (const peer of this.#host.peers.connectedPeers) if (!kept.has(peer)) this.#broken(peer);
    this.#host.parts.options.transport.connect(others);
  }

  /** Streams that the members removed since have dialled are ended: they dial again and hear what has happened. */
  tick(nowMs: number): void {
    if (nowMs < this.#reviewedMs + REVIEW_MS) return;
    this.#reviewedMs = nowMs;
    const { peers, parts, engine } = this.#host;
    const leader = engine()?.view.leader;
    if (leader !== this.#leader) this.connect();
    for (const peer of peers.takeUnwelcome(leader)) {
      parts.options.transport.dismiss(peer);
    }
  }

  heardFormation(from: NodeId, frame: FormationFrame): void {
    if (this.#host.roster.record === undefined) this.#host.firstBoot()?.heard(from, frame);
    else if (!frame.formed) this.#tellOfCluster(from);
  }

  framesLost(to: NodeId, frames: readonly PeerFrame[]): void {
    const { parts, peers, members, engine } = this.#host;
    let entriesLost = false;
    for (const frame of frames) {
      if (frame.kind === 'writeRequest') parts.writes.notSent(frame);
      if (frame.kind === 'memberRequest') members.notSent(frame);
      entriesLost ||= frame.kind === 'raft' && frame.message.kind === 'appendEntries';
    }
    // A full queue, not a broken stream: the core has to begin again from what the peer is known to hold. Its question
    // meets the same full queue, so it is told once in a heartbeat; it asks again as heartbeats are answered.
    const { clock, heartbeatMs } = parts.options;
    const now = clock.now();
    const lastMs = this.#overflowMs.get(to) ?? Number.NEGATIVE_INFINITY;
    if (!entriesLost || !peers.isConnected(to) || now < lastMs + heartbeatMs) return;
    this.#overflowMs.set(to, now);
    engine()?.push({ kind: 'peerUnreachable', peer: to });
  }

  #admit(hello: Hello): Refusal | undefined {
    const { peers } = this.#host;
    const refusal = peers.admit(hello);
    if (refusal !== undefined) return refusal;
    // A peer that is connected and greets again has dialled a new stream: its answers on the one before are lost.
    if (peers.isConnected(hello.nodeId)) this.#answersLost(hello.nodeId);
    this.#connectSoon();
    this.#bind(hello);
    return undefined;
  }

  /** An empty node of a name that was announced: the leader makes it the member that was meant. */
  #bind(hello: Hello): void {
    const { roster, members, engine } = this.#host;
    const announced = roster.record?.members.find(({ nodeId }) => nodeId === hello.nodeId);
    if (announced?.incarnation !== '' || engine()?.leading !== true) return;
    const { nodeId, incarnation, peerAddress, clientAddress } = hello;
    const member = { nodeId, incarnation, peerAddress, clientAddress, learner: true };
    const options = { origin: 'peer', deadlineMs: Number.POSITIVE_INFINITY } as const;
    members.submit({ kind: 'add', member }, options, () => undefined);
  }

  /** Not within a handshake. */
  #connectSoon(): void {
    if (this.#connectDeferred) return;
    this.#connectDeferred = true;
    this.#host.parts.options.clock.defer(() => {
      this.#connectDeferred = false;
      this.connect();
    });
  }

  #answersLost(peer: NodeId): void {
    const { parts, members, engine } = this.#host;
    parts.writes.peerBroken(peer);
    members.peerBroken(peer);
    if (engine()?.view.leader === peer) parts.relay.broken();
  }

  #connected(hello: Hello): void {
    const { nodeId } = hello;
    const { parts, peers, desk, roster, engine, firstBoot } = this.#host;
    parts.options.log.info({ event: 'peer_connected', peer: nodeId });
    peers.connected(hello);
    desk.streamChanged(nodeId);
    if (roster.record === undefined) firstBoot()?.connected(hello);
    else if (hello.clusterUuid === '') this.#tellOfCluster(nodeId);
    if (engine()?.view.leader === nodeId) parts.relay.flush();
    engine()?.wake();
  }

  #broken(peer: NodeId): void {
    const { parts, peers, desk, engine, firstBoot } = this.#host;
    parts.options.log.info({ event: 'peer_broken', peer });
    peers.broken(peer);
    desk.streamChanged(peer);
    firstBoot()?.broken(peer);
    engine()?.push({ kind: 'peerUnreachable', peer });
    this.#answersLost(peer);
  }

  /** For those that have not written the first record yet. */
  #tellOfCluster(peer: NodeId): void {
    const { first } = this.#host.roster;
    if (first === undefined) return;
    this.#host.parts.options.transport.send(peer, [formedFrame(first)]);
  }
}
