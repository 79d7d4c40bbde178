// The other nodes as this one sees them: who may talk, who is heard on consensus, where they are, who was refused and why.
import type { NodeId, Term } from '../lib/ids.ts';
import { admission, type Joining, knowsMore, mayReturn } from './admission.ts';
import {
  type Hello,
  type LostLog,
  type Member,
  type MemberChange,
  type MemberIdentity,
  NEWEST_FRAME,
  PROTOCOL_VERSION,
  type Refusal,
  type RefusalReason,
} from './peer-protocol.ts';
import type { NodeOptions } from './registry-node.ts';
import type { Roster } from './roster.ts';

export interface PeersHost {
  readonly options: Pick<
    NodeOptions,
    'self' | 'clusterId' | 'softwareVersion' | 'initialMembers' | 'replaces' | 'clock' | 'log'
  >;
  readonly roster: Roster;
  /** Of the last entry of this node's log. */
  readonly lastTerm: () => Term;
}

interface Refused {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly atMs: number;
}

/** A refusal is told again at each redial; one this old is of the past. */
const REFUSAL_MS = 15_000;
/** Names remembered at most, members and strangers together; strangers are refused, so they are few. */
const MAX_REMEMBERED = 256;

export class Peers {
  readonly #host: PeersHost;
  readonly #connected = new Map<NodeId, Hello>();
  /** The last hello that was admitted under each name. */
  readonly #admitted = new Map<NodeId, Hello>();
  readonly #refused = new Map<NodeId, Refused>();
  #joining: Joining | undefined;

  constructor(host: PeersHost) {
    this.#host = host;
  }

  hello(): Hello {
    const { self, clusterId, softwareVersion, replaces } = this.#host.options;
    const { roster, lastTerm } = this.#host;
    const place = roster.standing === 'member' ? undefined : replaces?.incarnations;
    return {
      ...self,
      protocolVersion: PROTOCOL_VERSION,
      clusterId,
      clusterUuid: roster.record?.clusterUuid ?? '',
      softwareVersion,
      target: self.nodeId,
      configurationIndex: roster.index,
      lastTerm: lastTerm(),
      ...(place === undefined ? {} : { replaces: place }),
      newestFrame: NEWEST_FRAME,
    };
  }

  /** This node's log is lost: it looks for the members of its cluster, and of no other. */
  returning({ members, clusterUuid }: LostLog): void {
    const known = [...members, ...this.#host.options.initialMembers];
    this.#joining = { members: known.map((member) => ({ ...UNKNOWN, ...member })), clusterUuid };
  }

  /** This node asks to be taken in, and these are the members it was told of. */
  joining(members: readonly MemberIdentity[]): void {
    this.#joining = { members, clusterUuid: this.#joining?.clusterUuid ?? '' };
  }

  /** Of the cluster that this node joins, once a member of it was met; '' before, and for any other node. */
  get joiningUuid(): string {
    return this.#joining?.clusterUuid ?? '';
  }

  admit(hello: Hello): Refusal | undefined {
    const { self, clusterId } = this.#host.options;
    const { records, index } = this.#host.roster;
    const refusal = admission(hello, {
      self,
      clusterId,
      listed: this.listed(),
      records,
      configurationIndex: index,
      lastTerm: this.#host.lastTerm(),
      joining: this.#joining,
    });
    if (refusal !== undefined) return refusal;
    if (this.#joining?.clusterUuid === '') {
      this.#joining = { ...this.#joining, clusterUuid: hello.clusterUuid };
    }
    this.#admitted.delete(hello.nodeId);
    this.#admitted.set(hello.nodeId, hello);
    forgetOldest(this.#admitted);
    return undefined;
  }

  connected(hello: Hello): void {
    this.#connected.set(hello.nodeId, hello);
    this.#refused.delete(hello.nodeId);
  }

  broken(peer: NodeId): void {
    this.#connected.delete(peer);
  }

  refused(peer: NodeId, { message, reason }: Refusal): void {
    const { clock, log } = this.#host.options;
    if (this.#refused.get(peer)?.message !== message) {
      log.warn({ event: 'peer_refused', peer, reason, detail: message });
    }
    this.#refused.delete(peer);
    this.#refused.set(peer, { reason, message, atMs: clock.now() });
    forgetOldest(this.#refused);
  }

  isConnected(peer: NodeId): boolean {
    return this.#connected.has(peer);
  }

  get connectedPeers(): readonly NodeId[] {
    return [...this.#connected.keys()];
  }

  /** It is reached, and no node of the version before, which does not say which configuration it has and would take the
   * request to take over for no message at all. */
  canTakeOver(peer: NodeId): boolean {
    const hello = this.#connected.get(peer);
    return hello !== undefined && (hello.clusterUuid === '' || hello.configurationIndex > 0);
  }

  /** It is reached, and of a version that knows the frame of this number. */
  reads(peer: NodeId, frame: number): boolean {
    return (this.#connected.get(peer)?.newestFrame ?? 0) >= frame;
  }

  /** Heard on consensus (G14): a member in the very incarnation that the cluster knows; or one that knows of a newer
   * configuration than this node; or the leader this node follows, which leads on until its own removal is committed. */
  trusted(peer: NodeId, leader: NodeId | undefined): boolean {
    const hello = this.#admitted.get(peer);
    if (hello === undefined) return false;
    const { roster } = this.#host;
    if (roster.member(peer, hello.incarnation) !== undefined) return true;
    if (this.#isAhead(hello)) return true;
    return leader === peer && roster.wasLast(peer, hello.incarnation);
  }

  /** It asks for itself, in the incarnation it has shown, to be put in the place of one that it lost. */
  asksToReturn(peer: NodeId, change: MemberChange): boolean {
    const hello = this.#admitted.get(peer);
    if (hello === undefined || change.kind !== 'replace') return false;
    const { nodeId, incarnation } = change.member;
    return nodeId === peer && incarnation === hello.incarnation;
  }

  /** Its answers count: it is a member in the configuration in effect, in this very incarnation. */
  answersAsMember(peer: NodeId): boolean {
    const hello = this.#admitted.get(peer);
    return hello !== undefined && this.#host.roster.means(peer, hello.incarnation);
  }

  /** The stream to this name leads to the member of the configuration in effect, and not to a data-dir of before or after. */
  reachesMember(peer: NodeId): boolean {
    const hello = this.#connected.get(peer);
    return hello !== undefined && this.#host.roster.means(peer, hello.incarnation);
  }

  /** Admitted once and no longer welcome: members that were removed. Each is named once. */
  takeUnwelcome(leader: NodeId | undefined): readonly NodeId[] {
    if (this.#host.roster.record === undefined) return [];
    const unwelcome = [...this.#admitted.values()].filter(
      (hello) =>
        !this.trusted(hello.nodeId, leader) &&
        !this.#isAnnounced(hello) &&
        !mayReturn(hello, this.#host.roster.records),
    );
    for (const { nodeId } of unwelcome) this.#admitted.delete(nodeId);
    return unwelcome.map(({ nodeId }) => nodeId);
  }

  /** The nodes of --initial-members, this one included. */
  listed(): readonly NodeId[] {
    return this.#host.options.initialMembers.map((member) => member.nodeId);
  }

  /** Whom to keep streams to: members, whoever knows more than this node, and the leader that is followed, which leads on
   * until its own removal is committed and needs answers for that. At the address they announced themselves, else as
   * configured now, else as the cluster knows them. */
  others(
    leader: NodeId | undefined,
  ): readonly { readonly nodeId: NodeId; readonly address: string }[] {
    const { options, roster } = this.#host;
    const configured = new Map(
      options.initialMembers.map((member) => [member.nodeId, member.peerAddress]),
    );
    const found = new Map<NodeId, string>();
    const add = ({ nodeId, incarnation, peerAddress }: MemberIdentity): void => {
      const hello = this.#admitted.get(nodeId);
      const announced = hello?.incarnation === incarnation ? hello.peerAddress : undefined;
      const address = announced ?? configured.get(nodeId) ?? peerAddress;
      if (address !== '' && !found.has(nodeId)) found.set(nodeId, address);
    };
    for (const hello of this.#admitted.values()) {
      const leads = hello.nodeId === leader && roster.wasLast(hello.nodeId, hello.incarnation);
      if (leads || this.#isAhead(hello)) add(hello);
    }
    for (const { members, replacing = [] } of roster.records) {
      for (const member of members) add(member);
      for (const { member } of replacing) add(member);
    }
    if (roster.standing !== 'member')
      for (const member of this.#joining?.members ?? []) add(member);
    if (roster.record === undefined && this.#joining === undefined) {
      for (const member of options.initialMembers) add({ ...UNKNOWN, ...member });
    }
    found.delete(options.self.nodeId);
    return [...found].map(([nodeId, address]) => ({ nodeId, address }));
  }

  /** The members of the configuration in effect, with the addresses they announce now where they are known. */
  members(): readonly Member[] {
    const { options, roster } = this.#host;
    const listed = options.initialMembers.map((member) => ({ ...UNKNOWN, ...member }));
    return (roster.record?.members ?? listed).map((member) => {
      const { self } = options;
      const seen = member.nodeId === self.nodeId ? self : this.#connected.get(member.nodeId);
      const same = seen?.incarnation === member.incarnation || roster.record === undefined;
      if (seen === undefined || !same) return member;
      const { nodeId, incarnation, peerAddress, clientAddress } = seen;
      return { nodeId, incarnation, peerAddress, clientAddress, learner: member.learner };
    });
  }

  problems(): readonly string[] {
    return this.#recentRefusals().map(([, { message }]) => message);
  }

  /** What members say that know another data-dir by this node's name. */
  get strangerAt(): readonly string[] {
    const strange = this.#recentRefusals().filter(
      ([, { reason }]) => reason === 'otherIncarnation',
    );
    return strange.map(([, { message }]) => message);
  }

  /** A majority of the other voters this node knows of tell it that it was removed. */
  get saidToBeRemoved(): boolean {
    if (this.#refused.size === 0) return false;
    const voters = (this.#host.roster.record?.members ?? []).filter(({ learner }) => !learner);
    const names = new Set<NodeId>(voters.map(({ nodeId }) => nodeId));
    names.delete(this.#host.options.self.nodeId);
    const telling = this.#recentRefusals().filter(
      ([peer, { reason }]) => reason === 'removed' && names.has(peer),
    );
    return telling.length > names.size / 2;
  }

  #recentRefusals(): readonly (readonly [NodeId, Refused])[] {
    const oldest = this.#host.options.clock.now() - REFUSAL_MS;
    return [...this.#refused].filter(([, { atMs }]) => atMs >= oldest);
  }

  #isAhead(hello: Hello): boolean {
    const { roster, lastTerm } = this.#host;
    return knowsMore(hello, { configurationIndex: roster.index, lastTerm: lastTerm() });
  }

  #isAnnounced({ nodeId, clusterUuid }: Hello): boolean {
    return clusterUuid === '' && this.#host.roster.member(nodeId, '') !== undefined;
  }
}

const UNKNOWN = { incarnation: '', clientAddress: '', learner: false };

function forgetOldest(remembered: Map<NodeId, unknown>): void {
  const [oldest] = remembered.keys();
  if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
}
