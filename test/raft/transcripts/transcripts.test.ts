// Golden transcripts: each *.transcript file holds a story, its commands and, indented below each, what the nodes did.
// UPDATE_TRANSCRIPTS=1 writes the files anew; read the difference before committing it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runScript } from './script.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.transcript'));
const update = process.env['UPDATE_TRANSCRIPTS'] === '1';

describe('transcripts', () => {
  test.for(files)('%s goes as written', (file) => {
    const path = join(folder, file);
    const written = readFileSync(path, 'utf8');
    const played = runScript(written);
    if (update) writeFileSync(path, played);
    else expect(played).toBe(written);
  });

  test('a transcript that was tampered with is noticed', () => {
    const path = join(folder, 'election.transcript');
    const written = readFileSync(path, 'utf8');
    expect(runScript(written.replaceAll('granted', 'refused'))).toBe(written);
    expect(runScript(written.replace('propose n1 a', 'propose n1 z'))).not.toBe(written);
  });
});
