// What was written down of one version's golden files: book.json in its folder.
import type { Identity } from '../../src/storage/identity.ts';
import type { BackupPortrait, DataDirPortrait } from './portrait.ts';

/** A data-dir whose log was given up. */
export interface GivenUp {
  readonly identity: Identity;
  /** What lies in damaged-log. */
  readonly former: DataDirPortrait;
}

export interface GoldenBook {
  /** Commit whose build wrote the files. */
  readonly writtenBy: string;
  /** By name: `<name>.data-dir.br`. */
  readonly dataDirs: Readonly<Record<string, DataDirPortrait>>;
  /** By name, as before; from v3 on. */
  readonly givenUp?: Readonly<Record<string, GivenUp>>;
  /** Recoveries that were interrupted, and what they come to; from v3 on. */
  readonly entering?: Readonly<Record<string, DataDirPortrait>>;
  /** By name: `<name>.backup.br`. */
  readonly backups: Readonly<Record<string, BackupPortrait>>;
  /** By name (samples.ts): hex. */
  readonly samples: Readonly<Record<string, string>>;
}
