// The process's log: lines that machines read, lines that people read, and nothing lost at the end.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { componentLogger, createLogger, type ProcessLogger } from '../../src/telemetry/logger.ts';
import { pollUntil } from '../support/poll.ts';

let directory = '';
let descriptor = -1;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-log-'));
  descriptor = openSync(join(directory, 'log'), 'a');
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

const read = (): string => readFileSync(join(directory, 'log'), 'utf8');

/** The one line that `use` leaves in the log. */
async function written(
  use: (logger: ProcessLogger) => void,
  format: 'json' | 'pretty',
): Promise<string> {
  const logger = createLogger({ level: 'info', format, descriptor });
  use(logger);
  logger.flush();
  const complete = (): boolean => read().endsWith('\n');
  await pollUntil(complete, { what: 'a line in the log', timeoutMs: 10_000 });
  return read();
}

describe('a log', () => {
  test('in JSON has one object per line, with component, event and fields, without waiting for more', async () => {
    const text = await written(({ log }) => {
      componentLogger(log, 'storage').warn({ event: 'state_discarded', reason: 'hash' });
      log.debug('not at this level');
    }, 'json');
    const line = JSON.parse(text) as Readonly<Record<string, unknown>>;
    expect(line).toMatchObject({
      level: 40,
      component: 'storage',
      event: 'state_discarded',
      reason: 'hash',
    });
    expect(line['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(text.endsWith('\n')).toBe(true);
  });

  test('for people is one line with component, event and fields', async () => {
    const text = await written(({ log }) => {
      componentLogger(log, 'node').info({ event: 'ready', node_id: 'n1' });
    }, 'pretty');
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    const plain = stripVTControlCharacters(text);
    expect(plain).toMatch(/^\[[\d:.]+\] INFO: node: ready .*"node_id":"n1"/);
  });

  test('maps a stack to the source when it writes it, and lets nobody else pay for that', async () => {
    const before = process.sourceMapsEnabled;
    process.setSourceMapsEnabled(true);
    try {
      const error = new Error('broken');
      Object.defineProperty(error, 'stack', { get: () => `mapped: ${process.sourceMapsEnabled}` });
      const text = await written(({ log }) => {
        expect(process.sourceMapsEnabled).toBe(false);
        componentLogger(log, 'node').error({ event: 'call_failed', err: error });
        expect(process.sourceMapsEnabled).toBe(false);
      }, 'json');
      expect(JSON.parse(text)).toMatchObject({ err: { message: 'broken', stack: 'mapped: true' } });
    } finally {
      process.setSourceMapsEnabled(before);
    }
  });
});
