// What a node may say of its disk, and what is held against it.
import { describe, expect, test } from 'vitest';
import type { Violation } from '../checkers/history.ts';
import { logIndex, term as toTerm } from '../../src/lib/ids.ts';
import { type KnownDisk, MessageLedger } from './message-ledger.ts';

/** Entries of term 5 on the disk of a node that is in another term since. */
function diskWith(entries: number, term: number, more: Partial<KnownDisk> = {}): KnownDisk {
  const durable = Array.from({ length: entries }, () => 5);
  const told = { unnoted: () => false, voteIn: () => 'n1', ...more };
  return { voteless: false, durable, reached: () => entries, term, ...told };
}

/** n1 asks n3, whose log ends with `lastIndex` of term 5, for its vote in term 6, and gets it when the disk of n3 is in `diskTerm`. */
function voted(lastIndex: number, diskTerm: number): readonly Violation[] {
  const violations: Violation[] = [];
  const disk = diskWith(lastIndex, diskTerm, {
    voteIn: (term) => (term === 6 ? 'n1' : undefined),
  });
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

/** n3 tells the leader of term 5 of 15 entries. */
function acknowledged(disk: KnownDisk): readonly Violation[] {
  const violations: Violation[] = [];
  const ledger = new MessageLedger(
    () => disk,
    (violation) => violations.push(violation),
  );
  ledger.said('n3', 'n1', {
    kind: 'appendEntriesResponse',
    term: toTerm(5),
    session: 1,
    success: true,
    matchIndex: logIndex(15),
    conflictTerm: toTerm(0),
    conflictIndex: logIndex(0),
  });
  return violations;
}

describe('an acknowledgement (figure 2)', () => {
  test('of entries that are not durable is a lie', () => {
    expect(acknowledged(diskWith(15, 5))).toEqual([]);
    expect(acknowledged(diskWith(14, 5))).toMatchObject([{ guarantee: 'raft' }]);
  });

  test('of what makes a node a member comes after its data-dir says so (G14)', () => {
    expect(acknowledged(diskWith(15, 5, { unnoted: (index) => index >= 15 }))).toMatchObject([
      { guarantee: 'G14' },
    ]);
    expect(acknowledged(diskWith(15, 5, { unnoted: (index) => index > 15 }))).toEqual([]);
  });

  test('is judged by what was durable in its term, not by what a later leader has cut in the same write', () => {
    const cut = diskWith(14, 6, { reached: (term) => (term === 5 ? 15 : 14) });
    expect(acknowledged(cut)).toEqual([]);
    expect(acknowledged(diskWith(14, 6))).toMatchObject([{ guarantee: 'raft' }]);
  });
});
