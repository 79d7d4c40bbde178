// What a node may say of its disk, and what is held against it.
import { describe, expect, test } from 'vitest';
import type { Violation } from '../checkers/history.ts';
import { logIndex, term as toTerm } from '../../src/lib/ids.ts';
import { MessageLedger } from './message-ledger.ts';

/** n1 asks n3, whose log ends with `lastIndex` of term 5, for its vote in term 6, and gets it when the disk of n3 is in `diskTerm`. */
function voted(lastIndex: number, diskTerm: number): readonly Violation[] {
  const violations: Violation[] = [];
  const disk = {
    voteless: false,
    durable: Array.from({ length: lastIndex }, () => 5),
    term: diskTerm,
    voteIn: (term: number) => (term === 6 ? 'n1' : undefined),
  };
  const ledger = new MessageLedger(
    (node) => (node === 'n3' ? disk : { ...disk, voteIn: () => node }),
    (violation) => violations.push(violation),
  );
  const term = toTerm(6);
  const asked = { lastLogIndex: logIndex(30), lastLogTerm: toTerm(5) };
  ledger.said('n1', 'n3', { kind: 'requestVote', term, transfer: false, ...asked });
  ledger.said('n3', 'n1', { kind: 'requestVoteResponse', term, voteGranted: true });
  return violations;
}

describe('a vote (5.4.1)', () => {
  test('for a candidate whose log is as long is no lie', () => {
    expect(voted(30, 6)).toEqual([]);
  });

  test('for a candidate with a shorter log is a lie', () => {
    expect(voted(31, 6)).toMatchObject([{ guarantee: 'raft' }]);
  });

  test('that waited for the disk is not judged by what later leaders have sent meanwhile', () => {
    expect(voted(31, 8)).toEqual([]);
  });
});
