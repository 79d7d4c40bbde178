// `rollcall snapshot restore`: an empty directory becomes the only voter of a new cluster epoch that begins with a backup.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { type BackupSummary, recordsOf, verifyBackup } from './backup-file.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { checkLocked, isSound } from './data-check.ts';
import { buildEpoch, type Epoch, type EpochPlan, enterEpoch } from './epoch.ts';
import { EPOCH_BUILT } from './epoch-place.ts';
import { DataDirError } from './errors.ts';
import { stateFiles } from './state-files.ts';

export type RestorePlan = Omit<EpochPlan, 'source'>;

export interface Restored extends Epoch {
  readonly backup: BackupSummary;
}

/** Verifies the file before anything is written, and what was written afterwards.
 * @throws DamagedBackupError 11; DataDirError 14: in use, or not empty; DiskError 10. */
export async function restoreBackup(
  file: string,
  path: string,
  plan: RestorePlan,
): Promise<Restored> {
  const backup = await verifyBackup(file);
  const { meta } = backup.header;
  checkClock(plan.unixNowMs, backup);
  const directory = resolve(path);
  await stateFiles.makeDirectory(directory);
  const lock = await lockDataDir(directory, randomBytes(8).toString('hex'));
  try {
    await clear(directory);
    const epoch = await buildEpoch(directory, {
      ...plan,
      source: { meta, records: () => recordsOf(file) },
    });
    await enterEpoch(directory);
    await confirmSound(directory);
    return { ...epoch, backup };
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

/** What was written reads as it should. The caller holds the lock. */
export async function confirmSound(directory: string): Promise<void> {
  const check = await checkLocked(directory);
  if (isSound(check)) return;
  const wrong = check.findings.filter(({ verdict }) => verdict === 'damaged');
  const words = wrong.map(({ text }) => text).join(' ');
  throw new DataDirError(
    11,
    `What was written to ${directory} does not read as it should: ${words}`,
  );
}
