// Proposals of a leader, from the payload to what became of it. A proposal is applied iff the entry applied at its index
// has its term; another term there is the only proof that it never will be.
import { assert } from '../lib/assert.ts';
import type { LogIndex, Term } from '../lib/ids.ts';
import type { Appended, Proposal, Rejected, RejectReason, Token } from '../raft/index.ts';
import type { ApplyResult } from '../registry/index.ts';

export type ProposalOutcome =
  | { readonly kind: 'applied'; readonly result: ApplyResult }
  /** Never appended. */
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  /** Appended, and another entry was committed in its place: certainly not applied. */
  | { readonly kind: 'lost' };

/** What became of a change of the members. */
export type MembershipOutcome =
  | { readonly kind: 'applied' }
  | Exclude<ProposalOutcome, { readonly kind: 'applied' }>;

export interface Proposals {
  /** Joins the batch of the next turn. `done` is called at most once: never, where the outcome stays unknown. */
  propose(payload: Uint8Array, done: (outcome: ProposalOutcome) => void): void;
  /** A change of the members goes to the core by itself, under the token returned. `done` as for `propose`. */
  proposeMembership(done: (outcome: MembershipOutcome) => void): Token;
  /** What gathered since the last call, for the core. */
  takeBatch(): readonly Proposal[];
  appended(appended: readonly Appended[]): void;
  /** Takes those that are proposals. */
  rejected(rejected: Rejected): boolean;
  /** An entry was applied; `result` is undefined for one that is no command. */
  applied(index: LogIndex, term: Term, result: ApplyResult | undefined): void;
  /** A snapshot covers everything up to here: what was proposed at these indexes stays unknown. */
  skipped(index: LogIndex): void;
  /** Handed in and without an outcome so far. */
  readonly pending: number;
}

type Outcome =
  | { readonly kind: 'applied'; readonly result: ApplyResult | undefined }
  | Exclude<ProposalOutcome, { readonly kind: 'applied' }>;
type Done = (outcome: Outcome) => void;
interface Placed {
  readonly term: Term;
  readonly done: Done;
}

/** `nextToken` numbers proposals and reads alike; no number is used twice. */
export function createProposals(nextToken: () => Token): Proposals {
  let batch: Proposal[] = [];
  const handedIn = new Map<Token, Done>();
  // One index holds several proposals only if this node led twice and its first entry there was replaced meanwhile.
  const placed = new Map<LogIndex, Placed[]>();
  let pending = 0;

  return {
    propose(payload, done) {
      const token = nextToken();
      batch.push({ token, payload });
      handedIn.set(token, (outcome) => done(asCommand(outcome)));
      pending++;
    },
    proposeMembership(done) {
      const token = nextToken();
      handedIn.set(token, done);
      pending++;
      return token;
    },
    takeBatch() {
      const taken = batch;
      batch = [];
      return taken;
    },
    appended(appended) {
      for (const { token, index, term } of appended) {
        const done = handedIn.get(token);
        assert(done !== undefined, 'what was appended had been proposed');
        handedIn.delete(token);
        const at = placed.get(index);
        if (at === undefined) placed.set(index, [{ term, done }]);
        else at.push({ term, done });
      }
    },
    rejected({ token, reason }) {
      const done = handedIn.get(token);
      if (done === undefined) return false;
      handedIn.delete(token);
      pending--;
      done({ kind: 'rejected', reason });
      return true;
    },
    applied(index, term, result) {
      const at = placed.get(index);
      if (at === undefined) return;
      placed.delete(index);
      pending -= at.length;
      for (const proposal of at) {
        if (proposal.term !== term) proposal.done({ kind: 'lost' });
        else proposal.done({ kind: 'applied', result });
      }
    },
    skipped(index) {
      for (const [at, proposals] of placed) {
        if (at > index) continue;
        placed.delete(at);
        pending -= proposals.length;
      }
    },
    get pending() {
      return pending;
    },
  };
}

function asCommand(outcome: Outcome): ProposalOutcome {
  if (outcome.kind !== 'applied') return outcome;
  const { result } = outcome;
  assert(result !== undefined, 'a proposal is a command');
  return { kind: 'applied', result };
}
