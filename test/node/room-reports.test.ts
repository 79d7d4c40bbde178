// Who is known to have room on the disk, and when the cluster takes nothing more that needs some.
import { describe, expect, test } from 'vitest';
import { nodeId, revision } from '../../src/lib/ids.ts';
import type { Member, PeerFrame } from '../../src/node/peer-protocol.ts';
import { needsRoom, RoomReports } from '../../src/node/room-reports.ts';
import { registration } from '../support/memory-cluster.ts';

const memberOf = (name: string): Member => ({
  nodeId: nodeId(name),
  incarnation: '0'.repeat(32),
  peerAddress: '',
  clientAddress: '',
  learner: name.endsWith('l'),
});

function harness(names: readonly string[]) {
  const state = {
    members: names.map(memberOf),
    own: false,
    away: new Set<string>(),
    old: new Set<string>(),
    sent: [] as [string, PeerFrame][],
  };
  const reports = new RoomReports({
    self: nodeId('n1'),
    reserve: {
      get short() {
        return state.own;
      },
      freeBytes: 77,
    },
    record: () => ({ members: state.members }),
    isConnected: (peer) => !state.away.has(peer),
    understands: (peer) => !state.old.has(peer),
    send: (to, frame) => state.sent.push([to, frame]),
  });
  const full = (...which: readonly string[]): void => {
    for (const name of names) {
      if (name === 'n1') state.own = which.includes(name);
      else reports.heard(nodeId(name), which.includes(name));
    }
  };
  return { state, reports, full };
}

describe('a shortage', () => {
  test('begins when no majority of the voters has room, and ends when one has', () => {
    const { reports, full } = harness(['n1', 'n2', 'n3']);
    full();
    expect(reports.shortage()).toBeUndefined();
    for (const one of ['n1', 'n2', 'n3']) {
      full(one);
      expect(reports.shortage(), one).toBeUndefined();
    }
    full('n1', 'n3');
    expect(reports.shortage()).toBe(
      'disk_reserve_bytes: no majority of the voters has as much disk space left as is held in reserve: n1 and n3 have less. Nothing was written; deregistrations and heartbeats go on',
    );
    full('n1', 'n2', 'n3');
    expect(reports.shortage()).toContain('n1, n2 and n3 have less');
    full('n3');
    expect(reports.shortage()).toBeUndefined();
  });

  test('of five takes three, of two and of one the first', () => {
    const five = harness(['n1', 'n2', 'n3', 'n4', 'n5']);
    five.full('n1', 'n2');
    expect(five.reports.shortage()).toBeUndefined();
    five.full('n1', 'n2', 'n5');
    expect(five.reports.shortage()).toContain('n1, n2 and n5 have less');
    const two = harness(['n1', 'n2']);
    two.full('n2');
    expect(two.reports.shortage()).toContain('n2 has less');
    const one = harness(['n1']);
    one.full('n1');
    expect(one.reports.shortage()).toContain('n1 has less');
  });

  test('counts who is away only where somebody is full, and names both', () => {
    const { state, reports, full } = harness(['n1', 'n2', 'n3']);
    state.away = new Set(['n2', 'n3']);
    expect(reports.shortage()).toBeUndefined();
    state.away = new Set(['n3']);
    full('n2');
    expect(reports.shortage()).toContain('n2 has less and n3 is away');
    state.away = new Set();
    expect(reports.shortage()).toBeUndefined();
  });

  test('does not count learners, nor members that were removed, nor strangers', () => {
    const { state, reports, full } = harness(['n1', 'n2', 'n3', 'n4l']);
    full('n2', 'n4l');
    reports.heard(nodeId('n9'), true);
    expect(reports.shortage()).toBeUndefined();
    full('n2', 'n3');
    expect(reports.shortage()).toBeDefined();
    state.members = ['n1', 'n2', 'n5'].map(memberOf);
    reports.tick(0);
    expect(reports.shortage()).toBeUndefined();
    // It comes back under its name, and has not said anything yet.
    state.members = ['n1', 'n2', 'n3'].map(memberOf);
    expect(reports.shortage()).toBeUndefined();
  });
});

test('that a node reported before it went back to a version without reports is over', () => {
  const { state, reports, full } = harness(['n1', 'n2', 'n3']);
  full('n2', 'n3');
  expect(reports.shortage()).toContain('n2 and n3 have less');
  state.old.add('n2');
  expect(reports.shortage()).toBeUndefined();
});

describe('reports', () => {
  test('go to every other member that understands them, once a second and when something changes', () => {
    const { state, reports } = harness(['n1', 'n2', 'n3', 'n4l']);
    state.old.add('n3');
    for (let now = 0; now < 3000; now += 10) reports.tick(now);
    expect(state.sent).toHaveLength(6);
    expect(state.sent.slice(0, 2)).toEqual([
      ['n2', { kind: 'diskReport', freeBytes: 77, short: false }],
      ['n4l', { kind: 'diskReport', freeBytes: 77, short: false }],
    ]);
    state.own = true;
    reports.tick(2310);
    const report = { kind: 'diskReport', freeBytes: 77, short: true };
    expect(state.sent.slice(6).map(([, frame]) => frame)).toEqual([report, report]);
  });
});

test('what takes something away needs no room', () => {
  const common = { namespace: 'default', instanceId: 'a', generation: revision(0), reason: '' };
  const register = registration('a');
  expect(needsRoom(register)).toBe(true);
  expect(needsRoom({ kind: 'deregister', ...common })).toBe(false);
  expect(needsRoom({ kind: 'expire', items: [] })).toBe(false);
});
