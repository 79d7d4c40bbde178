// Trials one after the other: a failure is counted and named, ends nothing, and decides the exit code.
import { describe, expect, test } from 'vitest';
import { conclude, runTrials, type Trial } from '../support/trials.ts';

const good = (name: string): Trial => ({
  name,
  replay: `again ${name}`,
  run: () => Promise.resolve(`${name} was seen`),
});
const bad = (name: string): Trial => ({
  ...good(name),
  run: () => Promise.reject(new Error(`${name} lost a write`)),
});

async function outcome(trials: readonly Trial[], skipped = 0, signal?: AbortSignal) {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const tally = await runTrials(trials, say, signal);
  const code = conclude(tally, skipped, say);
  return { code, text: lines.join('\n'), last: lines.at(-1) };
}

describe('trials', () => {
  test('all of them passed', async () => {
    const { code, text, last } = await outcome([good('a'), good('b')], 1);
    expect([code, last]).toEqual([0, '2 passed, 0 failed, 1 skipped']);
    expect(text).toMatch(/\[1\/2, .* min left\] a: a was seen, in \d+ s/);
  });

  test('one fails: it is named with the command that repeats it, and the rest go on', async () => {
    const { code, text, last } = await outcome([good('a'), bad('b'), good('c')]);
    expect([code, last]).toEqual([1, '2 passed, 1 failed, 0 skipped']);
    expect(text).toContain('FAILED: b: b lost a write\nagain: again b');
    expect(text).toContain('c was seen');
    expect(text).toContain('failed: b; again: again b');
  });

  test('where everything was skipped nothing was shown', async () => {
    expect((await outcome([], 2)).code).toBe(3);
  });

  test('an interruption begins no further one, and is no failure of the one that it met', async () => {
    const controller = new AbortController();
    const met: Trial = {
      ...bad('b'),
      run: () => {
        controller.abort();
        return Promise.reject(new Error('its servers are gone'));
      },
    };
    const { code, text, last } = await outcome([good('a'), met, good('c')], 0, controller.signal);
    expect([code, last]).toEqual([130, '1 passed, 0 failed, 0 skipped, interrupted before 2']);
    expect(text).not.toContain('c was seen');
  });
});
