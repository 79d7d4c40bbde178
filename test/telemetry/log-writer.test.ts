// Lines on their way to a descriptor: all of them, in order, as long as somebody reads; and no waiting for somebody who is gone.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogWriter } from '../../src/telemetry/log-writer.ts';
import { pollUntil } from '../support/poll.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const MAX_WAITING_BYTES = 1 << 20;

let directory = '';
let reader = -1;
let descriptor = -1;
let dropped: number[] = [];
let writer: LogWriter;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-log-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  reader = openSync(path, O_RDONLY | O_NONBLOCK);
  descriptor = openSync(path, O_WRONLY | O_NONBLOCK);
  dropped = [];
  const onDropped = (count: number): void => void dropped.push(count);
  writer = new LogWriter({ descriptor, maxWaitingBytes: MAX_WAITING_BYTES, onDropped });
});
afterEach(() => {
  if (reader !== -1) closeSync(reader);
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

/** What is in the pipe now. */
function readNow(): string {
  const buffer = Buffer.alloc(1 << 16);
  let text = '';
  try {
    for (;;) {
      const bytes = readSync(reader, buffer);
      if (bytes === 0) return text;
      text += buffer.toString('utf8', 0, bytes);
    }
  } catch {
    return text;
  }
}

async function readLines(count: number): Promise<readonly string[]> {
  let text = '';
  const complete = (): boolean => {
    text += readNow();
    return text.split('\n').length > count;
  };
  await pollUntil(complete, { what: `${count} lines`, timeoutMs: 10_000 });
  return text.trimEnd().split('\n');
}

function lines(count: number, length = 100): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${index} `.padEnd(length, '.'));
}

describe('a log writer', () => {
  test('writes lines as they come, longer ones than a chunk too, without a flush', async () => {
    const sent = [...lines(3), 'é'.repeat(9000), ...lines(200)];
    for (const line of sent) writer.write(`${line}\n`);
    expect(await readLines(sent.length)).toEqual(sent);
  });

  test('loses none at a flush: each line is written by then, or under way', async () => {
    const sent = lines(300);
    for (const line of sent) writer.write(`${line}\n`);
    writer.flush();
    // The chunk under way when the flush began may come after it.
    expect((await readLines(sent.length)).toSorted()).toEqual(sent.toSorted());
  });

  test('gives up on a reader that is gone, also at a flush and after it', async () => {
    for (const line of lines(300)) writer.write(`${line}\n`);
    closeSync(reader);
    reader = -1;
    writer.flush();
    writer.write('nobody\n');
    writer.flush();
  });

  test('holds the loop at a flush for a moment only when the reader stalls', () => {
    for (const line of lines(2000)) writer.write(`${line}\n`);
    const before = performance.now();
    writer.flush();
    expect(performance.now() - before).toBeLessThan(5000);
  });

  test('drops what is beyond the limit while the reader stalls, goes on when it reads, and tells how many', async () => {
    const sent = lines(20_000);
    for (const line of sent) writer.write(`${line}\n`);
    let text = '';
    const told = (): boolean => {
      text += readNow();
      return dropped.length > 0;
    };
    await pollUntil(told, { what: 'the count of dropped lines', timeoutMs: 10_000 });
    const read = (text + readNow()).trimEnd().split('\n');
    expect(read).toEqual(sent.slice(0, read.length));
    expect(dropped).toEqual([sent.length - read.length]);
    writer.write('again\n');
    expect(await readLines(1)).toEqual(['again']);
  });
});
