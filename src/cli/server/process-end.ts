// How a server process ends when it must not go on: said in the log, written out, and the exit code that tells the
// operator what kind of end it was.
import type { Fatal } from '../../node/ports.ts';
import type { ProcessLogger } from '../../telemetry/logger.ts';
import { EXIT, exitMeaning } from '../exit-codes.ts';

/** The one way out for the node: logs, flushes, exits. A refused data-dir is the operator's to put right: its reason says
 * all, so no stack follows it. */
export function endProcess({ log, flush }: ProcessLogger): Fatal {
  return (exitCode, reason, cause) => {
    const meaning = exitMeaning(exitCode);
    const plain = cause === undefined || exitCode === EXIT.dataDirRefused;
    log.fatal(
      { event: 'fatal', exit_code: exitCode, meaning, ...(plain ? {} : { err: cause }) },
      reason,
    );
    flush();
    process.exit(exitCode);
  };
}

/** What nobody caught is a defect of ours: the process cannot know what was left half done. */
export function guardProcess(fatal: Fatal): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      fatal(exitCodeOf(error) ?? EXIT.brokenInvariant, `${event}: ${messageOf(error)}`, error);
    });
  }
}

type FatalCode = Parameters<Fatal>[0];

/** Errors of storage say themselves how the process ends. */
export function exitCodeOf(error: unknown): FatalCode | undefined {
  if (!(error instanceof Error) || !('exitCode' in error)) return undefined;
  const { exitCode } = error;
  switch (exitCode) {
    case EXIT.diskError:
    case EXIT.damagedData:
    case EXIT.stateDiffers:
    case EXIT.brokenInvariant:
    case EXIT.dataDirRefused:
      return exitCode;
    default:
      return undefined;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
