// A backup as a file: written under a name of its own, made durable, read back and verified, and only then given its name. What
// bears the name is therefore always a whole backup, the one before or this one.
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { type BackupPart, type BackupPreface, decodeBackup } from '../node/backup-stream.ts';
import { SnapshotFormatError, type StreamHeader } from '../node/snapshot-stream.ts';
import { imageHasher, type StoredRecord } from '../registry/index.ts';
import { diskFiles } from './wal/wal-files.ts';

/** What a verified backup holds. */
export interface BackupSummary {
  readonly preface: BackupPreface;
  readonly header: StreamHeader;
  readonly records: number;
  readonly bytes: number;
}

/** The file is no whole backup: the message says what is wrong and where it lies. */
class DamagedBackupError extends Error {
  override readonly name = 'DamagedBackupError';
  readonly exitCode = 11;

  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${path} is no whole backup: ${reason}`, { cause });
  }
}

/** Resolves once `path` is a durable and verified backup; what was there before is replaced then, and not touched otherwise. `suffix` names
 * the file it is written to first. Throws what `parts` throws, and DamagedBackupError when what was written is not a backup. */
export async function writeBackup(
  path: string,
  parts: AsyncIterable<Uint8Array>,
  suffix: string,
): Promise<BackupSummary> {
  const target = resolve(path);
  const unfinished = `${target}.${suffix}.partial`;
  const file = await open(unfinished, 'wx', 0o600);
  try {
    try {
      for await (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    const summary = await verifyBackup(unfinished);
    await rename(unfinished, target);
    await diskFiles.syncDirectory(dirname(target));
    return summary;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Reads all of it: checksums, number of records, hash of the state. Throws DamagedBackupError, UnknownFormatError. */
export async function verifyBackup(path: string): Promise<BackupSummary> {
  const backup = await VerifiedBackup.open(path);
  await backup.close();
  return backup.summary;
}

/** A backup that was verified and is still open: what is read is that very file, whatever takes its name meanwhile, as the next backup
 * does. Who makes something of the records compares their hash again: a file may also be written to in its place. */
export class VerifiedBackup {
  readonly summary: BackupSummary;
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, summary: BackupSummary) {
    this.#path = path;
    this.#file = file;
    this.summary = summary;
  }

  /** Throws as verifyBackup. */
  static async open(path: string): Promise<VerifiedBackup> {
    const file = await open(path, 'r');
    try {
      return new VerifiedBackup(path, file, await summaryOf(path, file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** All records, block by block, from the first one at each call. Throws DamagedBackupError. */
  async *records(): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    for await (const part of partsOf(this.#path, this.#file))
      if (part.kind === 'records') yield part.records;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function summaryOf(path: string, file: FileHandle): Promise<BackupSummary> {
  const hasher = imageHasher();
  let preface: BackupPreface | undefined;
  let header: StreamHeader | undefined;
  let records = 0;
  let total = 0;
  for await (const part of partsOf(path, file)) {
    if (part.kind === 'preface') preface = part.preface;
    else if (part.kind === 'header') header = part.header;
    else if (part.kind === 'end') total = part.total;
    else {
      for (const record of part.records) hasher.add(record);
      records += part.records.length;
    }
  }
  if (preface === undefined || header === undefined) {
    throw new DamagedBackupError(path, 'it does not say what it is');
  }
  if (records !== total) {
    throw new DamagedBackupError(path, `it holds ${records} records instead of ${total}`);
  }
  const { revision, registryTimeMs, hash: expected } = header.meta;
  const hash = hasher.hash(revision, registryTimeMs);
  if (hash !== expected) {
    const told = `its records have the hash ${hash} instead of ${expected}`;
    throw new DamagedBackupError(path, `${told}: the state store it was made of is damaged`);
  }
  return { preface, header, records, bytes: (await file.stat()).size };
}

async function* partsOf(
  path: string,
  file: FileHandle,
): AsyncGenerator<BackupPart, void, undefined> {
  let at = 0;
  const read = async (count: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafeSlow(count);
    let done = 0;
    while (done < count) {
      const { bytesRead } = await file.read(bytes, done, count - done, at);
      if (bytesRead === 0) break;
      done += bytesRead;
      at += bytesRead;
    }
    return bytes.subarray(0, done);
  };
  try {
    yield* decodeBackup(read);
  } catch (error) {
    if (error instanceof UnknownFormatError) throw error.in(path);
    if (!(error instanceof SnapshotFormatError)) throw error;
    throw new DamagedBackupError(path, error);
  }
}
