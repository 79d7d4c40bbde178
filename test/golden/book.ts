// What was written down of one version's golden files: book.json in its folder.
import type { BackupPortrait, DataDirPortrait } from './portrait.ts';

export interface GoldenBook {
  /** Commit whose build wrote the files. */
  readonly writtenBy: string;
  /** By name: `<name>.data-dir.br`. */
  readonly dataDirs: Readonly<Record<string, DataDirPortrait>>;
  /** By name: `<name>.backup.br`. */
  readonly backups: Readonly<Record<string, BackupPortrait>>;
  /** By name (samples.ts): hex. */
  readonly samples: Readonly<Record<string, string>>;
}
