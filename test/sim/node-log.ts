// The logs of the simulated nodes: structured lines that feed the coverage counters, the trace and its hash.
import { type Logger, pino } from 'pino';
import type { Counter, Coverage } from './coverage.ts';
import type { Timeline } from './timeline.ts';

const counted: Readonly<Record<string, Counter>> = {
  truncated: 'truncations',
  stepped_down: 'stepDowns',
  staleReplyDropped: 'staleReplies',
  clock_gap: 'clockGaps',
};

export interface NodeLogHost {
  readonly timeline: Timeline;
  readonly coverage: Coverage;
  /** Told each line, where somebody reads them. */
  readonly tell: ((node: string, line: string) => void) | undefined;
}

export function createNodeLog({ timeline, coverage, tell }: NodeLogHost, node: string): Logger {
  const write = (line: string): void => {
    const { event, msg } = JSON.parse(line) as { event?: string; msg?: string };
    const counter = counted[event ?? ''];
    if (counter !== undefined) coverage.count(counter);
    if (msg?.includes('was torn') === true) coverage.count('tornTailsCut');
    // Not the whole line: an error carries a stack, which names files of this host.
    timeline.note(`${node} ${event ?? msg ?? ''}`);
    tell?.(node, line.trimEnd());
  };
  return pino({ level: 'debug', base: null, timestamp: false }, { write });
}
