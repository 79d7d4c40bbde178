// Warnings about peers come at most once a minute each, however often the reason repeats.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createOccasionalLog } from '../../src/transport/occasional-log.ts';
import { FakeClock } from '../support/fake-clock.ts';

function start() {
  const lines: { msg: string; peer: string; suppressed: number }[] = [];
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
  for (let stranger = 0; stranger <= 256; stranger++) warn('no hello in time', `${stranger}`, {});
  warn('no hello in time', '256', {});
  expect(lines).toHaveLength(257);
  warn('no hello in time', '0', {});
  expect(lines).toHaveLength(258);
});
