// Frames of one turn leave in few messages of bounded size, in order.
import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { createOutbox, frameBytes } from '../../src/node/outbox.ts';
import type { PeerFrame } from '../../src/node/peer-protocol.ts';
import { sampleFrames } from '../support/peer-frames.ts';

const append = (bytes: number): PeerFrame => ({
  kind: 'raft',
  message: {
    kind: 'appendEntries',
    term: term(1),
    session: 1,
    prevLogIndex: logIndex(0),
    prevLogTerm: term(0),
    entries: [
      { index: logIndex(1), term: term(1), kind: 'command', payload: new Uint8Array(bytes) },
    ],
    leaderCommit: logIndex(0),
  },
});
const small: PeerFrame = { kind: 'lastHeartbeatResponse', id: 1, unixTimeMs: 1 };

function harness(accepts = true) {
  const messages: (readonly PeerFrame[])[] = [];
  const lost: PeerFrame[] = [];
  const outbox = createOutbox({
    transport: {
      send(_to, frames) {
        messages.push(frames);
        return accepts;
      },
    },
    lost: (_to, frames) => lost.push(...frames),
    wake: () => undefined,
  });
  return { messages, lost, outbox };
}
const n2 = nodeId('n2');

describe('the outbox', () => {
  test('sends the frames of a turn to a peer as one message, in order', () => {
    const { messages, outbox } = harness();
    for (const frame of sampleFrames) outbox.add(n2, frame);
    expect(messages).toEqual([]);
    outbox.flush();
    expect(messages).toEqual([sampleFrames]);
    outbox.flush();
    expect(messages).toHaveLength(1);
  });

  test('keeps every message below 2 MiB and 1024 frames', () => {
    const { messages, outbox } = harness();
    const frames = [
      ...Array.from({ length: 10 }, () => append(900_000)),
      ...Array.from({ length: 3000 }, () => small),
    ];
    for (const frame of frames) outbox.add(n2, frame);
    outbox.flush();
    expect(messages.flat()).toEqual(frames);
    for (const message of messages) {
      const bytes = message.reduce((sum, frame) => sum + frameBytes(frame), 0);
      expect(bytes).toBeLessThan(2 << 20);
      expect(message.length).toBeLessThanOrEqual(1024);
    }
  });

  test('tells which frames did not leave', () => {
    const { lost, outbox } = harness(false);
    outbox.add(n2, small);
    outbox.flush();
    expect(lost).toEqual([small]);
  });
});
