// The logs of the simulated nodes: structured lines that feed the coverage counters, the trace and its hash.
import { type Logger, pino } from 'pino';
import type { Counter, Coverage } from './coverage.ts';
import type { Timeline } from './timeline.ts';

const counted: Readonly<Record<string, Counter>> = {
  truncated: 'truncations',
  stepped_down: 'stepDowns',
  staleReplyDropped: 'staleReplies',
  clock_gap: 'clockGaps',
  floorRaised: 'floorsRaised',
  logReplaced: 'logsReplaced',
  snapshotNeeded: 'snapshotsNeeded',
  transferStarted: 'transfersStarted',
  snapshot_opened: 'snapshotsOpened',
  snapshot_pull_begun: 'snapshotsPulled',
  snapshot_pull_ended: 'snapshotsGivenUp',
  snapshot_installed: 'snapshotsInstalled',
  follower_falls_behind: 'fallsBehind',
  state_scrubbed: 'scrubs',
  snapshot_chunk_damaged: 'chunksRefused',
};

export interface NodeLogHost {
  readonly timeline: Timeline;
  readonly coverage: Coverage;
  /** A node says that it leads. */
  readonly leads: (node: string, term: number) => void;
  /** A node begins to pull a snapshot from another. */
  readonly pulls: (node: string, source: string) => void;
  /** A node has scrubbed its state on disk, which took it so long, and found it right. */
  readonly scrubbed: (node: string, tookMs: number) => void;
  /** Told each line, where somebody reads them. */
  readonly tell: ((node: string, line: string) => void) | undefined;
}

interface Line {
  readonly event?: string;
  readonly msg?: string;
  readonly role?: string;
  readonly term?: number;
  readonly reason?: string;
  readonly peer?: string;
  readonly took_ms?: number;
}

export function createNodeLog(
  { timeline, coverage, leads, pulls, scrubbed, tell }: NodeLogHost,
  node: string,
): Logger {
  const write = (line: string): void => {
    const { event, msg, role, term, reason, peer, took_ms } = JSON.parse(line) as Line;
    if (event === 'roleChanged' && role === 'leader') leads(node, term ?? 0);
    if (event === 'snapshot_pull_begun') pulls(node, peer ?? '');
    if (event === 'state_scrubbed') scrubbed(node, took_ms ?? 0);
    if (event === 'snapshot_pull_ended' && /hash|records arrived/.test(reason ?? '')) {
      coverage.count('snapshotsRefused');
    }
    if (event === 'steppedDown' && reason?.includes('disk') === true) {
      coverage.count('diskStepDowns');
    }
    const counter = counted[event ?? ''];
    if (counter !== undefined) coverage.count(counter);
    if (msg?.includes('was torn') === true) coverage.count('tornTailsCut');
    // Not the whole line: an error carries a stack, which names files of this host.
    timeline.note(`${node} ${event ?? msg ?? ''}`);
    tell?.(node, line.trimEnd());
  };
  return pino({ level: 'debug', base: null, timestamp: false }, { write });
}
