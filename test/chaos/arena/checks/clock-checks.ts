// A wall clock that jumps by years, and monotonic time that does not.
import { readFileSync } from 'node:fs';
import { pollUntil } from '../../../support/poll.ts';
import type { ArenaNode } from '../arena.ts';
import { type Check, expect, leaderOf } from './ground.ts';

interface LogLine {
  readonly time?: string;
  readonly event?: string;
  readonly gap_ms?: number;
}

const linesOf = (node: ArenaNode): readonly LogLine[] =>
  readFileSync(node.logFile, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);

const years = (count: number): number => count * 365 * 24 * 3600 * 1000;

const jump: Check = {
  title: 'a wall clock jumps by years and back; monotonic time does not',
  needs: ['wallClock'],
  run: async (arena) => {
    const leader = await leaderOf(arena);
    const [node = leader, other = leader] = arena.nodes.filter((each) => each !== leader);
    const { term } = await leader.status();
    const from = linesOf(node).length;
    await node.clock.shift(years(7));
    const forward = await node.clock.offsetMs();
    const besides = await other.clock.offsetMs();
    await node.clock.shift(years(-20));
    const backward = await node.clock.offsetMs();
    // Something to write into its log, with the time it takes it to be.
    await other.kill();
    await pollUntil(() => linesOf(node).length > from, { what: 'a line', timeoutMs: 10_000 });
    const line = linesOf(node).at(-1);
    const loggedMs = Date.parse(line?.time ?? '') - Date.now();
    other.start();
    await node.clock.shift(years(13));
    const back = await node.clock.offsetMs();
    expect(forward === years(7) && backward === years(-13) && back === 0, `off by ${forward}`);
    expect(besides === 0, `the clock of ${other.id} is off by ${besides}`);
    expect(Math.abs(loggedMs - years(-13)) < 60_000, `${node.id} logs ${line?.time}`);
    // A node tells gaps in its monotonic time; a busy host makes some of seconds.
    const gaps = linesOf(node).flatMap(({ gap_ms: gap }) => (gap === undefined ? [] : [gap]));
    expect(Math.max(0, ...gaps) < 60_000, `monotonic time jumped by ${Math.max(...gaps)} ms`);
    const now = (await (await leaderOf(arena)).status()).term;
    return `${node.id} wrote ${line?.time} into its log; term ${term} before, ${now} after`;
  },
};

export const clockChecks: readonly Check[] = [jump];
