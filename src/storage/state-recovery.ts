// What a crash has left beside the state store, put in order before the store is opened: a sealed snapshot that the log already
// builds on takes its place, everything else that was staged goes.
import type { Logger } from 'pino';
import type { LogIndex } from '../lib/ids.ts';
import { otherThanSealed, readMarker, type SealedMarker } from './sealed-marker.ts';
import { discardStaged, exchangeStates } from './snapshot-stage.ts';
import { type Attempt, openVerified, type VerifyOptions } from './state-database.ts';
import { presentPaths, type StatePaths } from './state-files.ts';

export interface RecoveryOptions extends VerifyOptions {
  /** Where the log begins, on disk. */
  readonly floorIndex: LogIndex;
  readonly log: Logger | undefined;
}

/** The content to go on with, and nothing else left of the store's files. */
export async function openRecovered(paths: StatePaths, options: RecoveryOptions): Promise<Attempt> {
  const { files, log } = options;
  const sealed = await sealedFor(paths, options);
  const found = await presentPaths(files, paths);
  if (!found.has(paths.current) && found.has(paths.old)) {
    // Died between the two renames of an exchange: back, and forward again if what came in may be used.
    await files.rename(paths.old, paths.current);
    await files.syncDirectory(paths.parent);
  }
  await files.makeDirectory(paths.current);
  let attempt = await openVerified(paths.current, options);
  if (sealed !== undefined && (await presentPaths(files, paths)).has(paths.incoming)) {
    if (indexOf(attempt) < sealed.index) {
      log?.info({ index: sealed.index }, 'a received snapshot takes the place of the state');
      if (attempt.kind === 'verified') await attempt.database.close();
      await exchangeStates(files, paths);
      attempt = await sealedAs(sealed, await openVerified(paths.current, options));
    }
  }
  await files.remove(`${paths.marker}.tmp`);
  await discardStaged(files, paths);
  await files.remove(paths.old);
  return attempt;
}

/** Only a snapshot of the very point where the log begins continues into that log. */
async function sealedFor(
  paths: StatePaths,
  { owner, floorIndex, log }: RecoveryOptions,
): Promise<SealedMarker | undefined> {
  const marker = await readMarker(paths);
  if (marker === undefined) return undefined;
  if (marker.owner === owner && marker.index === floorIndex) return marker;
  log?.info({ ...marker, floorIndex }, 'a received snapshot is not what the log begins with');
  return undefined;
}

async function sealedAs(sealed: SealedMarker, attempt: Attempt): Promise<Attempt> {
  const reason = attempt.kind === 'verified' ? otherThanSealed(sealed, attempt.image) : undefined;
  if (attempt.kind === 'unusable' || reason === undefined) return attempt;
  await attempt.database.close();
  return { kind: 'unusable', reason };
}

function indexOf(attempt: Attempt): number {
  return attempt.kind === 'verified' ? attempt.image.appliedIndex : 0;
}
