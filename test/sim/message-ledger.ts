// What nodes say to each other, held against their disks: a vote or an entry that is told is on stable storage (figure 2, "updated
// on stable storage before responding"), and a grant goes to nobody whose log is shorter (5.4.1, 9.6). A lie of this kind does
// harm only when a crash meets it, which seeds rarely do; the lie itself shows at once.
import type { Violation } from '../checkers/history.ts';
import type { Message } from '../../src/raft/index.ts';

/** What a node is known to have on its disk. */
export interface KnownDisk {
  /** It lost what it had, and nobody has given it a vote since (G14). */
  readonly voteless: boolean;
  /** Its own log, up to there, makes this data-dir a member, and the data-dir does not say so yet: it may still begin anew (G14). */
  readonly unnoted: (index: number) => boolean;
  /** Term by index - 1. */
  readonly durable: readonly number[];
  /** How long that was at the end of a term. A later leader may have cut it since, in one write with what is acknowledged only now. */
  readonly reached: (term: number) => number;
  readonly term: number;
  /** The vote it has durable for a term, or had. */
  readonly voteIn: (term: number) => string | undefined;
}

interface Claim {
  readonly index: number;
  readonly term: number;
}

export class MessageLedger {
  readonly #diskOf: (node: string) => KnownDisk | undefined;
  readonly #blame: (violation: Violation) => void;
  /** The best log that a candidate claimed to have, by candidate, voter and term. */
  readonly #claims = new Map<string, Claim>();

  constructor(
    diskOf: (node: string) => KnownDisk | undefined,
    blame: (violation: Violation) => void,
  ) {
    this.#diskOf = diskOf;
    this.#blame = blame;
  }

  said(from: string, to: string, message: Message): void {
    const disk = this.#diskOf(from);
    if (disk === undefined) return;
    const { term } = message;
    switch (message.kind) {
      case 'preVote':
        return this.#claim(from, to, message);
      case 'requestVote':
        this.#claim(from, to, message);
        if (disk.voteless) this.#stranger(from, `asks for votes in term ${term}`);
        if (disk.term <= term && disk.voteIn(term) !== from) {
          this.#lie(`${from} asks for votes in term ${term}, and has no vote for itself on disk`);
        }
        return;
      case 'preVoteResponse':
        if (message.voteGranted) this.#granted(from, to, disk, term);
        return;
      case 'requestVoteResponse':
        if (!message.voteGranted) return;
        if (disk.voteless) this.#stranger(from, `votes for ${to} in term ${term}`);
        if (disk.unnoted(disk.durable.length)) this.#hasty(from, `votes for ${to} in term ${term}`);
        // With a later term on disk it votes for nobody else in this one.
        if (disk.term <= term && disk.voteIn(term) !== to) {
          this.#lie(`${from} told ${to} of a vote in term ${term} that is not on its disk`);
        }
        return this.#granted(from, to, disk, term);
      case 'appendEntriesResponse':
        if (message.success && message.matchIndex > disk.reached(term)) {
          this.#lie(
            `${from} told ${to} of ${message.matchIndex}, with ${disk.reached(term)} on disk`,
          );
        }
        if (message.success && disk.unnoted(message.matchIndex)) {
          this.#hasty(from, `acknowledges ${message.matchIndex} to ${to}`);
        }
        return;
      case 'installSnapshotResponse':
        if (disk.unnoted(message.index)) this.#hasty(from, `has a snapshot to ${message.index}`);
        return;
      // These speak for no disk.
      case 'appendEntries':
      case 'heartbeat':
      case 'heartbeatResponse':
      case 'installSnapshot':
      case 'readIndexRequest':
      case 'readIndexResponse':
      case 'snapshotWanted':
      case 'timeoutNow':
    }
  }

  #claim(
    from: string,
    to: string,
    message: { readonly term: number; readonly lastLogIndex: number; readonly lastLogTerm: number },
  ): void {
    const key = `${from} ${to} ${message.term}`;
    const claim = { index: message.lastLogIndex, term: message.lastLogTerm };
    const before = this.#claims.get(key);
    if (before === undefined || isShorter(before, claim)) this.#claims.set(key, claim);
  }

  /** What is on a voter's disk was in its log when it was asked; entries of that term and later ones came afterwards, while the
   * answer waited to be sent. */
  #granted(from: string, to: string, { durable, term: now }: KnownDisk, term: number): void {
    // It waited for its disk, while leaders of later terms sent what this log lacked when it was asked.
    if (term < now) return;
    const claim = this.#claims.get(`${to} ${from} ${term}`);
    const last = durable.findLastIndex((of) => of < term);
    const own = { index: last + 1, term: durable[last] ?? 0 };
    if (claim === undefined || !isShorter(claim, own)) return;
    this.#lie(
      `${from}, with ${own.index} of term ${own.term} on disk, would have ${to} lead in term ${term} with ${claim.index} of term ${claim.term}`,
    );
  }

  #stranger(node: string, what: string): void {
    const evidence = `${node} ${what}, and nobody gave it a vote since it lost its log`;
    this.#blame({ guarantee: 'G14', evidence });
  }

  #hasty(node: string, what: string): void {
    const evidence = `${node} ${what}, and its data-dir, which may begin anew, does not say that it is a member`;
    this.#blame({ guarantee: 'G14', evidence });
  }

  #lie(evidence: string): void {
    this.#blame({ guarantee: 'raft', evidence });
  }
}

function isShorter(one: Claim, other: Claim): boolean {
  return one.term === other.term ? one.index < other.index : one.term < other.term;
}
