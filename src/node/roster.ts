// Who belongs to the cluster, as far as this node knows: the configuration in effect here, which acts where it is appended,
// and the last one whose entry is applied. While the two differ, the members of both are members: the newer one may
// still be rolled back (dissertation 4.1).
import { type LogIndex, logIndex, type NodeId } from '../lib/ids.ts';
import type { Configuration } from '../raft/index.ts';
import { decodeClusterRecord } from './cluster-record.ts';
import type { ClusterRecord, Member, MemberIdentity } from './peer-protocol.ts';
import type { LogImage } from './ports.ts';

export class Roster {
  readonly #self: Pick<MemberIdentity, 'nodeId' | 'incarnation'>;
  #latestIndex = logIndex(0);
  #latest: ClusterRecord | undefined;
  #settledIndex = logIndex(0);
  #settled: ClusterRecord | undefined;
  #first: ClusterRecord | undefined;
  #wasMember = false;
  /** What `records` says: asked for with every message of a peer. */
  #records: readonly ClusterRecord[] = [];
  /** The incarnation that last was a member under each name. */
  readonly #incarnations = new Map<NodeId, string>();

  constructor(
    self: Pick<MemberIdentity, 'nodeId' | 'incarnation'>,
    image: Pick<LogImage, 'hardState' | 'floor' | 'configurations'>,
  ) {
    this.#self = self;
    for (const configuration of [image.floor.configuration, ...image.configurations]) {
      this.inEffect(configuration);
      if (configuration.index <= image.hardState.commitIndex) this.settle(configuration);
    }
  }

  /** The configuration in effect; undefined while this node has not learnt of a cluster. */
  get record(): ClusterRecord | undefined {
    return this.#latest;
  }

  /** Index of its entry; 0 without one. */
  get index(): LogIndex {
    return this.#latestIndex;
  }

  /** The record that formed the cluster, where this node still has it. */
  get first(): ClusterRecord | undefined {
    return this.#first;
  }

  /** What counts as members now: the configuration in effect, then the settled one where it is another. */
  get records(): readonly ClusterRecord[] {
    return this.#records;
  }

  /** Appended, rolled back to, or installed with a snapshot. False: nothing new. */
  inEffect(configuration: Configuration): boolean {
    const { index, payload } = configuration;
    if (payload.length === 0) return false;
    this.#latest = this.#note(configuration);
    const changed = index !== this.#latestIndex;
    this.#latestIndex = index;
    this.#gather();
    return changed;
  }

  /** Applied here, so committed. False: nothing new. */
  settle(configuration: Configuration): boolean {
    if (configuration.index <= this.#settledIndex || configuration.payload.length === 0)
      return false;
    this.#settled = this.#note(configuration);
    this.#settledIndex = configuration.index;
    this.#gather();
    return true;
  }

  /** The member of this name and incarnation, in any configuration that counts. */
  member(nodeId: NodeId, incarnation: string): Member | undefined {
    for (const { members } of this.#records) {
      const found = members.find((one) => one.nodeId === nodeId && one.incarnation === incarnation);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The configuration in effect means this incarnation by the name. */
  means(nodeId: NodeId, incarnation: string): boolean {
    const members = this.#latest?.members ?? [];
    return members.some((one) => one.nodeId === nodeId && one.incarnation === incarnation);
  }

  /** This incarnation is the last one that was a member under the name, whether it still is one or not. */
  wasLast(nodeId: NodeId, incarnation: string): boolean {
    return this.#incarnations.get(nodeId) === incarnation;
  }

  /** `outside`: the configurations seen so far do not name this node, as while it joins. */
  get standing(): 'outside' | 'member' | 'removed' {
    const { nodeId, incarnation } = this.#self;
    if (this.member(nodeId, incarnation) !== undefined) return 'member';
    return this.#wasMember && !this.isReturning(nodeId, [incarnation]) ? 'removed' : 'outside';
  }

  /** A node of this name is on its way back, in one of these incarnations. */
  isReturning(nodeId: NodeId, incarnations: readonly string[]): boolean {
    return this.records.some(({ replacing = [] }) =>
      replacing.some(
        ({ member }) => member.nodeId === nodeId && incarnations.includes(member.incarnation),
      ),
    );
  }

  /** By the configuration that is applied this node is a member, and not on its way to become more. */
  hasPlace({ nodeId, incarnation }: Pick<MemberIdentity, 'nodeId' | 'incarnation'>): boolean {
    const { members = [], replacing = [] } = this.#settled ?? {};
    return (
      members.some((one) => one.nodeId === nodeId && one.incarnation === incarnation) &&
      !replacing.some(({ member }) => member.nodeId === nodeId)
    );
  }

  #gather(): void {
    const both = this.#settledIndex === this.#latestIndex ? [] : [this.#settled];
    this.#records = [this.#latest, ...both].filter((record) => record !== undefined);
  }

  #note({ index, payload }: Configuration): ClusterRecord {
    const record = decodeClusterRecord(payload);
    if (index === 1) this.#first = record;
    for (const { nodeId, incarnation } of record.members) {
      this.#incarnations.set(nodeId, incarnation);
      const { nodeId: self, incarnation: own } = this.#self;
      this.#wasMember ||= nodeId === self && incarnation === own;
    }
    return record;
  }
}
