// What the calling client reports to the demo, one JSON line each, on a clock both processes share.
import type { WatchMessageRecord } from '../checkers/history.ts';

export type CallerEvent =
  | { readonly kind: 'watched'; readonly message: WatchMessageRecord }
  | { readonly kind: 'resumed'; readonly atMs: number; readonly endpoint: string }
  | {
      readonly kind: 'called';
      readonly atMs: number;
      readonly instanceId: string;
      readonly ok: boolean;
    };

/** Unix milliseconds with a monotonic clock's resolution: comparable between processes of one host. */
export const sharedNow = (): number => performance.timeOrigin + performance.now();
