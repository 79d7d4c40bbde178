// The order in which a Ready is honoured: nothing that speaks for the disk leaves before the disk has it.
import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../../src/lib/ids.ts';
import { createReadyRunner } from '../../src/node/ready-runner.ts';
import type { Envelope, PersistBatch, Ready } from '../../src/raft/index.ts';
import { MemoryLogStore } from '../support/memory-log-store.ts';
import { deferred, type Deferred } from '../../src/lib/deferred.ts';

const batch = (sequence: number): PersistBatch => ({
  sequence,
  term: term(1),
  hardState: { term: term(1), votedFor: undefined, commitIndex: logIndex(0) },
  truncateAfter: undefined,
  floor: undefined,
  entries: [],
});
/** An envelope that can be told apart by its context. */
const envelope = (context: number): Envelope => ({
  to: nodeId('n2'),
  message: { kind: 'readIndexRequest', term: term(1), context },
});
const ready = (parts: Partial<Ready>): Ready => ({
  persist: undefined,
  sendNow: [],
  sendAfterPersist: [],
  install: undefined,
  pullSnapshotFrom: undefined,
  configuration: undefined,
  appended: [],
  committed: [],
  reads: [],
  rejected: [],
  fetch: [],
  events: [],
  ...parts,
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function harness() {
  const story: string[] = [];
  const writes: Deferred<void>[] = [];
  const membership = { due: false, noting: deferred<void>() };
  const runner = createReadyRunner({
    logStore: {
      starved: 'no',
      resume: () => undefined,
      image: new MemoryLogStore().image,
      bytes: 0,
      append({ sequence }) {
        story.push(`append ${sequence}`);
        const write = deferred<void>();
        writes.push(write);
        return write.promise;
      },
      read: () => Promise.reject(new Error('rot')),
      close: () => Promise.resolve(),
    },
    membershipNote: {
      get due() {
        return membership.due;
      },
      write() {
        story.push('note');
        return membership.noting.promise;
      },
    },
    send({ message }) {
      story.push(`send ${message.kind === 'readIndexRequest' ? message.context : '?'}`);
    },
    appended: () => undefined,
    configuration: ({ index }) => story.push(`configuration ${index}`),
    taken: ({ index }) => story.push(`taken ${index}`),
    install: ({ index }) => story.push(`install ${index}`),
    pullSnapshot: (from) => story.push(`pull from ${from}`),
    committed: (entries) => entries.length > 0 && story.push('committed'),
    reads: () => undefined,
    rejected: () => undefined,
    events: () => undefined,
    persisted: (sequence) => story.push(`persisted ${sequence}`),
    fetched: () => story.push('fetched'),
    diskFailed: () => story.push('disk failed'),
    noteFailed: () => story.push('note failed'),
    readFailed: () => story.push('read failed'),
    broken: (error) => story.push(`broken ${String(error)}`),
  });
  return { story, writes, runner, membership };
}

describe('a Ready', () => {
  test('hands the batch to the disk, then sends what claims nothing about it, and waits with the rest', async () => {
    const { story, writes, runner } = harness();
    runner.run(
      ready({ persist: batch(1), sendNow: [envelope(1)], sendAfterPersist: [envelope(2)] }),
    );
    await settle();
    expect(story).toEqual(['append 1', 'send 1']);
    writes[0]?.resolve();
    await settle();
    expect(story).toEqual(['append 1', 'send 1', 'persisted 1', 'send 2']);
  });

  test('without a batch of its own waits for the batches before it', async () => {
    const { story, writes, runner } = harness();
    runner.run(ready({ persist: batch(1) }));
    runner.run(ready({ sendAfterPersist: [envelope(1)] }));
    await settle();
    expect(story).toEqual(['append 1']);
    writes[0]?.resolve();
    await settle();
    runner.run(ready({ sendAfterPersist: [envelope(2)] }));
    expect(story).toEqual(['append 1', 'persisted 1', 'send 1', 'send 2']);
  });

  test('puts a snapshot in place only once the log on disk begins behind it', async () => {
    const { story, writes, runner } = harness();
    const install = { index: logIndex(40), term: term(1) };
    runner.run(ready({ persist: batch(1), install, sendAfterPersist: [envelope(1)] }));
    await settle();
    expect(story).toEqual(['append 1', 'taken 40']);
    writes[0]?.resolve();
    await settle();
    expect(story.slice(2)).toEqual(['persisted 1', 'send 1', 'install 40']);
  });

  test('puts no snapshot in place when the batch fails or the node has stopped', async () => {
    const install = { index: logIndex(40), term: term(1) };
    const failing = harness();
    failing.runner.run(ready({ persist: batch(1), install }));
    failing.writes[0]?.reject(new Error('EIO'));
    const stopped = harness();
    stopped.runner.run(ready({ persist: batch(1), install }));
    stopped.runner.stop();
    stopped.writes[0]?.resolve();
    await settle();
    expect([...failing.story, ...stopped.story]).not.toContain('install 40');
  });

  test('says which configuration is in effect before what it lets happen', () => {
    const { story, runner } = harness();
    const configuration = { index: logIndex(7), payload: new Uint8Array() };
    runner.run(ready({ configuration, pullSnapshotFrom: nodeId('n3') }));
    expect(story).toEqual(['configuration 7', 'pull from n3']);
  });

  test('releases each batch its own messages, in order', async () => {
    const { story, writes, runner } = harness();
    runner.run(ready({ persist: batch(1), sendAfterPersist: [envelope(1)] }));
    runner.run(ready({ persist: batch(2), sendAfterPersist: [envelope(2)] }));
    writes[0]?.resolve();
    await settle();
    expect(story.slice(2)).toEqual(['persisted 1', 'send 1']);
    writes[1]?.resolve();
    await settle();
    expect(story.slice(4)).toEqual(['persisted 2', 'send 2']);
  });

  test('tells of no batch from the one that makes this node a member on, before the data-dir has noted it (G14)', async () => {
    const { story, writes, runner, membership } = harness();
    const configuration = { index: logIndex(7), payload: new Uint8Array() };
    const said = (): readonly string[] => story.filter((line) => !line.startsWith('append'));
    runner.run(ready({ persist: batch(1), sendAfterPersist: [envelope(1)] }));
    membership.due = true;
    runner.run(ready({ persist: batch(2), sendAfterPersist: [envelope(2)], configuration }));
    writes[0]?.resolve();
    await settle();
    expect(said()).toEqual(['configuration 7', 'persisted 1', 'send 1']);
    writes[1]?.resolve();
    await settle();
    // More becomes durable, and something without a batch of its own wants to go.
    const install = { index: logIndex(40), term: term(1) };
    runner.run(ready({ persist: batch(3), sendAfterPersist: [envelope(3)], install }));
    writes[2]?.resolve();
    runner.run(ready({ sendNow: [envelope(4)], sendAfterPersist: [envelope(5)] }));
    await settle();
    expect(said().slice(3)).toEqual(['note', 'taken 40', 'send 4']);
    membership.due = false;
    membership.noting.resolve();
    await settle();
    const freed = ['persisted 3', 'send 2', 'send 3', 'install 40', 'send 5'];
    expect(said().slice(6)).toEqual(freed);
    runner.run(ready({ persist: batch(4), sendAfterPersist: [envelope(6)] }));
    writes[3]?.resolve();
    await settle();
    expect(said().slice(11)).toEqual(['persisted 4', 'send 6']);
  });

  test('tells of no later batch either, where another configuration comes before the membership is noted (G14)', async () => {
    const { story, writes, runner, membership } = harness();
    membership.due = true;
    const told = (): readonly string[] =>
      story.filter((line) => /^(note|persisted|send)/.test(line));
    for (const [sequence, index] of [7, 8, 9].entries()) {
      const configuration = { index: logIndex(index), payload: new Uint8Array() };
      const sendAfterPersist = [envelope(sequence + 1)];
      runner.run(ready({ persist: batch(sequence + 1), sendAfterPersist, configuration }));
    }
    for (const write of writes) {
      write.resolve();
      await settle();
    }
    expect(told()).toEqual(['note']);
    membership.due = false;
    membership.noting.resolve();
    await settle();
    expect(told().slice(1)).toEqual(['persisted 3', 'send 1', 'send 2', 'send 3']);
  });

  test('says nothing more where the membership cannot be noted, nor once stopped meanwhile (G14)', async () => {
    const configuration = { index: logIndex(7), payload: new Uint8Array() };
    const [failing, stopped] = [harness(), harness()];
    for (const { runner, writes, membership } of [failing, stopped]) {
      membership.due = true;
      runner.run(ready({ persist: batch(1), sendAfterPersist: [envelope(1)], configuration }));
      writes[0]?.resolve();
    }
    await settle();
    failing.membership.noting.reject(new Error('EIO'));
    stopped.runner.stop();
    stopped.membership.noting.resolve();
    await settle();
    expect(failing.story).toEqual(['append 1', 'configuration 7', 'note', 'note failed']);
    expect(stopped.story).toEqual(['append 1', 'configuration 7', 'note']);
  });

  test('says nothing more for a disk that failed, nor once stopped', async () => {
    const failing = harness();
    failing.runner.run(ready({ persist: batch(1), sendAfterPersist: [envelope(1)] }));
    failing.writes[0]?.reject(new Error('EIO'));
    await settle();
    expect(failing.story).toEqual(['append 1', 'disk failed']);

    const stopped = harness();
    stopped.runner.run(ready({ persist: batch(1), sendAfterPersist: [envelope(1)] }));
    stopped.runner.stop();
    stopped.writes[0]?.resolve();
    await settle();
    expect(stopped.story).toEqual(['append 1']);
  });

  test('takes batches that become durable out of order for a broken invariant', async () => {
    const { story, writes, runner } = harness();
    runner.run(ready({ persist: batch(1) }));
    runner.run(ready({ persist: batch(2) }));
    writes[1]?.resolve();
    await settle();
    writes[0]?.resolve();
    await settle();
    expect(story.at(-1)).toContain('broken InvariantError');
  });

  test('reports an entry that cannot be read back as damage', async () => {
    const { story, runner } = harness();
    const [from, to] = [logIndex(1), logIndex(2)];
    runner.run(ready({ fetch: [{ ticket: 1, peer: nodeId('n2'), from, to, maxBytes: 1 }] }));
    await settle();
    expect(story).toEqual(['read failed']);
  });
});
