// What every PeerTransport must do (port: src/node/ports.ts). Run for gRPC and for the in-memory one of test/support.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import type { NodeId } from '../../src/lib/ids.ts';
import type { Hello, PeerFrame, Refusal } from '../../src/node/peer-protocol.ts';
import type { PeerTransport, TransportHandlers } from '../../src/node/ports.ts';
import { sampleFrames, sampleHello } from '../support/peer-frames.ts';
import { pollUntil } from '../support/poll.ts';

/** How the suite gets its transports; all of one harness can reach each other. */
export interface PeerTransportHarness {
  /** A transport not yet started. `at`: the address of a stopped one, whose place it takes. */
  create(self: NodeId, at?: string): PeerTransport;
  /** Called at each poll: where time is fake, some of it passes. */
  pump?(): void;
  dispose?(): Promise<void>;
}

type TransportEvent =
  | { readonly kind: 'connected'; readonly peer: NodeId; readonly hello: Hello }
  | { readonly kind: 'broken'; readonly peer: NodeId }
  | { readonly kind: 'gone'; readonly peer: NodeId }
  | { readonly kind: 'refused'; readonly peer: NodeId; readonly refusal: Refusal };

/** A started transport with everything it told its handlers. */
interface Endpoint {
  readonly id: NodeId;
  readonly transport: PeerTransport;
  readonly events: TransportEvent[];
  readonly received: { readonly from: NodeId; readonly frame: PeerFrame }[];
  /** Hellos that admit was asked about. */
  readonly asked: Hello[];
  /** What admit answers; undefined admits. */
  refuses: (hello: Hello) => Refusal | undefined;
  readonly seen: (kind: TransportEvent['kind'], peer: Endpoint) => number;
}

const numbered = (id: number): PeerFrame => ({
  kind: 'lastHeartbeatRequest',
  id,
  namespace: 'default',
  instanceId: 'payments-1',
});
const numbers = (endpoint: Endpoint): number[] =>
  endpoint.received.map(({ frame }) => ('id' in frame ? frame.id : -1));
const dial = (from: Endpoint, ...to: Endpoint[]): void =>
  from.transport.connect(
    to.map(({ id, transport }) => ({ nodeId: id, address: transport.address })),
  );
const appendEntriesWith = (payload: Uint8Array): PeerFrame => ({
  kind: 'raft',
  message: {
    kind: 'appendEntries',
    term: term(1),
    session: 1,
    prevLogIndex: logIndex(0),
    prevLogTerm: term(0),
    entries: [{ index: logIndex(1), term: term(1), kind: 'command', payload }],
    leaderCommit: logIndex(0),
  },
});
const payloadOf = (frame: PeerFrame | undefined): Uint8Array =>
  frame?.kind === 'raft' && frame.message.kind === 'appendEntries'
    ? (frame.message.entries[0]?.payload ?? new Uint8Array())
    : new Uint8Array();
const refusals: readonly Refusal[] = [
  { reason: 'protocolVersion', message: 'n2 speaks protocol 2, this node 1: upgrade it.' },
  { reason: 'otherCluster', message: 'n2 belongs to the cluster b.' },
  { reason: 'wrongTarget', message: 'This is n2.' },
  { reason: 'notAMember', message: 'n1 is no member.' },
  { reason: 'otherIncarnation', message: 'The data-dir of n1 is new: remove n1, then join.' },
];

export function peerTransportConformance(
  name: string,
  factory: () => PeerTransportHarness | Promise<PeerTransportHarness>,
): void {
  describe(`${name} as a PeerTransport`, () => {
    let harness: PeerTransportHarness;
    let started: PeerTransport[] = [];

    beforeEach(async () => {
      harness = await factory();
      started = [];
    });
    afterEach(async () => {
      await Promise.all(started.map((transport) => transport.stop()));
      await harness.dispose?.();
    });

    async function start(id: string, at?: string): Promise<Endpoint> {
      const transport = harness.create(nodeId(id), at);
      const events: TransportEvent[] = [];
      const endpoint: Endpoint = {
        id: nodeId(id),
        transport,
        events,
        received: [],
        asked: [],
        refuses: () => undefined,
        seen: (kind, peer) => events.filter((e) => e.kind === kind && e.peer === peer.id).length,
      };
      const handlers: TransportHandlers = {
        admit: (hello) => {
          endpoint.asked.push(hello);
          return endpoint.refuses(hello);
        },
        hello: () => ({ ...sampleHello(id, id), peerAddress: transport.address }),
        onFrames: (from, frames) => {
          for (const frame of frames) endpoint.received.push({ from, frame });
        },
        onConnected: (peer, hello) => void events.push({ kind: 'connected', peer, hello }),
        onBroken: (peer) => void events.push({ kind: 'broken', peer }),
        onGone: (peer) => void events.push({ kind: 'gone', peer }),
        onRefused: (peer, refusal) => void events.push({ kind: 'refused', peer, refusal }),
      };
      started.push(transport);
      await transport.start(handlers);
      return endpoint;
    }

    const until = (what: string, condition: () => boolean): Promise<void> =>
      pollUntil(
        () => {
          harness.pump?.();
          return condition();
        },
        { what, timeoutMs: 10_000, everyMs: 1 },
      );
    async function pair(): Promise<[Endpoint, Endpoint]> {
      const n1 = await start('n1');
      const n2 = await start('n2');
      dial(n1, n2);
      dial(n2, n1);
      await until('both streams', () => n1.seen('connected', n2) + n2.seen('connected', n1) === 2);
      return [n1, n2];
    }

    test('connects after both sides admitted the other, and hands over the hello of the peer', async () => {
      const [n1, n2] = await pair();
      const expected = { ...sampleHello('n2', 'n1'), peerAddress: n2.transport.address };
      expect(n1.events).toEqual([{ kind: 'connected', peer: 'n2', hello: expected }]);
      expect(n1.asked).toContainEqual(expected);
      expect(n2.asked).toContainEqual({
        ...sampleHello('n1', 'n2'),
        peerAddress: n1.transport.address,
      });
    });

    test('carries every kind of frame unchanged, in order, under the name of the sender', async () => {
      const [n1, n2] = await pair();
      expect(n1.transport.send(n2.id, sampleFrames)).toBe(true);
      expect(n2.transport.send(n1.id, [numbered(1)])).toBe(true);
      await until('the frames', () => n2.received.length >= sampleFrames.length);
      await until('the answer', () => n1.received.length >= 1);
      expect(n2.received.map(({ frame }) => frame)).toEqual(sampleFrames);
      expect(new Set(n2.received.map(({ from }) => from))).toEqual(new Set(['n1']));
      expect(n1.received).toEqual([{ from: 'n2', frame: numbered(1) }]);
    });

    test('keeps the order of many sends', async () => {
      const [n1, n2] = await pair();
      const wanted = Array.from({ length: 3000 }, (_, position) => position);
      for (const id of wanted) {
        await until('room', () => n1.transport.send(n2.id, [numbered(id)]));
      }
      await until('all of them', () => n2.received.length >= wanted.length);
      expect(numbers(n2)).toEqual(wanted);
    });

    test('delivers a frame of one mebibyte', async () => {
      const [n1, n2] = await pair();
      const payload = new Uint8Array(1 << 20).map((_, position) => position % 251);
      expect(n1.transport.send(n2.id, [appendEntriesWith(payload)])).toBe(true);
      await until('the frame', () => n2.received.length === 1);
      // Compared as bytes: a matcher takes seconds over a million elements.
      expect(Buffer.compare(payloadOf(n2.received[0]?.frame), payload)).toBe(0);
    });

    test('refuses to send to a node it has no stream to, and to itself', async () => {
      const n1 = await start('n1');
      const n2 = await start('n2');
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
      dial(n1, n1, n2);
      await until('the stream', () => n1.seen('connected', n2) === 1);
      expect(n1.transport.send(n1.id, [numbered(1)])).toBe(false);
      expect(n1.transport.send(nodeId('n9'), [numbered(1)])).toBe(false);
      // The stream of n1 carries nothing from n2: each direction has its own.
      expect(n2.transport.send(n1.id, [numbered(1)])).toBe(false);
      expect(n1.events).toHaveLength(1);
    });

    test('queues a bounded number of messages, and delivers exactly those it took', async () => {
      const [n1, n2] = await pair();
      const taken: number[] = [];
      for (let id = 0; id < 1_000_000; id++) {
        if (!n1.transport.send(n2.id, [numbered(id)])) break;
        taken.push(id);
      }
      expect(taken.length).toBeGreaterThan(100);
      expect(taken.length).toBeLessThan(1_000_000);
      await until('what was taken', () => n2.received.length >= taken.length);
      await until('room again', () => n1.transport.send(n2.id, [numbered(taken.length)]));
      await until('the last', () => n2.received.length >= taken.length + 1);
      expect(numbers(n2)).toEqual([...taken, taken.length]);
    });

    test.for(refusals)('tells a dialler why it was refused: $reason', async (refusal) => {
      const n1 = await start('n1');
      const n2 = await start('n2');
      n2.refuses = () => refusal;
      dial(n1, n2);
      await until('the refusal', () => n1.seen('refused', n2) >= 1);
      expect(n1.events[0]).toEqual({ kind: 'refused', peer: 'n2', refusal });
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
      n2.refuses = () => undefined;
      await until('admission later', () => n1.seen('connected', n2) === 1);
      expect(n1.seen('broken', n2) + n1.seen('gone', n2)).toBe(0);
    });

    test('refuses a listener whose hello it does not admit', async () => {
      const n1 = await start('n1');
      const n2 = await start('n2');
      const refusal: Refusal = { reason: 'otherCluster', message: 'n2 is of another cluster.' };
      n1.refuses = () => refusal;
      dial(n1, n2);
      await until('the refusal', () => n1.seen('refused', n2) >= 1);
      expect(n1.events[0]).toEqual({ kind: 'refused', peer: 'n2', refusal });
      expect(n1.seen('connected', n2)).toBe(0);
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
    });

    test('does not take another node for the one it dialled', async () => {
      const n1 = await start('n1');
      const n3 = await start('n3');
      n1.transport.connect([{ nodeId: nodeId('n2'), address: n3.transport.address }]);
      await until('the refusal', () => n1.events.length >= 1);
      const [first] = n1.events;
      expect(first?.kind === 'refused' && first.refusal.reason).toBe('wrongTarget');
    });

    test('tells once that a stream broke, then again and again that the peer is gone', async () => {
      const [n1, n2] = await pair();
      await n2.transport.stop();
      await until('the peer to be gone thrice', () => n1.seen('gone', n2) >= 3);
      expect(n1.events.map(({ kind }) => kind).slice(0, 3)).toEqual([
        'connected',
        'broken',
        'gone',
      ]);
      expect(n1.seen('broken', n2)).toBe(1);
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
    });

    test('finds a peer again that came back at its address', async () => {
      const [n1, n2] = await pair();
      await n2.transport.stop();
      await until('the peer to be gone', () => n1.seen('gone', n2) >= 1);
      const back = await start('n2', n2.transport.address);
      await until('the new stream', () => n1.seen('connected', n2) === 2);
      expect(n1.transport.send(n2.id, [numbered(7)])).toBe(true);
      await until('a frame', () => back.received.length === 1);
      expect(back.received).toEqual([{ from: 'n1', frame: numbered(7) }]);
      expect(n2.received).toEqual([]);
    });

    test('keeps dialling a peer that was not there at first', async () => {
      const n2 = await start('n2');
      await n2.transport.stop();
      const n1 = await start('n1');
      dial(n1, n2);
      harness.pump?.();
      const late = await start('n2', n2.transport.address);
      await until('the stream', () => n1.seen('connected', late) === 1);
      expect(n1.seen('broken', late)).toBe(0);
    });

    test('follows a change of the set of peers and of an address', async () => {
      const [n1, n2] = await pair();
      const n3 = await start('n3');
      dial(n1, n3);
      await until('the stream to n3', () => n1.seen('connected', n3) === 1);
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
      const moved = await start('n3');
      dial(n1, moved);
      await until('the stream to the new place', () => n1.seen('connected', moved) === 2);
      expect(n1.transport.send(moved.id, [numbered(2)])).toBe(true);
      await until('a frame', () => moved.received.length === 1);
      expect(n3.received).toEqual([]);
    });

    test('keeps a stream when connect names the same peers again', async () => {
      const [n1, n2] = await pair();
      dial(n1, n2);
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(true);
      await until('the frame', () => n2.received.length === 1);
      expect(n1.events.map(({ kind }) => kind)).toEqual(['connected']);
    });

    test('ends the stream of a peer that is dismissed, which dials again and is judged anew', async () => {
      const [n1, n2] = await pair();
      const refusal: Refusal = { reason: 'removed', message: 'n1 was removed.' };
      n2.refuses = () => refusal;
      n2.transport.dismiss(n1.id);
      await until('the refusal', () => n1.seen('refused', n2) >= 1);
      expect(n1.seen('broken', n2)).toBe(1);
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
      // Nobody of that name has dialled.
      n2.transport.dismiss(nodeId('n9'));
      n2.refuses = () => undefined;
      await until('the new stream', () => n1.seen('connected', n2) === 2);
    });

    test('is silent once stopped', async () => {
      const [n1, n2] = await pair();
      await n1.transport.stop();
      const before = n1.events.length;
      expect(n1.transport.send(n2.id, [numbered(1)])).toBe(false);
      n2.transport.send(n1.id, [numbered(2)]);
      await until('n2 to notice', () => n2.seen('gone', n1) >= 2);
      expect(n1.events).toHaveLength(before);
      expect(n1.received).toEqual([]);
      await n1.transport.stop();
    });
  });
}
