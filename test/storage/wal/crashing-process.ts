// A process that writes a log on a disk in memory, and dies at one of its disk operations: the kernel, or the power, decides
// what becomes of the operations under way and of what was not synced.
import { expect } from 'vitest';
import { deferred } from '../../../src/lib/deferred.ts';
import { logIndex } from '../../../src/lib/ids.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { LogStore } from '../../../src/node/ports.ts';
import type { Configuration, HardState, LogEntry, LogFloor } from '../../../src/raft/index.ts';
import type { WalOptions } from '../../../src/storage/wal/open-wal.ts';
import type { WriteAheadLog } from '../../../src/storage/wal/write-ahead-log.ts';
import { LogModel, type BatchPlan } from '../../support/log-batches.ts';
import type { DiskCall, MemoryDisk } from '../../support/memory-disk.ts';
import { openOn } from '../../support/wal-fixtures.ts';

const SECTOR = 512;

/** How a process ends: which of its disk operations is the last, and what the crash leaves of the rest. */
export interface Death {
  /** Operations that complete; the one after is under way, and so are those begun beside it. */
  readonly after: number;
  readonly power: boolean;
  /** Chance that a sector, or a change of a name, that was not synced is on the medium all the same. */
  readonly luck: number;
}

/** What one life left behind. */
export interface Life {
  /** Operations that completed. */
  readonly operations: number;
  readonly died: boolean;
  /** What the log may hold now, the acknowledged state first, then with each batch under way. */
  readonly candidates: readonly LogModel[];
  /** The log, where the process did not die. */
  readonly wal: WriteAheadLog | undefined;
}

/** Appends `groups`, each in one turn, to the log on `disk`, which is as `model` says. Background work of the log takes its
 * steps in any order beside the writes. */
export async function live(
  disk: MemoryDisk,
  model: LogModel,
  groups: readonly (readonly BatchPlan[])[],
  options: WalOptions & { readonly random: Random; readonly death?: Death },
): Promise<Life> {
  const { random, death, ...walOptions } = options;
  const operations = attach(disk, random, death?.after ?? Infinity);
  let candidates: LogModel[] = [model];
  const run = async (): Promise<WriteAheadLog> => {
    const wal = await openOn(disk, walOptions);
    for (const plans of groups) {
      const next = new LogModel(candidates[0]);
      const appends = plans.map((plan) => {
        const appended = wal.append(next.next(plan));
        candidates.push(new LogModel(next));
        return appended;
      });
      await Promise.all(appends);
      candidates = [next];
      // Now and then the background gets ahead.
      if (random.next() < 0.5) await operations.rest();
    }
    await operations.rest();
    await wal.close();
    return wal;
  };
  const running = run();
  // A dead process never settles it.
  const wal = await Promise.race([running, operations.died]);
  if (wal === undefined && death !== undefined) crash(disk, operations.underWay, death, random);
  disk.fault = () => undefined;
  return { operations: operations.count(), died: wal === undefined, candidates, wal };
}

interface Operations {
  readonly count: () => number;
  readonly died: Promise<undefined>;
  readonly underWay: readonly DiskCall[];
  /** Resolves when nothing is under way. */
  rest(): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const named = ({ index, payload }: Configuration): string => `${index}=${hex(payload)}`;

/** Lets the operations under way complete one at a time, in random order, until one too many. */
function attach(disk: MemoryDisk, random: Random, after: number): Operations {
  const underWay: DiskCall[] = [];
  const resolvers = new Map<DiskCall, () => void>();
  const died = deferred<undefined>();
  let count = 0;
  let pumping: Promise<void> | undefined;
  const pump = async (): Promise<void> => {
    for (await turn(); underWay.length > 0; await turn()) {
      if (count === after) {
        died.resolve(undefined);
        // Nothing the process waits for comes any more.
        await new Promise(() => undefined);
      }
      const [call] = underWay.splice(random.integer(0, underWay.length), 1);
      count++;
      if (call !== undefined) resolvers.get(call)?.();
    }
    pumping = undefined;
  };
  disk.fault = (call) =>
    new Promise((resolve) => {
      underWay.push(call);
      resolvers.set(call, resolve);
      pumping ??= pump();
    });
  const rest = async (): Promise<void> => {
    await turn();
    if (pumping === undefined) return;
    await pumping;
    await rest();
  };
  return { count: () => count, died: died.promise, underWay, rest };
}

function crash(
  disk: MemoryDisk,
  underWay: readonly DiskCall[],
  { power, luck }: Death,
  random: Random,
): void {
  for (const { action, path, bytes, position = 0 } of underWay) {
    if (action !== 'write' || bytes === undefined || !disk.paths().includes(path)) continue;
    const cached = disk.bytesOf(path);
    for (let at = 0; at < bytes.length && position + at < cached.length; at += SECTOR) {
      if (random.next() >= luck) continue;
      const sector = bytes.subarray(at, at + SECTOR);
      if (random.next() < 0.5) disk.scribble(path, position + at, sector);
      else cached.set(sector, position + at);
    }
  }
  if (power) disk.cutPower(() => random.next() < luck);
}

/** Opens what a life left behind: the one of its candidates that the log is, whole and in every word. */
export async function survivor(
  disk: MemoryDisk,
  { candidates }: Life,
  options: WalOptions,
): Promise<LogModel> {
  const wal = await openOn(disk, options);
  const found = await wordsOf(wal);
  await wal.close();
  const match = candidates.find((candidate) => words(candidate) === found);
  if (match === undefined) expect(found).toBe(candidates.map(words).join('\nor\n'));
  return match ?? new LogModel();
}

interface Words {
  readonly hardState: HardState;
  readonly floor: LogFloor;
  readonly configurations: readonly Configuration[];
  readonly entries: readonly LogEntry[];
}

async function wordsOf(store: LogStore): Promise<string> {
  const { floor, lastIndex } = store.image;
  const from = logIndex(floor.index + 1);
  const entries = from > lastIndex ? [] : await store.read(from, lastIndex, 1 << 30);
  return words({ ...store.image, entries });
}

function words({ hardState, floor, configurations, entries }: Words): string {
  return [
    `term ${hardState.term} vote ${hardState.votedFor} commit ${hardState.commitIndex}`,
    `floor ${floor.index} of ${floor.term} with ${named(floor.configuration)}`,
    `configurations ${configurations.map(named).join(' ')}`,
    ...entries.map(({ index, term, kind, payload }) => `${index} ${term} ${kind} ${hex(payload)}`),
  ].join('\n');
}
