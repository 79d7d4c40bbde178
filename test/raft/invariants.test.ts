// Each production assertion is shown to fire: a state is broken by hand, and the next check must notice.
import { describe, expect, test } from 'vitest';
import { logIndex, term } from '../../src/lib/ids.ts';
import { raftDefaults } from '../../src/raft/index.ts';
import type { InEffect } from '../../src/raft/history.ts';
import { checkInvariants, remember } from '../../src/raft/invariants.ts';
import { raiseFloor } from '../../src/raft/log.ts';
import { becomeLeader } from '../../src/raft/leadership.ts';
import { enter } from '../../src/raft/role.ts';
import { createState, drawTimer, type Leader, type RaftState } from '../../src/raft/state.ts';
import { entries, floorOf, membershipOf, n1, n2, n3, runsOf } from './lone-node.ts';

function state(): RaftState {
  const log = entries(1, 1, 2);
  return createState({
    config: { ...raftDefaults, id: n1, membershipOf, seed: 1 },
    hardState: { term: term(2), votedFor: n1, commitIndex: logIndex(2) },
    floor: floorOf({ voters: [n1, n2, n3], learners: [] }),
    configurations: [],
    runs: runsOf(log),
    lastIndex: logIndex(3),
    tail: log,
    appliedIndex: logIndex(0),
  });
}

function leader(): { state: RaftState; role: Leader } {
  const one = state();
  one.term = term(3);
  const timer = drawTimer(one.config, one.random);
  enter(one, { kind: 'candidate', ballot: new Map(), timer }, 'test');
  becomeLeader(one);
  if (one.role.kind !== 'leader') throw new Error('not a leader');
  return { state: one, role: one.role };
}

const breaks: Record<string, { readonly message: RegExp; apply(broken: RaftState): void }> = {
  'a term that falls': { message: /term never falls/, apply: (one) => (one.term = term(1)) },
  'a commit index that falls': {
    message: /commit index never falls/,
    apply: (one) => (one.commitIndex = logIndex(1)),
  },
  'a second vote in the term': { message: /one vote/, apply: (one) => (one.votedFor = n2) },
  'a vote taken back': { message: /one vote/, apply: (one) => (one.votedFor = undefined) },
  'a commit index beyond the log': {
    message: /committed <= last/,
    apply: (one) => (one.commitIndex = logIndex(4)),
  },
  'entries handed out and not committed': {
    message: /handed out <= committed/,
    apply: (one) => (one.handedOutIndex = logIndex(3)),
  },
  'entries applied and not handed out': {
    message: /applied <= handed out/,
    apply: (one) => (one.appliedIndex = logIndex(1)),
  },
  'more durable than written': {
    message: /persisted <= issued/,
    apply: (one) => (one.log.issuedIndex = logIndex(2)),
  },
  'more written than there is': {
    message: /issued <= last/,
    apply: (one) => {
      one.log.issuedIndex = logIndex(9);
    },
  },
  'an entry lost from the cache': {
    message: /cache reaches/,
    apply: (one) => {
      one.log.cached.pop();
    },
  },
  'an unapplied entry evicted': {
    message: /not applied is in memory/,
    apply: (one) => {
      one.log.firstCached = logIndex(2);
      one.log.head = 1;
    },
  },
  'an entry from the future': {
    message: /newer than the current term/,
    apply: (one) => one.log.runs.push({ firstIndex: logIndex(3), term: term(9) }),
  },
  'a floor that is not committed': {
    message: /floor is committed/,
    apply: (one) => (one.log.floorIndex = logIndex(3)),
  },
  'an entry below the floor in memory': {
    message: /nothing below the floor/,
    apply: (one) => (one.log.floorIndex = logIndex(1)),
  },
  'an installation that is not where the log begins': {
    message: /where the log begins/,
    apply: (one) => (one.installing = logIndex(2)),
  },
  'a campaign without the state below the log': {
    message: /nothing to install/,
    apply: (one) => {
      beginAfter(one, 1);
      const timer = drawTimer(one.config, one.random);
      one.role = { kind: 'preCandidate', ballot: new Map(), timer };
    },
  },
  'two changes of members that are not committed': {
    message: /at most one change/,
    apply: (one) => {
      const [first] = one.history;
      const later = (index: number): InEffect => ({
        ...first,
        configuration: { ...first.configuration, index: logIndex(index) },
      });
      one.history = [first, later(3), later(4)];
    },
  },
  'a configuration that no entry brought': {
    message: /newest of the log/,
    apply: (one) => {
      const [first] = one.history;
      one.members = { ...first, configuration: { ...first.configuration, index: logIndex(3) } };
      one.history = [first, one.members];
    },
  },
  'a configuration that is not the newest': {
    message: /one in effect/,
    apply: (one) => {
      const [first] = one.history;
      one.history = [first];
      one.members = { ...first };
    },
  },
  'a node that votes and learns': {
    message: /disjoint/,
    apply: (one) => {
      const [first] = one.history;
      one.members = { ...first, membership: { voters: [n1, n2], learners: [n2] } };
      one.history = [one.members];
    },
  },
};

/** The log loses what it held below, without a word to anybody. */
function beginAfter(one: RaftState, index: number): void {
  raiseFloor(one.log, logIndex(index));
}

describe('invariants', () => {
  test('a healthy follower and a healthy leader pass', () => {
    const follower = state();
    checkInvariants(follower, remember(follower));
    const { state: one } = leader();
    checkInvariants(one, remember(one));
  });

  test.for(Object.keys(breaks))('%s is noticed', (name) => {
    const one = state();
    const before = remember(one);
    breaks[name]?.apply(one);
    expect(() => checkInvariants(one, before)).toThrow(breaks[name]?.message);
  });

  const leaderBreaks: Record<string, { readonly message: RegExp; apply(role: Leader): void }> = {
    'matchIndex at nextIndex': {
      message: /match < next/,
      apply: ({ progress: [first] }) => {
        if (first) first.matchIndex = first.nextIndex;
      },
    },
    'nextIndex beyond the log': {
      message: /next <= last/,
      apply: ({ progress: [first] }) => {
        if (first) first.nextIndex = logIndex(9);
      },
    },
    'inflight bytes that nothing holds': {
      message: /empty window/,
      apply: ({ progress: [first] }) => {
        if (first) first.inflight.bytes = 10;
      },
    },
    'an answer to a round never begun': {
      message: /round never begun/,
      apply: ({ progress: [first] }) => {
        if (first) first.ackedRound = 4;
      },
    },
    'a peer that is sent what is gone': {
      message: /sent is in the log/,
      apply: ({ progress: [first] }) => {
        if (first) Object.assign(first, { matchIndex: -1, nextIndex: 0 });
      },
    },
    'uncommitted bytes counted twice': {
      message: /counted once/,
      apply: (role) => {
        role.uncommittedBytes = -1;
      },
    },
  };

  test.for(Object.keys(leaderBreaks))('at a leader, %s is noticed', (name) => {
    const { state: one, role } = leader();
    const before = remember(one);
    leaderBreaks[name]?.apply(role);
    expect(() => checkInvariants(one, before)).toThrow(leaderBreaks[name]?.message);
  });

  test('at a leader, a member it does not know of is noticed, and one whose vote it misjudges', () => {
    for (const [message, change] of [
      [/every other member/, (role: Leader) => (role.progress = role.progress.slice(1))],
      [/who votes/, (role: Leader) => role.progress.map((one) => (one.voter = false))],
    ] as const) {
      const { state: one, role } = leader();
      change(role);
      expect(() => checkInvariants(one, remember(one))).toThrow(message);
    }
  });
});
