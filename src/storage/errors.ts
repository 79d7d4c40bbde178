// How storage fails, as types: each error says which exit code the process ends with, so that the composition root maps
// none of them by text.

/** The disk refused a write, a sync or, while the node runs, a read. Nothing is retried: after a failed sync the state of its pages is unknown. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly exitCode = 10;

  constructor(action: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${action} failed: ${reason}`, { cause });
  }
}

/** True where the medium cannot give back what was written to it. A kernel has tried again before it says so. */
export function isUnreadable(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error)) return false;
  return error.code === 'EIO' || error.code === 'EUCLEAN' || error.code === 'EBADMSG';
}

/** True where the disk, or what this process may use of it, is full: nothing is wrong with what was written before. LevelDB tells
 * it in words only. */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  if (/No space left on device|Disk quota exceeded/.test(error.message)) return true;
  return isOutOfSpace(error.cause);
}

/** True where the disk is why a file cannot be made, written or read: it is full, or fails, or was made read-only, as a kernel does after an
 * error. */
export function isRefusedByDisk(error: unknown): boolean {
  return isReadOnly(error) || isOutOfSpace(error) || isUnreadable(error);
}

/** True where the file system takes nothing, and may be read as ever. */
export function isReadOnly(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EROFS';
}

/** What an operator can do about a member whose disk is lost or damaged. It must not vote under its old identity. */
export const replaceAdvice =
  'Keep its files; the cluster goes on while a majority is healthy. To come back this member has to be removed ' +
  '(`rollcall member remove ID` on another one) and to join again with an empty data-dir (`--join`): see "Replace a ' +
  'dead node" in docs/operations.md.';

const advice =
  'Keep its files. Start it again without `--repair never`: while the other members are a majority they take it back. See "The log is ' +
  'damaged" in docs/operations.md.';

/** Bytes that were acknowledged are not what was written. Never repaired by guessing: the node refuses to vote. */
export class DamagedLogError extends Error {
  override readonly name = 'DamagedLogError';
  readonly exitCode = 11;
  readonly file: string;
  /** Byte offset in `file` of the frame or header that is wrong. */
  readonly offset: number;
  /** What was found, without advice: no full stop at the end. */
  readonly damage: string;

  constructor(file: string, offset: number, reason: string, cause?: unknown) {
    const damage = `The log is damaged: ${file}, byte ${offset}: ${reason}`;
    super(`${damage}. ${advice}`, cause === undefined ? undefined : { cause });
    this.damage = damage;
    this.file = file;
    this.offset = offset;
  }
}

/** The data-dir cannot be used: 11 damaged, needs an operator; 14 in use, or of another node or cluster. */
export class DataDirError extends Error {
  override readonly name = 'DataDirError';
  readonly exitCode: 11 | 14;

  constructor(exitCode: 11 | 14, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}
