// What is true of the whole cluster, kept by the schedule and known to no node: which entries exist, which are committed,
// who led which term, and what became of each proposal and read.
import type { NodeId } from '../../../src/lib/ids.ts';
import type { LogEntry } from '../../../src/raft/index.ts';
import { BOOTSTRAP, EMPTY_CHAIN, NOOP, tokenOf } from './chain-log.ts';
import { check } from './check.ts';

interface ProposalRecord {
  readonly member: number;
  readonly life: number;
  answer: 'none' | 'appended' | 'rejected';
  /** Where it was appended, if it was. */
  index: number;
  term: number;
  committed: boolean;
}

interface ReadRecord {
  readonly member: number;
  readonly life: number;
  /** Step of the schedule in which it was asked. */
  readonly began: number;
  /** Everything up to here was committed somewhere when it was asked. */
  readonly floor: number;
  answer: 'none' | 'confirmed' | 'rejected';
}

export interface Ledger {
  /** Steps so far. */
  now: number;
  lastToken: number;
  readonly leaders: Map<number, NodeId>;
  /** Chain numbers by what they extend and with which entry. */
  readonly chains: Map<string, number>;
  /** The one chain that may end in the entry (index, term). */
  readonly entryChains: Map<number, number>;
  /** The one token that may stand at (index, term), where a leader said so. */
  readonly entryTokens: Map<number, number>;
  /** `committed[i]` is the chain up to index i + 1. */
  readonly committed: number[];
  /** The term in which it was first known that index i + 1 is committed. */
  readonly commitTerms: number[];
  /** The highest commit index any node ever had. */
  highestCommit: number;
  readonly proposals: Map<number, ProposalRecord>;
  readonly reads: Map<number, ReadRecord>;
}

export function createLedger(): Ledger {
  return {
    now: 0,
    lastToken: 0,
    leaders: new Map(),
    chains: new Map(),
    entryChains: new Map(),
    entryTokens: new Map(),
    committed: [],
    commitTerms: [],
    highestCommit: 0,
    proposals: new Map(),
    reads: new Map(),
  };
}

const TERMS = 2 ** 20;

function place(index: number, term: number): number {
  return index * TERMS + term;
}

/** The chain after `entry` on top of `before`. Log matching: an (index, term) is made once, so it has one past. */
export function chainOf(ledger: Ledger, before: number, entry: LogEntry): number {
  const token = tokenOf(entry);
  const key = `${before} ${entry.term} ${token}`;
  let chain = ledger.chains.get(key);
  if (chain === undefined) {
    chain = ledger.chains.size + 1;
    ledger.chains.set(key, chain);
  }
  const at = place(entry.index, entry.term);
  const known = ledger.entryChains.get(at);
  check(known === undefined || known === chain, 'log matching', () => {
    return `two logs hold (${entry.index}, term ${entry.term}) after different entries`;
  });
  ledger.entryChains.set(at, chain);
  const told = ledger.entryTokens.get(at);
  check(told === undefined || told === token, 'tokens are answered once', () => {
    return `proposal ${told} was told to be at (${entry.index}, term ${entry.term}), but ${token} is`;
  });
  const rejected = ledger.proposals.get(token)?.answer === 'rejected';
  check(!rejected, 'a rejected proposal is never applied', () => {
    return `proposal ${token} was rejected, and is in a log at ${entry.index}`;
  });
  return chain;
}

/** The leader's word on where a proposal stands. */
export function noteAppended(ledger: Ledger, token: number, index: number, term: number): void {
  ledger.entryTokens.set(place(index, term), token);
}

/** An entry was handed out as committed, in a log with this chain. State machine safety: everyone gets the same. */
export function noteCommitted(
  ledger: Ledger,
  entry: LogEntry,
  chain: number,
  knownInTerm: number,
): void {
  const { committed } = ledger;
  const known = committed[entry.index - 1];
  if (known !== undefined) {
    check(known === chain, 'state machine safety', () => {
      return `two entries were committed at index ${entry.index}`;
    });
    return;
  }
  check(committed.length === entry.index - 1, 'state machine safety', () => {
    return `index ${entry.index} was committed before ${committed.length + 1}`;
  });
  committed.push(chain);
  ledger.commitTerms.push(knownInTerm);
  const token = tokenOf(entry);
  if (token === NOOP || token === BOOTSTRAP) return;
  const proposal = ledger.proposals.get(token);
  check(proposal !== undefined && !proposal.committed, 'a proposal is applied once', () => {
    return `proposal ${token} was ${proposal ? 'committed twice' : 'never made'}`;
  });
  proposal.committed = true;
}

/** Leader completeness: a leader holds what was committed in earlier terms, up to this index. One of an old term that is
 * elected late, when a later term has committed more, need not hold that. */
export function committedBefore({ commitTerms }: Ledger, term: number): number {
  return commitTerms.findLastIndex((known) => known < term) + 1;
}

export function committedChain(ledger: Ledger, index: number): number | undefined {
  return index === 0 ? EMPTY_CHAIN : ledger.committed[index - 1];
}

/** Election safety: a term has one leader. */
export function noteLeader(ledger: Ledger, term: number, leader: NodeId): void {
  const known = ledger.leaders.get(term) ?? leader;
  check(known === leader, 'election safety', () => `${known} and ${leader} lead term ${term}`);
  ledger.leaders.set(term, leader);
}
