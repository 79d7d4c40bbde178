// What peers send, each frame to whom it concerns: the core, this node's writes (a follower's, when this node leads), the
// leases. Answers go back only on the stream the question's sender still reads.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import type { Engine } from './engine.ts';
import type { Members } from './members.ts';
import type { NodeParts } from './node-parts.ts';
import type {
  FormationFrame,
  LastHeartbeatRequest,
  MemberChange,
  MemberRequest,
  PeerFrame,
  WriteOutcome,
  WriteRequest,
} from './peer-protocol.ts';
import { isAnswer } from './raft-traffic.ts';

export interface PeerDeskHost {
  readonly parts: NodeParts;
  readonly engine: () => Engine | undefined;
  readonly members: Members;
  /** The sender is a member in the incarnation that the cluster knows: only then is it heard on consensus (G14). */
  readonly trusted: (peer: NodeId) => boolean;
  /** It is one in the configuration in effect: only then do its answers count. */
  readonly answersAsMember: (peer: NodeId) => boolean;
  /** It is no member, and asks for the place of the data-dir that it lost. */
  readonly asksToReturn: (peer: NodeId, change: MemberChange) => boolean;
  /** A stop has begun: nothing new is taken, and peers ask elsewhere. */
  readonly stopping: () => boolean;
  readonly formation: (from: NodeId, frame: FormationFrame) => void;
  readonly stateHash: (from: NodeId, index: LogIndex, hash: string) => void;
  /** Writes of all followers waiting here at most. */
  readonly maxPeerWrites: () => number;
}

interface Asked {
  readonly giveUpMs: number;
  readonly done: (unixTimeMs: number | undefined) => void;
}

/** How long a GetInstance waits for the leader's memory before it does without. */
const ANSWER_MS = 500;
const MAX_ASKED = 10_000;

export class PeerDesk {
  readonly #host: PeerDeskHost;
  /** Rises when the stream to a peer opens or breaks: an answer belongs to the life of the peer that asked. */
  readonly #sessions = new Map<NodeId, number>();
  readonly #asked = new Map<number, Asked>();
  #nextId: number;

  constructor(host: PeerDeskHost, firstId: number) {
    this.#host = host;
    this.#nextId = firstId;
  }

  receive(from: NodeId, frames: readonly PeerFrame[]): void {
    for (const frame of frames) this.#take(from, frame);
    this.#host.engine()?.wake();
  }

  /** The stream to the peer opened or broke. */
  streamChanged(peer: NodeId): void {
    this.#sessions.set(peer, this.#session(peer) + 1);
  }

  /** Asks the leader when it last heard an instance; undefined where no answer comes in time. */
  askLastHeartbeat(
    leader: NodeId,
    namespace: string,
    instanceId: string,
    deadlineMs: number,
  ): Promise<number | undefined> {
    const { outbox, options } = this.#host.parts;
    if (this.#asked.size >= MAX_ASKED) return Promise.resolve(undefined);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const giveUpMs = Math.min(deadlineMs, options.clock.now() + ANSWER_MS);
      this.#asked.set(id, { giveUpMs, done: resolve });
      outbox.add(leader, { kind: 'lastHeartbeatRequest', id, namespace, instanceId });
    });
  }

  tick(nowMs: number): void {
    for (const [id, { giveUpMs }] of this.#asked)
      if (nowMs >= giveUpMs) this.#conclude(id, undefined);
  }

  stop(): void {
    for (const id of this.#asked.keys()) this.#conclude(id, undefined);
  }

  #take(from: NodeId, frame: PeerFrame): void {
    const { writes, relay, room, snapshotSource, snapshotPull } = this.#host.parts;
    switch (frame.kind) {
      case 'raft':
        if (!this.#host.trusted(from)) return;
        if (isAnswer(frame.message) && !this.#host.answersAsMember(from)) return;
        return this.#host.engine()?.push({ kind: 'message', from, message: frame.message });
      case 'formation':
        return this.#host.formation(from, frame);
      case 'writeRequest':
        return this.#serveWrite(from, frame);
      case 'writeResponse':
        return writes.answered(frame);
      case 'heartbeatRelay':
        return relay.serve(frame, this.#reply(from));
      case 'heartbeatRelayResponse':
        return relay.answered(frame);
      case 'lastHeartbeatRequest':
        return this.#serveLastHeartbeat(from, frame);
      case 'lastHeartbeatResponse':
        return this.#conclude(frame.id, frame.unixTimeMs);
      // What these say convicts a node or stops writes: a stranger under a member's name is not asked (G12, G14).
      case 'stateHash':
        if (!this.#host.answersAsMember(from)) return;
        return this.#host.stateHash(from, frame.index, frame.hash);
      case 'diskReport':
        if (!this.#host.answersAsMember(from)) return;
        return room.heard(from, frame.short);
      case 'snapshotRequest':
        if (!this.#host.trusted(from)) return;
        return snapshotSource.serve(from, frame, this.#reply(from));
      case 'snapshotChunk':
        return snapshotPull.heard(from, frame);
      case 'memberRequest':
        return this.#serveMembers(from, frame);
      case 'memberResponse':
        return this.#host.members.answered(frame);
    }
  }

  #session(peer: NodeId): number {
    return this.#sessions.get(peer) ?? 0;
  }

  /** Sends back as long as the stream is the one of now: a peer that restarted numbers its questions anew. */
  #reply(to: NodeId): (frame: PeerFrame) => void {
    const session = this.#session(to);
    return (frame) => {
      if (session === this.#session(to)) this.#host.parts.outbox.add(to, frame);
    };
  }

  #serveWrite(from: NodeId, request: WriteRequest): void {
    const { writes, room } = this.#host.parts;
    const reply = this.#reply(from);
    const done = (outcome: WriteOutcome): void => {
      const said = room.understands(from) ? outcome : withoutLack(outcome);
      reply({ kind: 'writeResponse', id: request.id, outcome: said });
    };
    const { body, requestId, fingerprint, actor } = request;
    if (this.#host.stopping()) {
      done({ kind: 'failed', code: 'shuttingDown', message: 'the leader is stopping' });
      return;
    }
    const limit = this.#host.maxPeerWrites();
    if (writes.peers >= limit) {
      const message = `writes from other nodes waiting on the leader, limit ${limit}`;
      done({ kind: 'failed', code: 'resourceExhausted', message });
      return;
    }
    const deadlineMs = Number.POSITIVE_INFINITY;
    writes.submit({ origin: 'peer', body, requestId, fingerprint, actor, deadlineMs, done });
  }

  #serveMembers(from: NodeId, request: MemberRequest): void {
    if (!this.#host.trusted(from) && !this.#host.asksToReturn(from, request.change)) return;
    const reply = this.#reply(from);
    if (!this.#host.stopping()) return this.#host.members.serve(request, reply);
    const message = 'the leader is stopping';
    const outcome = { kind: 'failed', code: 'shuttingDown', message } as const;
    reply({ kind: 'memberResponse', id: request.id, outcome });
  }

  #serveLastHeartbeat(from: NodeId, { id, namespace, instanceId }: LastHeartbeatRequest): void {
    const leading = this.#host.engine()?.leading === true;
    const unixTimeMs = leading
      ? this.#host.parts.leases.lastHeartbeat(namespace, instanceId)
      : undefined;
    this.#reply(from)({ kind: 'lastHeartbeatResponse', id, unixTimeMs });
  }

  #conclude(id: number, unixTimeMs: number | undefined): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    asked?.done(unixTimeMs);
  }
}

function withoutLack(outcome: WriteOutcome): WriteOutcome {
  if (outcome.kind === 'applied') return outcome;
  const { kind, code, message } = outcome;
  return { kind, code, message };
}
