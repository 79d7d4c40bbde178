// `rollcall snapshot restore`: an empty directory becomes the only voter of a new cluster epoch that begins with a backup.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { type BackupSummary, VerifiedBackup } from './backup-file.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { buildEpoch, type Epoch, type EpochPlan, enterEpoch } from './epoch.ts';
import { EPOCH_BUILT } from './epoch-place.ts';
import { DataDirError } from './errors.ts';
import { stateFiles } from './state-files.ts';

export type RestorePlan = Omit<EpochPlan, 'source'>;

export interface Restored extends Epoch {
  readonly backup: BackupSummary;
}

/** Verifies the file before anything is written, and what was written before it takes its place.
 * @throws DamagedBackupError 11; DataDirError 11: what was written is not what was verified, and is gone; DataDirError 14: in use, or not
 * empty; DiskError 10. */
export async function restoreBackup(
  file: string,
  path: string,
  plan: RestorePlan,
): Promise<Restored> {
  const backup = await VerifiedBackup.open(file);
  try {
    return await restoreFrom(backup, resolve(path), plan);
  } finally {
    await backup.close();
  }
}

async function restoreFrom(
  backup: VerifiedBackup,
  directory: string,
  plan: RestorePlan,
): Promise<Restored> {
  const { summary } = backup;
  checkClock(plan.unixNowMs, summary);
  await stateFiles.makeDirectory(directory);
  const lock = await lockDataDir(directory, randomBytes(8).toString('hex'));
  try {
    await clear(directory);
    const { meta } = summary.header;
    const source = { meta, records: () => backup.records() };
    const epoch = await buildEpoch(directory, { ...plan, source });
    await enterEpoch(directory);
    return { ...epoch, backup: summary };
  } finally {
    await lock.release();
  }
}

/** Revisions begin by the clock: one that is behind might give some a second time. */
function checkClock(unixNowMs: number, { preface }: BackupSummary): void {
  if (unixNowMs >= preface.savedAtMs) return;
  const [now, saved] = [unixNowMs, preface.savedAtMs].map((ms) => new Date(ms).toISOString());
  throw new Error(
    `By the clock of this machine it is ${now}, and the backup was saved at ${saved}: set the clock right first`,
  );
}

/** The lock, and what a file system has in its first directory, where that is the data-dir. */
const OTHERS = /^(lock-.*\.sock|lost\+found)$/;

/** Only what an interrupted restore has left is removed: nothing else can be there beside it. */
async function clear(directory: string): Promise<void> {
  const names = (await stateFiles.list(directory)).filter((name) => !OTHERS.test(name));
  const own = new Set([EPOCH_BUILT, 'wal', 'state']);
  const interrupted = names.includes(EPOCH_BUILT) && names.every((name) => own.has(name));
  if (!interrupted && names.length > 0) {
    const what = names.toSorted().join(', ');
    throw new DataDirError(14, `The data-dir ${directory} is not empty: it holds ${what}`);
  }
  // The others first: without the mark they would be somebody's data.
  for (const name of ['state', 'wal', EPOCH_BUILT]) await stateFiles.remove(`${directory}/${name}`);
}
