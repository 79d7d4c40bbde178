// From one node's store to another's: every chunk once, again where it was lost or garbled, and never a mixture.
import { describe, expect, test } from 'vitest';
import { logIndex } from '../../src/lib/ids.ts';
import type { SnapshotChunk } from '../../src/node/peer-protocol.ts';
import { checksumOf } from '../../src/node/snapshot-stream.ts';
import { createRegistry, registryDefaults } from '../../src/registry/index.ts';
import { OTHER, SOURCE, SourceNode, TransferWorld } from './snapshot-world.ts';

const RUN_MS = 20_000;

const text = ({ data, crc, last }: SnapshotChunk): string =>
  `${crc} ${last} ${Buffer.from(data).toString('hex')}`;

const replaceLast = (world: TransferWorld, change: (chunk: SnapshotChunk) => SnapshotChunk) => {
  world.mangle = (chunk) => (chunk.last ? change(chunk) : chunk);
};

async function worldWith(count: number): Promise<TransferWorld> {
  const world = new TransferWorld();
  await world.node().fill(count);
  return world;
}

/** The puller has exactly what the source's store had. */
function expectContent(world: TransferWorld, from = SOURCE): void {
  expect(world.offered).toBe(true);
  const { state } = world.node(from);
  const { sealed } = world.state;
  expect(sealed?.header.meta).toEqual(state.last?.meta);
  expect(sealed?.header.configuration).toEqual(state.last?.configuration);
  expect(sealed?.content.records).toEqual(state.records);
}

const countBy = (world: TransferWorld): Map<number, number> => {
  const counts = new Map<number, number>();
  for (const { chunk } of world.requests) counts.set(chunk, (counts.get(chunk) ?? 0) + 1);
  return counts;
};

describe('a snapshot', () => {
  test('arrives whole, chunk after chunk, each asked for once', async () => {
    const world = await worldWith(50);
    await world.run(RUN_MS);
    expectContent(world);
    const counts = countBy(world);
    expect(counts.size).toBeGreaterThan(10);
    expect(Math.max(...counts.values())).toBe(1);
  });

  test('of an empty registry is one chunk', async () => {
    const world = await worldWith(0);
    await world.run(RUN_MS);
    expectContent(world);
  });

  test('loads into a registry with the same content, hash and answers', async () => {
    const world = await worldWith(30);
    await world.run(RUN_MS);
    await world.install();
    const { registry } = world.node().catalogue;
    const image = { ...world.target.image, ...world.state.last };
    const records = [...world.state.records].map(([key, value]) => ({ key, value }));
    const meta = world.state.last?.meta ?? image.meta;
    const loaded = createRegistry(registryDefaults, {
      appliedIndex: logIndex(10),
      meta,
      records,
    });
    expect(loaded.meta()).toEqual(registry.meta());
    expect(loaded.instanceCount).toBe(30);
  });

  test('is of one moment, whatever is written meanwhile', async () => {
    const world = await worldWith(40);
    const before = world.node().catalogue.registry.meta();
    let writing: Promise<void> | undefined;
    world.mangle = (chunk) => {
      if (chunk.chunk === 2) writing ??= world.node().fill(20, 'later');
      return chunk;
    };
    await world.run(RUN_MS);
    await writing;
    expect(world.node().catalogue.registry.meta()).not.toEqual(before);
    expect(world.state.sealed?.header.meta).toEqual(before);
    expect(world.state.sealed?.header.index).toBe(10);
  });

  test('goes on at the same chunk after the link was broken', async () => {
    const world = await worldWith(50);
    world.mangle = (chunk) => {
      if (chunk.chunk === 5) world.cut = true;
      return chunk;
    };
    await world.run(1500);
    expect(world.cut).toBe(true);
    const before = world.requests.length;
    world.mangle = (chunk) => chunk;
    world.cut = false;
    await world.run(RUN_MS);
    expectContent(world);
    expect(world.events).toEqual(['snapshot_pull_begun', 'snapshot_pull_resumed']);
    const again = world.requests.slice(before);
    expect(Math.min(...again.map(({ chunk }) => chunk))).toBeGreaterThanOrEqual(5);
    expect(new Set(world.requests.map(({ snapshotId }) => snapshotId))).toEqual(
      new Set(['', '1000']),
    );
  });

  test('asks again for a garbled chunk, and for that one alone', async () => {
    const world = await worldWith(50);
    let garbled = 0;
    world.mangle = (chunk) => {
      if (chunk.chunk !== 4 || garbled++ > 0) return chunk;
      const data = Uint8Array.from(chunk.data);
      data[7] = (data[7] ?? 0) ^ 1;
      return { ...chunk, data };
    };
    await world.run(RUN_MS);
    expectContent(world);
    const repeated = [...countBy(world)].filter(([, count]) => count > 1);
    expect(repeated).toEqual([[4, 2]]);
  });

  test('is given up when a chunk stays garbled, and tried afresh', async () => {
    const world = await worldWith(50);
    let garbled = 0;
    world.mangle = (chunk) => {
      if (chunk.chunk !== 4 || garbled++ > 6) return chunk;
      return { ...chunk, crc: chunk.crc ^ 1 };
    };
    await world.run(RUN_MS);
    expectContent(world);
    expect(countBy(world).get(0)).toBe(2);
  });

  test('survives chunks that are lost, late and doubled', async () => {
    const world = await worldWith(50);
    let place = 0;
    world.mangle = (chunk) => {
      place++;
      if (place % 3 === 0) return undefined;
      if (place % 4 === 0) world.pull.heard(SOURCE, chunk);
      return chunk;
    };
    await world.run(120_000);
    expectContent(world);
  });

  test('starts afresh when the source was started again', async () => {
    const world = await worldWith(50);
    let restarted = false;
    world.mangle = (chunk) => {
      if (chunk.chunk === 5 && !restarted) {
        restarted = true;
        const node = world.node();
        node.source.stop();
        node.source = node.life(7_000_000);
      }
      return chunk;
    };
    await world.run(RUN_MS);
    expectContent(world);
    expect(new Set(world.requests.map(({ snapshotId }) => snapshotId))).toEqual(
      new Set(['', '1000', '7000000']),
    );
  });

  test('is another one at once where the log of the source has moved beyond the first', async () => {
    const world = await worldWith(5);
    await world.run(RUN_MS);
    await world.install();
    world.appliedIndex = logIndex(10);
    await world.node().fill(5, 'more');
    world.node().floor = logIndex(15);
    world.offered = false;
    const askedMs = world.clock.now();
    await world.run(RUN_MS);
    expectContent(world);
    expect(world.state.sealed?.header.index).toBe(20);
    expect(world.clock.now() - askedMs).toBeLessThan(1000);
  });

  test('starts afresh from another node when the source falls silent', async () => {
    const world = await worldWith(50);
    await world.node(OTHER).fill(20, 'other');
    world.mangle = (chunk) =>
      chunk.chunk < 5 || Number(chunk.snapshotId) > 800_000 ? chunk : undefined;
    await world.run(1000);
    await world.run(RUN_MS, OTHER);
    expectContent(world, OTHER);
  });

  test('goes on from its source although another node leads, while it makes progress', async () => {
    const world = await worldWith(50);
    await world.node(OTHER).fill(20, 'other');
    await world.run(10);
    await world.run(RUN_MS, OTHER);
    expectContent(world);
  });
});

describe('a snapshot that cannot be used', () => {
  test('because records are missing leaves nothing behind, and says so', async () => {
    const world = await worldWith(50);
    replaceLast(world, ({ data, ...rest }) => ({
      ...rest,
      data: new Uint8Array(data),
      last: false,
    }));
    await world.run(3000);
    expect(world.offered).toBe(false);
    expect(world.state.sealed).toBeUndefined();
    expect(world.pull.problem).toContain('a chunk has bytes that are no record');
  });

  test('because it is of another cluster is refused at its first chunk', async () => {
    const world = await worldWith(50);
    world.clusterUuid = 'ffffffffffffffffffffffffffffffff';
    await world.run(3000);
    expect(world.offered).toBe(false);
    expect(world.pull.problem).toContain('the snapshot is of another cluster');
    expect(Math.max(...countBy(world).keys())).toBe(0);
  });

  test('because a source that does not notice has altered a record is refused by its hash (G13)', async () => {
    const world = await worldWith(50);
    world.mangle = (chunk) => {
      if (chunk.chunk !== 5) return chunk;
      const data = chunk.data.slice();
      data[data.length - 5] = (data[data.length - 5] ?? 0) ^ 1;
      return { ...chunk, data, crc: checksumOf(data) };
    };
    await world.run(3000);
    expect(world.offered).toBe(false);
    expect(world.state.sealed).toBeUndefined();
    expect(world.pull.problem).toContain('hash');
  });

  test('because the log here is beyond it is offered without being pulled', async () => {
    const world = await worldWith(50);
    world.appliedIndex = logIndex(10);
    await world.run(3000);
    expect(world.offered).toBe(true);
    expect(Math.max(...countBy(world).keys())).toBe(0);
    world.pull.turnEnded();
    expect(world.pull.installing).toBeUndefined();
  });

  test('because the source began its log behind it is not given', async () => {
    const world = await worldWith(10);
    world.node().floor = logIndex(11);
    await world.run(3000);
    expect(world.offered).toBe(false);
    expect(world.pull.problem).toContain('n1 cannot give the snapshot');
    await world.clock.advance(5000);
    expect(world.pull.problem, 'it is not needed any more').toBeUndefined();
    world.node().floor = logIndex(10);
    await world.run(3000);
    expectContent(world);
  });

  test('because the disk is full is tried again, and the node lives', async () => {
    let full = true;
    const world = new TransferWorld();
    const stage = world.target.stage.bind(world.target);
    world.target.stage = (header) =>
      full ? Promise.reject(new Error('ENOSPC: no space left on device')) : stage(header);
    await world.node().fill(20);
    await world.run(3000);
    expect(world.pull.problem).toContain('it could not be staged: ENOSPC');
    full = false;
    await world.run(3000);
    expectContent(world);
  });

  test('because the core turned it down is thrown away, and not pulled again at once', async () => {
    const world = await worldWith(10);
    await world.run(3000);
    expect(world.state.sealed).toBeDefined();
    world.pull.turnEnded();
    await world.clock.settle();
    expect(world.state.sealed).toBeUndefined();
    const before = world.requests.length;
    world.pull.wanted(SOURCE);
    expect(world.requests.length).toBe(before);
  });
});

describe('the source', () => {
  test('closes a snapshot nobody asks for any more, and names the open ones', async () => {
    const world = await worldWith(50);
    world.mangle = (chunk) => {
      if (chunk.chunk === 5) world.cut = true;
      return chunk;
    };
    await world.run(1000);
    const { source } = world.node();
    expect(source.open()).toEqual([{ peer: 'n2', index: 10 }]);
    await world.clock.advance(30_000);
    source.tick(world.clock.now());
    expect(source.open()).toEqual([]);
    world.cut = false;
    world.mangle = (chunk) => chunk;
    await world.run(RUN_MS);
    expectContent(world);
    expect(countBy(world).get(0)).toBe(2);
  });

  test('gives the same bytes for the same chunk, at any time', async () => {
    const world = await worldWith(50);
    const seen = new Map<string, string>();
    world.mangle = (chunk) => {
      const key = `${chunk.snapshotId} ${chunk.chunk}`;
      expect(seen.get(key) ?? text(chunk)).toBe(text(chunk));
      seen.set(key, text(chunk));
      return seen.size % 3 === 0 ? undefined : chunk;
    };
    await world.run(120_000);
    expect(world.requests.length).toBeGreaterThan(seen.size);
  });

  test('serves no more snapshots than the store can hold open (G17)', async () => {
    const world = await worldWith(5);
    const node = world.node();
    const answers: string[] = [];
    for (const peer of ['a', 'b', 'c', 'd', 'e', 'f']) {
      node.source.serve(
        peer as typeof SOURCE,
        { kind: 'snapshotRequest', id: 1, snapshotId: '', chunk: 0 },
        (chunk) => answers.push(chunk.snapshotId),
      );
    }
    await world.clock.settle();
    expect(answers.filter((id) => id === '')).toHaveLength(1);
    expect(node.source.open()).toHaveLength(5);
  });

  test('does not remember requests without limit (G17)', async () => {
    const world = await worldWith(5);
    const { source } = world.node();
    let answers = 0;
    for (let id = 0; id < 1000; id++) {
      const request = { kind: 'snapshotRequest', id, snapshotId: 'x', chunk: id } as const;
      source.serve(SOURCE, request, () => {
        answers++;
      });
    }
    await world.clock.settle();
    expect(answers).toBeLessThanOrEqual(17);
  });

  test('that takes a snapshot over itself gives no more of the state it had, and lives', async () => {
    const world = await worldWith(50);
    const node = world.node();
    const { source, store } = node;
    const answers: SnapshotChunk[] = [];
    const ask = async (snapshotId: string, chunk: number): Promise<SnapshotChunk | undefined> => {
      const request = { kind: 'snapshotRequest', id: 1, snapshotId, chunk } as const;
      source.serve(OTHER, request, (answer) => answers.push(answer));
      await world.clock.settle();
      return answers.at(-1);
    };
    const first = await ask('', 0);
    const view = await store.snapshot();
    const stage = await store.stage(view.header);
    for (let after = '', done = false; !done; ) {
      const part = await view.read(after, 1000);
      await stage.add(part.records);
      after = part.records.at(-1)?.key ?? after;
      ({ done } = part);
    }
    await stage.seal();
    await stage.install();
    expect(source.open()).toEqual([]);
    expect(await ask(first?.snapshotId ?? '', 1)).toMatchObject({ snapshotId: '' });
    expect(node.failures).toEqual([]);
    // Asked for at once, it is a new one.
    const again = await ask('', 0);
    expect(again?.data.length).toBeGreaterThan(0);
    expect(again?.snapshotId).not.toBe(first?.snapshotId);
    expect(node.failures).toEqual([]);
  });

  test('that cannot read its store says so: it is not to be trusted', async () => {
    const node = new SourceNode(new TransferWorld().clock);
    await node.fill(3);
    const snapshot = node.store.snapshot.bind(node.store);
    node.store.snapshot = async () => ({
      ...(await snapshot()),
      read: () => Promise.reject(new Error('rot')),
    });
    node.source.serve(OTHER, { kind: 'snapshotRequest', id: 1, snapshotId: '', chunk: 0 }, () => {
      throw new Error('nothing is answered');
    });
    await new TransferWorld().clock.settle();
    expect(node.failures.map(String)).toEqual(['Error: rot']);
  });
});
