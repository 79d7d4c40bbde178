// A page in a real browser without a window: what it made of it, once its scripts have run.
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];
const TIMEOUT_MS = 60_000;
const MAX_BYTES = 64 << 20;

const quiet = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The program's path; undefined where none is installed. */
export function findBrowser(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = folders.flatMap((folder) => programs.map((program) => join(folder, program)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The document of a file as HTML, after its scripts. Rejects where the browser fails or takes more than a minute. */
export async function documentOf(browser: string, file: string): Promise<string> {
  const profile = await mkdtemp(join(tmpdir(), 'rollcall-browser-'));
  try {
    const flags = [...quiet, `--user-data-dir=${profile}`, '--dump-dom', `file://${file}`];
    const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES };
    const { stdout } = await promisify(execFile)(browser, flags, limits);
    return stdout;
  } finally {
    // Its last processes may still write there for a moment.
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
