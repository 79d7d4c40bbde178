// The other nodes as this one sees them: who may talk, who is reached, who was refused and why.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import { admission } from './admission.ts';
import {
  type ClusterRecord,
  type Hello,
  type Member,
  PROTOCOL_VERSION,
  type Refusal,
} from './peer-protocol.ts';
import type { NodeOptions } from './registry-node.ts';

export interface PeersHost {
  readonly options: Pick<
    NodeOptions,
    'self' | 'clusterId' | 'softwareVersion' | 'initialMembers' | 'clock' | 'log'
  >;
  /** undefined while the cluster has not formed here. */
  readonly record: () => ClusterRecord | undefined;
  /** Index of the entry that brought the record; 0 without one. */
  readonly configurationIndex: () => LogIndex;
}

interface Refused {
  readonly message: string;
  readonly atMs: number;
}

/** A refusal is told again at each redial; one this old is of the past. */
const REFUSAL_MS = 15_000;

export class Peers {
  readonly #host: PeersHost;
  readonly #connected = new Map<NodeId, Hello>();
  /** The incarnation of the last hello that was admitted under each name. */
  readonly #admitted = new Map<NodeId, string>();
  readonly #refused = new Map<NodeId, Refused>();

  constructor(host: PeersHost) {
    this.#host = host;
  }

  hello(): Hello {
    const { self, clusterId, softwareVersion } = this.#host.options;
    return {
      ...self,
      protocolVersion: PROTOCOL_VERSION,
      clusterId,
      clusterUuid: this.#host.record()?.clusterUuid ?? '',
      softwareVersion,
      target: self.nodeId,
      configurationIndex: this.#host.configurationIndex(),
    };
  }

  admit(hello: Hello): Refusal | undefined {
    const { self, clusterId } = this.#host.options;
    const record = this.#host.record();
    const refusal = admission(hello, { self, clusterId, listed: this.listed(), record });
    if (refusal === undefined) this.#admitted.set(hello.nodeId, hello.incarnation);
    return refusal;
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
    this.#refused.set(peer, { message, atMs: clock.now() });
  }

  isConnected(peer: NodeId): boolean {
    return this.#connected.has(peer);
  }

  /** The sender is a member in the very incarnation that the cluster was formed with (G14). */
  trusted(peer: NodeId): boolean {
    const member = this.#host.record()?.members.find(({ nodeId }) => nodeId === peer);
    return member !== undefined && member.incarnation === this.#admitted.get(peer);
  }

  /** The nodes of --initial-members, this one included. */
  listed(): readonly NodeId[] {
    return this.#host.options.initialMembers.map((member) => member.nodeId);
  }

  /** Whom to keep streams to: addresses as configured now, else as the cluster was formed. */
  others(): readonly { readonly nodeId: NodeId; readonly address: string }[] {
    const { self, initialMembers } = this.#host.options;
    const configured = new Map(initialMembers.map((member) => [member.nodeId, member.peerAddress]));
    const record = this.#host.record();
    const members = record?.members ?? initialMembers;
    return members
      .filter(({ nodeId }) => nodeId !== self.nodeId)
      .map(({ nodeId, peerAddress }) => ({
        nodeId,
        address: configured.get(nodeId) ?? peerAddress,
      }));
  }

  /** The members, with the addresses they announce now where they are known. */
  members(): readonly Member[] {
    const { self, initialMembers } = this.#host.options;
    const unknown = { incarnation: '', clientAddress: '', learner: false };
    const members =
      this.#host.record()?.members ?? initialMembers.map((member) => ({ ...unknown, ...member }));
    return members.map((member) => {
      const seen = member.nodeId === self.nodeId ? self : this.#connected.get(member.nodeId);
      if (seen === undefined) return member;
      const { nodeId, incarnation, peerAddress, clientAddress } = seen;
      return { nodeId, incarnation, peerAddress, clientAddress, learner: member.learner };
    });
  }

  problems(): readonly string[] {
    const oldest = this.#host.options.clock.now() - REFUSAL_MS;
    const recent = [...this.#refused.values()].filter(({ atMs }) => atMs >= oldest);
    return recent.map(({ message }) => message);
  }
}
