// Who belonged to the cluster, by every record of it that was ever written: what a quorum is at an index, and which data-dirs
// anybody was told to let in.
import { decodeClusterRecord } from '../../src/node/cluster-record.ts';
import type { Member } from '../../src/node/peer-protocol.ts';
import type { LogEntry } from '../../src/raft/index.ts';

export interface KnownConfiguration {
  readonly index: number;
  readonly term: number;
  readonly members: readonly Member[];
  readonly voters: readonly string[];
  /** Names of those on their way back. */
  readonly returning: readonly string[];
}

export class MembershipLedger {
  readonly #byEntry = new Map<string, KnownConfiguration>();
  readonly #admitted = new Set<string>();
  readonly #elected = new Set<string>();
  /** The newest that is committed. */
  committed: KnownConfiguration | undefined;
  /** Entries of later configurations that were committed. */
  changes = 0;

  /** An entry was written somewhere. */
  written({ kind, index, term, payload }: LogEntry): void {
    if (kind !== 'bootstrap' && kind !== 'membership') return;
    const key = `${index} ${term}`;
    if (this.#byEntry.has(key)) return;
    const { members, replacing = [] } = decodeClusterRecord(payload);
    const returning = replacing.map(({ member }) => member.nodeId as string);
    const voters = members.filter(({ learner }) => !learner).map(({ nodeId }) => nodeId as string);
    this.#byEntry.set(key, { index, term, members, voters, returning });
    for (const { nodeId, incarnation, learner } of members) {
      this.#admitted.add(`${nodeId} ${incarnation}`);
      if (!learner) this.#elected.add(`${nodeId} ${incarnation}`);
    }
  }

  /** What this entry brought. */
  of({ index, term }: LogEntry): KnownConfiguration | undefined {
    return this.#byEntry.get(`${index} ${term}`);
  }

  /** The entry is known to be committed. */
  commit({ index, term, kind }: LogEntry): void {
    const known = this.#byEntry.get(`${index} ${term}`);
    if (known === undefined) return;
    this.committed = known;
    if (kind === 'membership') this.changes++;
  }

  /** Some record names this data-dir as one of a member (G14). */
  admits(node: string, incarnation: string): boolean {
    return this.#admitted.has(`${node} ${incarnation}`);
  }

  /** Some record gives this data-dir a vote. */
  givesVote(node: string, incarnation: string): boolean {
    return this.#elected.has(`${node} ${incarnation}`);
  }

  /** Of the members; undefined before the first record is committed. */
  get names(): readonly string[] | undefined {
    return this.committed?.members.map(({ nodeId }) => nodeId);
  }

  /** The name is a member's, or of one on its way back. */
  knows(node: string): boolean {
    if (this.committed === undefined) return false;
    const { members, returning } = this.committed;
    return returning.includes(node) || members.some(({ nodeId }) => nodeId === node);
  }

  /** Configurations by which a leader with this log may have committed `index`: the one in effect there, and any behind it,
   * which acted from its append on. */
  inLog(terms: readonly (number | undefined)[], index: number): readonly KnownConfiguration[] {
    const held = [...this.#byEntry.values()]
      .filter((known) => terms[known.index - 1] === known.term)
      .toSorted((a, b) => a.index - b.index);
    const before = held.findLast((known) => known.index <= index);
    const behind = held.filter((known) => known.index > index);
    return before === undefined ? behind : [before, ...behind];
  }
}
