// Files of the state store deleted or damaged while the node is down. The store is a copy: it is thrown away and made again
// from the log, or comes as a snapshot.
import { open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { Random } from '../../../src/lib/random.ts';
import { recordKey } from '../../../src/storage/keys.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import { type Fault, NoEffect, ofAll, ofOne } from './fault.ts';
import {
  expectEffect,
  idsOf,
  logEnd,
  logSince,
  revive,
  takeFollower,
  takeLeader,
} from './node-state.ts';

type Damage = 'current' | 'manifest' | 'table' | 'flip' | 'everything';
const damages: readonly Damage[] = ['current', 'manifest', 'table', 'flip', 'everything'];

/** The largest file of that kind, which is never one that was just begun. */
async function largest(
  directory: string,
  wanted: RegExp,
  leastBytes = 0,
): Promise<string | undefined> {
  let found: { path: string; size: number } | undefined;
  for (const name of await readdir(directory)) {
    if (!wanted.test(name)) continue;
    const path = join(directory, name);
    const { size } = await stat(path);
    if (size > (found?.size ?? leastBytes)) found = { path, size };
  }
  return found?.path;
}

const storedTimeoutMs = 30_000;
/** Of a few dozen records. */
const storedBytes = 32 * 1024;

/** A store that was only just made holds nothing that could be lost. */
const hasRecords = async (dataDir: string): Promise<boolean> =>
  (await largest(join(dataDir, 'state'), /\.(ldb|log)$/, storedBytes)) !== undefined;

/** Turns 64 bytes in the middle of a file around. */
async function flipMiddle(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(64, size));
    const at = Math.floor((size - bytes.length) / 2);
    await file.read(bytes, 0, bytes.length, at);
    await file.write(Buffer.from(bytes.map((byte) => byte ^ 0xff)), 0, bytes.length, at);
    await file.sync();
  } finally {
    await file.close();
  }
}

const instances = recordKey('i/');

/** Takes an instance out by the front door: for LevelDB all is well, and only the hash over all records tells. */
async function dropRecord(dataDir: string, random: Random): Promise<string> {
  const database = new ClassicLevel<string>(join(dataDir, 'state'));
  try {
    const keys = (await database.keys().all()).filter((key) => key.startsWith(instances));
    const key = keys[random.integer(0, Math.max(1, keys.length))];
    if (key === undefined) throw new NoEffect('there is no record to lose');
    await database.del(key, { sync: true });
    return `the record ${key} lost`;
  } finally {
    await database.close();
  }
}

/** Does it and says what was done. */
async function damage(dataDir: string, random: Random): Promise<string> {
  const directory = join(dataDir, 'state');
  const kind = damages[random.integer(0, damages.length)] ?? 'everything';
  const records = await largest(directory, /\.(ldb|log)$/);
  switch (kind) {
    case 'current':
      await rm(join(directory, 'CURRENT'));
      return 'CURRENT deleted';
    case 'manifest':
      await writeFile((await largest(directory, /^MANIFEST/)) ?? '', 'nothing of use');
      return 'the manifest overwritten';
    case 'table':
      if (records !== undefined) await rm(records);
      return `${records?.split('/').at(-1) ?? 'nothing'} deleted`;
    case 'flip':
      if (records !== undefined) await flipMiddle(records);
      return `64 bytes in ${records?.split('/').at(-1) ?? 'nothing'} turned around`;
    case 'everything':
      await rm(directory, { recursive: true });
      return 'all of it deleted';
  }
}

/** In the words of src/storage/state-store.ts. Where nothing is left that could be discarded it begins at the first entry, or
 * with a snapshot where the log no longer reaches back so far. */
const rebuilt =
  /the stored state is discarded|state_discarded|snapshot_pull_begun|"running","applied_index":[01][,}]/;

export const damageState: Fault = {
  kind: 'damageState',
  needs: ['absence'],
  ...ofOne,
  lastsMs: (random) => random.integer(200, 1500),
  strike: async (field) => {
    const leads = field.random.next() < 0.4;
    const node = leads ? await takeLeader(field) : await takeFollower(field);
    const atMs = monotonicMs();
    const from = logEnd(node);
    await node.kill('SIGKILL');
    const done = damage(node.dataDir, field.random);
    await done.catch(() => undefined);
    return {
      what: `kill -9 of ${node.id}${leads ? ', the leader' : ''}, its state store damaged`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: leads ? 'kill' : undefined,
      heal: async () => {
        const tookMs = await revive(node);
        const what = await undamaged(done);
        await expectEffect(`${node.id} to make its state anew (${what})`, 20_000, async () =>
          rebuilt.test(await logSince(node, from)),
        );
        const discarded = (await logSince(node, from)).includes('discarded');
        return `${what}; ${discarded ? 'discarded and made anew' : 'made anew'}, answers after ${tookMs} ms`;
      },
    };
  },
};

const undamaged = (done: Promise<string>): Promise<string> =>
  done.catch((cause: unknown) => {
    throw new NoEffect('the state could not be damaged', { cause });
  });

/** All are away at once: else the node would be sent a snapshot, and whatever its store held would never be asked for. */
export const loseRecord: Fault = {
  kind: 'loseRecord',
  needs: ['absence'],
  ...ofAll,
  lastsMs: (random) => random.integer(50, 500),
  strike: async (field) => {
    const nodes = field.free();
    const node = await takeFollower(field);
    await expectEffect(`${node.id} to have stored its state`, storedTimeoutMs, () =>
      hasRecords(node.dataDir),
    );
    const atMs = monotonicMs();
    const from = logEnd(node);
    await Promise.all(nodes.map((one) => one.kill('SIGKILL')));
    const done = dropRecord(node.dataDir, field.random);
    await done.catch(() => undefined);
    return {
      what: `kill -9 of all nodes at once, a record gone from the state store of ${node.id}`,
      nodes: idsOf(nodes),
      holds: idsOf(nodes),
      atMs,
      gap: undefined,
      heal: async () => {
        const tookMs = await Promise.all(nodes.map(revive));
        const what = await undamaged(done);
        await expectEffect(`${node.id} to discard its state (${what})`, 5000, async () =>
          (await logSince(node, from)).includes('"state_discarded"'),
        );
        return `${what}; discarded and made anew, all answer after ${Math.max(...tookMs)} ms`;
      },
    };
  },
};
