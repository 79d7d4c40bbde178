// This program as of another commit, built beside this one: what "faster" and "slower" are measured against in one run.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../test/support/repository-root.ts';

const run = (directory: string, program: string, ...rest: readonly string[]): string =>
  execFileSync(program, rest, { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 26 });

const lockfile = (directory: string): string =>
  readFileSync(join(directory, 'package-lock.json'), 'utf8');

/** The path of a built checkout of `commit`. Built once and kept in the temporary directory, named by the full hash. */
export function buildEarlier(commit: string): string {
  const root = repositoryRoot();
  const hash = run(root, 'git', 'rev-parse', '--verify', `${commit}^{commit}`).trim();
  const parent = join(tmpdir(), 'rollcall-bench');
  const checkout = join(parent, hash);
  if (existsSync(join(checkout, 'dist', 'cli', 'main.js'))) return checkout;
  process.stderr.write(`building ${hash}\n`);
  rmSync(checkout, { recursive: true, force: true });
  mkdirSync(parent, { recursive: true });
  run(root, 'git', 'clone', '--quiet', '--shared', '--no-checkout', root, checkout);
  run(checkout, 'git', 'checkout', '--quiet', hash);
  if (lockfile(root) === lockfile(checkout)) {
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  } else {
    run(checkout, 'npm', 'ci', '--no-audit', '--no-fund');
  }
  run(checkout, 'npm', 'run', '--silent', 'build');
  return checkout;
}
