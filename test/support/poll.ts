// Waiting in tests: poll a condition with a deadline, never sleep for a guessed time.
import { setTimeout as delay } from 'node:timers/promises';

export interface PollOptions {
  /** What is awaited, for the error: "timed out waiting for <what>". */
  readonly what: string;
  readonly timeoutMs: number;
  /** Default 10. */
  readonly everyMs?: number;
  /** Further evidence for the error. */
  readonly explain?: () => string;
}

/** Resolves once `condition` is true; an error it throws counts as false until the deadline. */
export async function pollUntil(
  condition: () => boolean | Promise<boolean>,
  options: PollOptions,
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  let last: Error | undefined;
  for (;;) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error instanceof Error ? error : new Error('not an Error', { cause: error });
    }
    if (performance.now() > deadline) {
      const detail = last === undefined ? '' : `; last error: ${last.message}`;
      const evidence = options.explain === undefined ? '' : `\n${options.explain()}`;
      throw new Error(`timed out waiting for ${options.what}${detail}${evidence}`);
    }
    await delay(options.everyMs ?? 10);
  }
}
