// Long trials, one after the other: one that fails is counted and named with the command that repeats it, and the rest go on.

export interface Trial {
  readonly name: string;
  /** The command that runs it alone. */
  readonly replay: string;
  /** Resolves with what was seen, in a line. */
  readonly run: () => Promise<string>;
}

export interface Tally {
  readonly passed: number;
  readonly failed: readonly Trial[];
  /** Were not begun, because of an interruption. */
  readonly left: number;
}

/** `signal`: no further trial is begun; how the one that it met has ended says nothing. */
export async function runTrials(
  trials: readonly Trial[],
  say: (line: string) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<Tally> {
  const beganMs = performance.now();
  const failed: Trial[] = [];
  for (const [done, trial] of trials.entries()) {
    const trialMs = performance.now();
    const problem = await problemOf(trial, (seen) => {
      const left = ((performance.now() - beganMs) / (done + 1)) * (trials.length - done - 1);
      const progress = `${done + 1}/${trials.length}, ${(left / 60_000).toFixed(1)} min left`;
      say(`[${progress}] ${trial.name}: ${seen}, in ${secondsSince(trialMs)} s`);
    });
    if (signal.aborted) return { passed: done - failed.length, failed, left: trials.length - done };
    if (problem === undefined) continue;
    failed.push(trial);
    say(`[${done + 1}/${trials.length}] FAILED: ${trial.name}: ${problem}`);
    say(`again: ${trial.replay}`);
  }
  return { passed: trials.length - failed.length, failed, left: 0 };
}

const secondsSince = (ms: number): string => ((performance.now() - ms) / 1000).toFixed(0);

async function problemOf(
  { run }: Trial,
  tell: (seen: string) => void,
): Promise<string | undefined> {
  try {
    tell(await run());
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Aborted by the first SIGINT or SIGTERM; the next one ends the process. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => controller.abort());
  }
  return controller.signal;
}

/** Says how it went, and returns the exit code: 0 passed, 1 something failed, 3 nothing was shown, 130 interrupted. */
export function conclude(
  { passed, failed, left }: Tally,
  skipped: number,
  say: (line: string) => void,
): number {
  for (const { name, replay } of failed) say(`failed: ${name}; again: ${replay}`);
  const rest = left === 0 ? '' : `, interrupted before ${left}`;
  say(`${passed} passed, ${failed.length} failed, ${skipped} skipped${rest}`);
  if (failed.length > 0) return 1;
  if (left > 0) return 130;
  return passed === 0 ? 3 : 0;
}
