// A history read back is the history that was written, and nothing else passes for one.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClientEvent } from './event.ts';
import { HistoryFile } from './history-file.ts';
import { parseEvent, readEvents } from './read-events.ts';

const removal = {
  kind: 'remove',
  instanceId: 'a',
  mark: 'm2',
  content: '',
  expired: false,
} as const;
const events: readonly ClientEvent[] = [
  { kind: 'watch', watcher: 'w', atMs: 1 },
  { kind: 'watch', watcher: 'some', service: 'orders', atMs: 1.5 },
  {
    kind: 'write',
    client: 'c',
    write: {
      kind: 'register',
      instanceId: 'a',
      mark: 'm1',
      invokedAtMs: 2.25,
      returnedAtMs: 3,
      outcome: 'acknowledged',
      revision: 1,
      changed: true,
      generation: 0,
      effect: { kind: 'put', mark: 'm1', lifecycle: 'serving', mayExpire: true },
      answers: ['revision 1', 'revision 1'],
    },
  },
  {
    kind: 'read',
    read: {
      client: 'c',
      consistency: 'bounded',
      invokedAtMs: 4,
      returnedAtMs: 5,
      minRevision: 1,
      maxStalenessMs: 500,
      revision: 1,
      instances: [['a', 'orders …']],
      values: [['a', 'm1 serving']],
    },
  },
  { kind: 'readFailed', client: 'c', atMs: 6, code: 'UNAVAILABLE no_quorum' },
  {
    kind: 'beat',
    beat: { instanceId: 'a', generation: 0, sentAtMs: 6, endedAtMs: 7, outcome: 'fenced' },
  },
  { kind: 'keep', keep: { instanceId: 'a', fromMs: 1, toMs: 7 } },
  { kind: 'resumed', watcher: 'w', atMs: 8, endpoint: '127.0.0.1:1' },
  {
    kind: 'message',
    watcher: 'w',
    message: { atMs: 8, revision: 2, reset: false, more: false, changes: [removal] },
  },
  { kind: 'stalled', client: 'c', fromMs: 9, toMs: 10 },
];

let directory = '';
let path = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-history-'));
  path = join(directory, 'c.history.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function readAll(): Promise<readonly ClientEvent[]> {
  const found: ClientEvent[] = [];
  const { cutShort } = await readEvents(path, (event) => found.push(event));
  expect(cutShort).toBe(false);
  return found;
}

describe('the history of a client process', () => {
  test('is read as it was written, events of every kind, beyond what is buffered', async () => {
    const file = new HistoryFile(path);
    for (let round = 0; round < 300; round++) for (const event of events) file.write(event);
    file.end();
    const read = await readAll();
    expect(read.length).toBe(300 * events.length);
    expect(read.slice(-events.length)).toEqual(events);
  });

  test('holds what was flushed before its process is gone', async () => {
    const file = new HistoryFile(path);
    for (const event of events) file.write(event);
    file.flush();
    expect(await readAll()).toEqual(events);
    file.end();
  });

  test('takes nothing after its end', async () => {
    const file = new HistoryFile(path);
    file.end();
    for (const event of events) file.write(event);
    file.end();
    expect(await readAll()).toEqual([]);
  });

  test('may end in half a line, which is left out and told', async () => {
    const file = new HistoryFile(path);
    for (const event of events) file.write(event);
    file.end();
    appendFileSync(path, '{"kind":"keep","keep":{"inst');
    const found: ClientEvent[] = [];
    const end = await readEvents(path, (event) => found.push(event));
    expect(end).toEqual({ lines: events.length, cutShort: true });
    expect(found).toEqual(events);
  });

  test.for([
    ['half an event', '{"kind":"keep","keep":{"inst'],
    ['an event in which a field was altered', '{"kind":"watch","watcher":"w","atMs":"1"}'],
    ['an empty line', ''],
  ] as const)('is refused where %s is a line of it, by file and line', async ([, line]) => {
    const file = new HistoryFile(path);
    for (const event of events) file.write(event);
    file.end();
    appendFileSync(path, `${line}\n`);
    await expect(readAll()).rejects.toThrow(`${path}: line ${events.length + 1} is no event`);
  });

  test.for([
    ['of a kind that there is not', { kind: 'sleep', atMs: 1 }],
    ['with a field too many', { kind: 'watch', watcher: 'w', atMs: 1, more: true }],
    ['without its time', { kind: 'watch', watcher: 'w' }],
    ['at no time', { kind: 'watch', watcher: 'w', atMs: null }],
    ['at a time in words', { kind: 'keep', keep: { instanceId: 'a', fromMs: 'now', toMs: 2 } }],
    ['that is a list', []],
  ] as const)('is refused where an event is one %s', ([, value]) => {
    expect(() => parseEvent(value)).toThrow();
  });
});
