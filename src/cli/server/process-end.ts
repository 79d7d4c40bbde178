// How a server process ends when it must not go on: said in the log, written out, and the exit code that tells the
// operator what kind of end it was.
import type { Fatal } from '../../node/ports.ts';
import type { ProcessLogger } from '../../telemetry/logger.ts';
import type { NodeConfig } from '../../config/load-config.ts';
import { DamagedLogError, isOutOfSpace } from '../../storage/errors.ts';
import { EXIT, exitMeaning } from '../exit-codes.ts';

/** A disk that does not even take the mark must not keep the process. */
const MARK_MS = 1000;

/** The one way out for the node: logs, flushes, exits. A refused data-dir is the operator's to put right: its reason says
 * all, so no stack follows it. After an error of the disk it returns, and the process exits once `mark` has settled, or a second
 * has passed: nobody must be answered any more meanwhile. */
export function endProcess(
  { log, flush }: ProcessLogger,
  mark: (reason: string) => Promise<void>,
): Fatal {
  let ending = false;
  /** Says how the marking went, as the last thing. */
  const end = (fields: object, message: string): void => {
    log.info(fields, message);
    flush();
    process.exit(EXIT.diskError);
  };
  const unmarked = (error: unknown): void =>
    end({ event: 'disk_not_marked', err: error }, 'the data-dir could not be marked');
  const endMarked = (reason: string): void => {
    setTimeout(() => unmarked(new Error('the disk did not answer')), MARK_MS);
    mark(reason).then(() => end({ event: 'disk_marked' }, 'the next start says so'), unmarked);
  };
  return (exitCode, reason, cause) => {
    if (ending) return;
    ending = true;
    const meaning = exitMeaning(exitCode);
    const plain = cause === undefined || exitCode === EXIT.dataDirRefused;
    log.fatal(
      { event: 'fatal', exit_code: exitCode, meaning, ...(plain ? {} : { err: cause }) },
      reason,
    );
    flush();
    // A full disk has failed nobody: what was written is as it was.
    if (exitCode === EXIT.diskError && !isOutOfSpace(cause)) endMarked(inFull(reason, cause));
    else process.exit(exitCode);
  };
}

/** What the next start reads in the mark. Damage that a hash tells has no cause to name. */
export const inFull = (reason: string, cause: unknown): string =>
  cause === undefined ? reason : `${reason}: ${messageOf(cause)}`;

/** Damage that a running node finds in its log: whoever starts it again starts what gives the log up (docs/adr/0018). Where an operator wants to
 * look first, it stays what it is. */
export function codeAtRun(
  code: FatalCode,
  cause: unknown,
  repair: NodeConfig['repair'],
): FatalCode {
  const returns = repair === 'auto' && cause instanceof DamagedLogError;
  return code === EXIT.damagedData && returns ? EXIT.diskError : code;
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
