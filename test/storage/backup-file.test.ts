// A backup on disk: under its name there is always a whole one, whatever happened while the next was being written.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyBackup, writeBackup } from '../../src/storage/backup-file.ts';
import { backupParts, contentOf } from '../support/backups.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-backup-'));
  path = join(directory, 'registry.backup');
});
afterEach(() => rmSync(directory, { recursive: true }));

const content = contentOf(25);

async function* failing(): AsyncGenerator<Uint8Array> {
  for await (const part of backupParts(content)) {
    yield part;
    throw new Error('the stream broke');
  }
}

describe('a backup file', () => {
  test('is verified, has what went in, and nothing lies beside it', async () => {
    const summary = await writeBackup(path, backupParts(content), 'x');
    expect(summary.records).toBe(content.records.length);
    expect(summary.header.meta).toEqual(content.meta);
    expect(await verifyBackup(path)).toEqual(summary);
    expect(readdirSync(directory)).toEqual(['registry.backup']);
  });

  test('stays as it was when the next one breaks off, or is not whole', async () => {
    await writeBackup(path, backupParts(content), 'x');
    const before = readFileSync(path);
    await expect(writeBackup(path, failing(), 'y')).rejects.toThrow('the stream broke');
    const wrongHash = { ...content, meta: { ...content.meta, hash: '0'.repeat(16) } };
    await expect(writeBackup(path, backupParts(wrongHash), 'y')).rejects.toThrow(/have the hash/);
    const short = { ...content, total: content.records.length + 1 };
    await expect(writeBackup(path, backupParts(short), 'y')).rejects.toThrow(
      /50 records instead of 51/,
    );
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(directory)).toEqual(['registry.backup']);
  });

  test('that was damaged later says so, with exit code 11', async () => {
    await writeBackup(path, backupParts(content), 'x');
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
    writeFileSync(path, bytes);
    await expect(verifyBackup(path)).rejects.toMatchObject({
      exitCode: 11,
      message: expect.stringContaining('does not match its checksum'),
    });
  });
});
