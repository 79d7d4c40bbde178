// Warnings about peers come at most once a minute each, however often the reason repeats.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createOccasionalLog } from '../../src/transport/occasional-log.ts';
import { FakeClock } from '../support/fake-clock.ts';

function start() {
  const lines: { msg: string; peer: string; suppressed: number; others?: number }[] = [];
  const clock = new FakeClock();
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) });
  return { lines, clock, warn: createOccasionalLog(log, clock) };
}

test('writes the first of a kind for each peer, and counts the others until a minute has passed', async () => {
  const { lines, clock, warn } = start();
  for (let repeat = 0; repeat < 10; repeat++) warn('cannot reach peer', 'n2', { code: 14 });
  warn('cannot reach peer', 'n3', {});
  warn('refused a peer', 'n2', {});
  await clock.advance(59_999);
  warn('cannot reach peer', 'n2', {});
  expect(lines.map(({ msg, peer }) => `${msg} ${peer}`)).toEqual([
    'cannot reach peer n2',
    'cannot reach peer n3',
    'refused a peer n2',
  ]);
  await clock.advance(1);
  warn('cannot reach peer', 'n2', {});
  expect(lines[3]).toMatchObject({ msg: 'cannot reach peer', peer: 'n2', suppressed: 10 });
});

test('remembers a bounded number of peers, and forgets the oldest', () => {
  const { lines, warn } = start();
  for (let stranger = 0; stranger <= 256; stranger++)
    warn(`event ${stranger % 9}`, `${stranger}`, {});
  warn('event 4', '256', {});
  expect(lines).toHaveLength(257);
  warn('event 0', '0', {});
  expect(lines).toHaveLength(258);
});

test('writes no more about strangers who come under another name each time, and counts them (G17)', async () => {
  const { lines, clock, warn } = start();
  for (let stranger = 0; stranger < 1000; stranger++) warn('refused a peer', `x${stranger}`, {});
  expect(lines).toHaveLength(32);
  warn('cannot reach peer', 'n2', {});
  expect(lines).toHaveLength(33);
  await clock.advance(60_000);
  warn('refused a peer', 'x1001', {});
  warn('refused a peer', 'x1002', {});
  expect(lines.slice(33).map(({ others }) => others)).toEqual([968, undefined]);
});
