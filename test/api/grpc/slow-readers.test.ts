// A reader that stops reading costs next to nothing, and then gets the latest state of each instance once (G17).
import { connect } from 'node:http2';
import { Writable } from 'node:stream';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { createWatchSink } from '../../../src/api/grpc/watch-sink.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { clientConstructors } from '../../../src/rpc/clients.ts';
import { pollUntil } from '../../support/poll.ts';
import { call, instance, startWorld } from './door-world.ts';

const { Watch } = clientConstructors().Registry.service;

/** A Watch over plain HTTP/2, whose bytes are read only when asked for. */
function rawWatch(address: string) {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': Watch.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const request = Watch.requestSerialize({});
  const frame = Buffer.alloc(5 + request.length);
  frame.writeUInt32BE(request.length, 1);
  frame.set(request, 5);
  stream.write(frame);
  const messages: WatchResponse__Output[] = [];
  let pending = Buffer.alloc(0);
  const read = (bytes: Buffer): void => {
    pending = Buffer.concat([pending, bytes]);
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const end = 5 + pending.readUInt32BE(1);
      messages.push(Watch.responseDeserialize(pending.subarray(5, end)));
      pending = pending.subarray(end);
    }
  };
  return {
    messages,
    startReading: () => stream.on('data', read),
    [Symbol.dispose]: () => session.destroy(),
  };
}

describe('a watch whose client does not read', () => {
  test('is told the latest state once, not everything that was missed', {
    timeout: 30_000,
  }, async () => {
    await using world = await startWorld();
    const client = world.registry();
    using watch = rawWatch(world.address);
    await pollUntil(() => world.node.watches.count === 1, { what: 'the watch', timeoutMs: 5000 });
    const metadata = Object.fromEntries(
      Array.from({ length: 8 }, (_, at) => [`k${at}`, 'v'.repeat(500)]),
    );
    const rounds = 60;
    const instances = 20;
    for (let round = 1; round <= rounds; round += 1) {
      await Promise.all(
        Array.from({ length: instances }, (_, at) =>
          call((done) =>
            client.register(
              { instance: instance({ instance_id: `i${at}`, weight: round, metadata }) },
              done,
            ),
          ),
        ),
      );
    }
    watch.startReading();
    const last = String(rounds * instances);
    await pollUntil(() => watch.messages.at(-1)?.revision === last, {
      what: 'the last revision',
      timeoutMs: 10_000,
    });
    const { messages } = watch;
    // 4 KiB each: what HTTP/2 and the door hold, and then one or two that merge the rest of 1200.
    expect(messages.length).toBeLessThan(100);
    const revisions = messages.map(({ revision }) => Number(revision));
    expect(revisions).toEqual(revisions.toSorted((left, right) => left - right));
    const latest = new Map<string, number>();
    for (const change of messages.flatMap(({ changes }) => changes)) {
      latest.set(change.instance?.instance_id ?? '', change.instance?.weight ?? 0);
    }
    expect([...latest.values()]).toEqual(Array.from({ length: instances }, () => rounds));
  });
});

/** A stream that takes a message only when told to. */
function slowStream() {
  const held: (() => void)[] = [];
  const stream = new Writable({
    objectMode: true,
    write: (_bytes, _encoding, taken) => {
      held.push(taken);
    },
  });
  let drained = 0;
  const sink = createWatchSink({
    call: stream as unknown as ServerDuplexStream<Buffer, Buffer>,
    drained: () => {
      drained += 1;
    },
    ended: () => {},
  });
  return {
    sink,
    drained: () => drained,
    /** The reader takes everything that was written. */
    take: async (): Promise<void> => {
      await pollUntil(
        () => {
          held.shift()?.();
          return held.length === 0 && stream.writableLength === 0;
        },
        { what: 'the stream to be empty', timeoutMs: 5000, everyMs: 1 },
      );
    },
  };
}

describe('the sink of a watch', () => {
  test('says no after 128 KiB that nobody took, and yes again when all of it is taken', async () => {
    const { sink, drained, take } = slowStream();
    const message = Buffer.alloc(40 * 1024);
    const accepted = [1, 2, 3, 4].map(() => sink.write(message));
    expect(accepted).toEqual([true, true, true, false]);
    expect(drained()).toBe(0);
    await take();
    expect(drained()).toBe(1);
    expect(sink.write(message)).toBe(true);
  });

  test('says no after a few messages, however small', async () => {
    const { sink, drained, take } = slowStream();
    let accepted = 0;
    while (accepted < 1000 && sink.write(Buffer.alloc(1))) accepted += 1;
    expect(accepted).toBeLessThanOrEqual(16);
    await take();
    expect(drained()).toBe(1);
  });

  test('does not ask for more while a reader keeps up', async () => {
    const { sink, drained, take } = slowStream();
    for (let count = 0; count < 50; count += 1) {
      expect(sink.write(Buffer.alloc(10_000))).toBe(true);
      await take();
    }
    expect(drained()).toBe(0);
  });
});
