// What all nodes together must never show, checked while they run: one leader a term (5.2), logs that match (5.3), leaders
// that hold all that is committed (5.4), one command at an index (5.4.3), and nothing committed that a quorum of disks has
// not. The core asserts what one node can see; this sees all of them.
import { crc32 } from 'node:zlib';
import type { Violation } from '../checkers/history.ts';
import type { LogImage, LogStore } from '../../src/node/ports.ts';
import type { NodeStatus } from '../../src/node/registry-node.ts';
import type { LogEntry, LogFloor, PersistBatch } from '../../src/raft/index.ts';
import { MembershipLedger } from './membership-ledger.ts';
import { type KnownDisk, MessageLedger } from './message-ledger.ts';

interface NodeLog {
  /** Term by index - 1: as handed to the disk, and as known to be on it. */
  written: number[];
  durable: number[];
  /** How long the latter was when its last batch of each term was durable. */
  readonly reached: Map<number, number>;
  term: number;
  votedFor: string | undefined;
}

/** What a node hands to its disk and reads back; for whoever counts. */
export interface LogWitness {
  readonly read: () => void;
  /** A batch that raises the floor is about to be written. */
  readonly floor: (floor: LogFloor) => void;
  /** What was appended waits for disk space, and is tried again. */
  readonly starved: () => void;
}

export class RaftLedger {
  readonly membership = new MembershipLedger();
  readonly messages: MessageLedger;
  readonly #blame: (violation: Violation) => void;
  readonly #logs = new Map<string, NodeLog>();
  readonly #leaders = new Map<number, string>();
  /** What each leader knew to be committed when its term began. */
  readonly #committedBefore = new Map<number, number>();
  /** Every entry that was ever written, with what is in front of it, by index and term. */
  readonly #entries = new Map<number, { readonly what: string; readonly entry: LogEntry }>();
  readonly #committed: number[] = [];
  readonly #hashes = new Map<number, string>();
  readonly #votes = new Map<string, string>();
  readonly #applied = new Map<string, number>();
  readonly #commands: LogEntry[] = [];
  /** Incarnations that are lost: none ever speaks again. */
  readonly #former = new Set<string>();
  /** Nodes that lost their disk, with what they are now. */
  readonly #strangers = new Map<string, string>();
  /** Nodes whose data-dir says, durably, that it belongs to the cluster. */
  readonly #noted = new Set<string>();
  #lost = 0;

  readonly #maxPromotionLag: number;

  /** `maxPromotionLag`: entries that one who is given a vote may lack. */
  constructor(blame: (violation: Violation) => void, maxPromotionLag: number) {
    this.#blame = blame;
    this.#maxPromotionLag = maxPromotionLag;
    this.messages = new MessageLedger((node) => this.#disk(node), blame);
  }

  /** Entries known to be committed, by index. */
  get committed(): readonly LogEntry[] {
    return this.#commands;
  }

  get highestTerm(): number {
    return Math.max(0, ...this.#leaders.keys());
  }

  get elections(): number {
    return this.#leaders.size;
  }

  /** A node has opened its log. What was durable in its former life must be there. */
  opened(node: string, image: LogImage): void {
    const before = this.#logs.get(node);
    const found = [...this.#below(image.floor, before?.written), ...termsOf(image)];
    if (before !== undefined) {
      for (const [at, term] of before.durable.entries()) {
        // A truncation that was never known to be durable may have been all the same.
        if (found[at] === term || before.written[at] !== term) continue;
        this.#say('G1', `${node} lost entry ${at + 1} of term ${term}, which its disk had`);
      }
      if (image.hardState.term < before.term) {
        this.#say('raft', `${node} went back from term ${before.term} to ${image.hardState.term}`);
      } else if (
        image.hardState.term === before.term &&
        before.votedFor !== undefined &&
        image.hardState.votedFor !== before.votedFor
      ) {
        this.#say('raft', `${node} forgot its vote of term ${before.term}`);
      }
    }
    const { term, votedFor } = image.hardState;
    // It may have been written although nobody learnt that it was.
    if (votedFor !== undefined) this.#votes.set(`${term} ${node}`, votedFor);
    const reached = new Map([[term, found.length]]);
    this.#logs.set(node, { written: [...found], durable: found, reached, term, votedFor });
  }

  /** The node lost its disk. What it had acknowledged counted; what it writes as the data-dir that it is now is not to be,
   * until somebody let that in (G14). */
  wiped(
    node: string,
    { former, incarnation }: { readonly former: string; readonly incarnation: string },
  ): void {
    this.#former.add(former);
    if (this.#former.has(incarnation)) {
      this.#say('G14', `${node} goes on as the data-dir that it has lost`);
    }
    const log = this.#logs.get(node);
    if (log !== undefined) this.#logs.set(`${node} before ${++this.#lost}`, log);
    this.#logs.delete(node);
    this.#applied.delete(node);
    this.#strangers.set(node, incarnation);
    this.#noted.delete(node);
  }

  /** Its identity.json says that it is a member. */
  noted(node: string): void {
    this.#noted.add(node);
  }

  /** It lost log and state before it was noted, and before it told anybody of them. */
  beganAnew(node: string): void {
    if (this.#noted.has(node)) this.#say('G14', `${node} begins anew, though it is a member`);
    this.#logs.delete(node);
    this.#applied.delete(node);
  }

  /** The terms up to a floor: nothing is let go that was not committed. */
  #below({ index, term }: LogFloor, held: readonly number[] = []): number[] {
    const terms = Array.from(
      { length: index },
      (_, at) => this.#committed[at] ?? held[at] ?? (term as number),
    );
    const is = terms[index - 1];
    if (is !== undefined && is !== term) {
      this.#say('raft', `a log begins behind ${index} of term ${term}, which is of term ${is}`);
    }
    return terms;
  }

  /** The log of a node, with every batch told on its way. */
  observe(node: string, store: LogStore, witness: LogWitness): LogStore {
    this.opened(node, store.image);
    return {
      image: store.image,
      get bytes() {
        return store.bytes;
      },
      get starved() {
        return store.starved;
      },
      resume: () => {
        if (store.starved === 'appends') witness.starved();
        store.resume();
      },
      append: (batch) => {
        if (batch.floor !== undefined) witness.floor(batch.floor);
        this.#written(node, batch);
        return store.append(batch).then(() => this.#durable(node, batch));
      },
      read: (from, to, maxBytes) => {
        witness.read();
        return store.read(from, to, maxBytes);
      },
      close: () => store.close(),
    };
  }

  /** What a node says of itself after an event. */
  look(node: string, status: NodeStatus): void {
    this.#commits(node, status);
    const index = status.stateHashIndex;
    if (this.#applied.get(node) === index) return;
    this.#applied.set(node, index);
    if (index > status.commitIndex && index > 1) {
      this.#say('raft', `${node} applied ${index} beyond its commit index ${status.commitIndex}`);
    }
    // Where nothing is applied yet, there is no state to compare.
    if (index === 0) return;
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, status.stateHash);
    else if (known !== status.stateHash) {
      this.#say('G12', `${node} has another state at index ${index} than a node before it`);
    }
  }

  restarted(node: string): void {
    this.#applied.delete(node);
  }

  #written(node: string, { hardState, truncateAfter, floor, entries }: PersistBatch): void {
    const log = this.#logs.get(node);
    if (log === undefined) return;
    const incarnation = this.#strangers.get(node);
    // A term that it has heard of is no promise.
    const promises = entries.length > 0 || floor !== undefined || hardState.votedFor !== undefined;
    if (promises && incarnation !== undefined && !this.membership.admits(node, incarnation)) {
      this.#say('G14', `${node} writes a log without its old disk`);
    }
    if (truncateAfter !== undefined) {
      if (truncateAfter < this.#committed.length && this.#holdsCommitted(log, truncateAfter)) {
        this.#say('raft', `${node} cuts committed entries after ${truncateAfter}`);
      }
      log.written.length = truncateAfter;
    }
    if (floor !== undefined) this.#raise(node, log, floor);
    for (const entry of entries) this.#append(node, log, entry);
  }

  #raise(node: string, log: NodeLog, floor: LogFloor): void {
    if (log.written[floor.index - 1] === floor.term) return;
    // The log is dropped whole: nothing in it can have been committed.
    for (let at: number = floor.index; at < log.written.length; at++) {
      if (log.written[at] !== this.#committed[at] || log.written[at] === undefined) continue;
      this.#say('raft', `${node} drops the committed entry ${at + 1} for a snapshot`);
    }
    log.written = this.#below(floor, log.written);
  }

  #holdsCommitted(log: NodeLog, after: number): boolean {
    return log.written[after] !== undefined && log.written[after] === this.#committed[after];
  }

  #append(node: string, log: NodeLog, entry: LogEntry): void {
    const { index, term } = entry;
    const previous = log.written[index - 2] ?? 0;
    const what = `${entry.kind} ${crc32(entry.payload)} after ${previous}`;
    const known = this.#entries.get(keyOf(index, term));
    this.membership.written(entry);
    if (known === undefined && entry.kind === 'membership') this.#givesVotes(log, entry);
    if (known === undefined) this.#entries.set(keyOf(index, term), { what, entry });
    else if (known.what !== what) {
      this.#say('raft', `${node} holds ${what} at ${index} of term ${term}, another ${known.what}`);
    }
    log.written[index - 1] = term;
  }

  /** Whoever is given a vote has caught up: a majority with an empty log in it would wait for that one, or do without it (4.2.1). */
  #givesVotes({ written }: NodeLog, entry: LogEntry): void {
    const [before] = this.membership.inLog(written, entry.index - 1);
    const now = this.membership.of(entry)?.voters ?? [];
    for (const voter of now.filter((one) => before?.voters.includes(one) === false)) {
      if (!this.#noted.has(voter)) {
        const evidence = `${voter} gets a vote at ${entry.index}, before its data-dir says that it is a member`;
        this.#say('G14', evidence);
      }
      const held = this.#logs.get(voter)?.durable.length ?? 0;
      if (held + this.#maxPromotionLag >= entry.index - 1) continue;
      this.#say('G1', `${voter} gets a vote at ${entry.index}, with ${held} on its disk`);
    }
  }

  #durable(node: string, { hardState, truncateAfter, floor, entries }: PersistBatch): void {
    const log = this.#logs.get(node);
    if (log === undefined) return;
    // A vote that the disk never had was told to nobody.
    const vote = `${hardState.term} ${node}`;
    const before = this.#votes.get(vote);
    if (hardState.votedFor !== undefined) {
      if (before !== undefined && before !== hardState.votedFor) {
        this.#say('raft', `${node} voted for ${before} and ${hardState.votedFor} in one term`);
      }
      this.#votes.set(vote, hardState.votedFor);
    }
    if (truncateAfter !== undefined) log.durable.length = truncateAfter;
    if (floor !== undefined && log.durable[floor.index - 1] !== floor.term) {
      log.durable = this.#below(floor, log.durable);
    }
    for (const { index, term } of entries) log.durable[index - 1] = term;
    log.reached.set(hardState.term, log.durable.length);
    log.term = hardState.term;
    log.votedFor = hardState.votedFor;
  }

  /** A node begins to lead; `commitIndex` as it is then, undefined where that cannot be told. */
  leads(node: string, term: number, commitIndex: number | undefined): void {
    const known = this.#leaders.get(term);
    if (known === node) return;
    if (known !== undefined) {
      this.#say('raft', `${node} and ${known} both lead in term ${term}`);
      return;
    }
    this.#leaders.set(term, node);
    if (commitIndex !== undefined) this.#committedBefore.set(term, commitIndex);
    const log = this.#logs.get(node);
    // Votes may arrive late, when a later leader has committed more: that one began with what counts here.
    const later = [...this.#committedBefore].filter(([of]) => of > term).map(([, index]) => index);
    const before = this.#committed.slice(0, Math.min(this.#committed.length, ...later));
    const missing = before.findIndex((of, at) => log?.written[at] !== of);
    if (missing >= 0) {
      this.#say('raft', `${node} leads in term ${term} without the committed entry ${missing + 1}`);
    }
  }

  /** 5.4.2: a leader counts copies of its own term's entries alone, and what is before them comes with them. */
  #countsOwnTerm(node: string, log: NodeLog, { commitIndex, term, role }: NodeStatus): void {
    const before = this.#committedBefore.get(term);
    if (role !== 'leader' || before === undefined || commitIndex <= before) return;
    const of = log.written[commitIndex - 1];
    if (of === undefined || of === term) return;
    this.#say('raft', `${node} leads in term ${term} and committed ${commitIndex} of term ${of}`);
  }

  #commits(node: string, status: NodeStatus): void {
    const { commitIndex, term } = status;
    const log = this.#logs.get(node);
    if (log === undefined) return;
    this.#countsOwnTerm(node, log, status);
    for (let index = this.#committed.length + 1; index <= commitIndex; index++) {
      const of = log.written[index - 1];
      if (of === undefined) {
        this.#say('raft', `${node} counts ${index} as committed, which is not in its log`);
        return;
      }
      // The first record is committed by what it is.
      if (index > 1 && !this.#onQuorum(log, index, of)) {
        const evidence = `${node} committed ${index} in term ${term}, which only ${[...this.#holders(index, of)].join(', ')} have on disk`;
        this.#say('G1', evidence);
      }
      this.#committed.push(of);
      const entry = this.#entries.get(keyOf(index, of))?.entry;
      if (entry === undefined) continue;
      this.#commands.push(entry);
      this.membership.commit(entry);
    }
    if (log.written[commitIndex - 1] !== this.#committed[commitIndex - 1]) {
      this.#say('raft', `${node} has another committed entry at ${commitIndex}`);
    }
  }

  #disk(node: string): KnownDisk | undefined {
    const log = this.#logs.get(node);
    if (log === undefined) return undefined;
    const { durable, reached, term } = log;
    const incarnation = this.#strangers.get(node);
    const voteless = incarnation !== undefined && !this.membership.givesVote(node, incarnation);
    return {
      voteless,
      durable,
      // A write may hold entries of one term and a vote of the next.
      reached: (of) => Math.max(durable.length, reached.get(of) ?? 0),
      term,
      voteIn: (asked) => this.#votes.get(`${asked} ${node}`),
      unnoted: (index) => !this.#noted.has(node) && this.#makesMember(node, durable, index),
    };
  }

  /** The configuration in effect at `index` of this log means the data-dir that the node has now. */
  #makesMember(node: string, terms: readonly number[], index: number): boolean {
    const incarnation = this.#strangers.get(node);
    const [known] = this.membership.inLog(terms, index);
    if (known === undefined || known.index > index) return false;
    return known.members.some((member) => {
      return member.nodeId === node && member.incarnation === (incarnation ?? member.incarnation);
    });
  }

  /** Nodes on whose disk the entry is, or was before it was lost. */
  #holders(index: number, term: number): ReadonlySet<string> {
    const found = new Set<string>();
    for (const [name, { durable }] of this.#logs) {
      const [node = ''] = name.split(' ');
      if (durable[index - 1] === term) found.add(node);
    }
    return found;
  }

  #onQuorum({ written }: NodeLog, index: number, term: number): boolean {
    const holders = this.#holders(index, term);
    return this.membership.inLog(written, index).some(({ voters }) => {
      return 2 * voters.filter((voter) => holders.has(voter)).length > voters.length;
    });
  }

  #say(guarantee: string, evidence: string): void {
    this.#blame({ guarantee, evidence });
  }
}

const keyOf = (index: number, term: number): number => index * 2 ** 20 + term;

/** Of the entries behind the floor. */
function termsOf({ runs, lastIndex, floor }: LogImage): number[] {
  const terms: number[] = [];
  for (const [at, { firstIndex, term }] of runs.entries()) {
    const end = runs[at + 1]?.firstIndex ?? lastIndex + 1;
    for (let index: number = firstIndex; index < end; index++)
      terms[index - 1 - floor.index] = term;
  }
  return terms;
}
