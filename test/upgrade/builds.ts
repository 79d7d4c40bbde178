// Builds of earlier commits, each in a temporary directory of its own.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository-root.ts';

const buildWithinMs = 300_000;

/** `unknown`: the history of this clone ends before it. `broken`: it could not be built, though it should. */
export type EarlierBuild =
  | { readonly kind: 'built'; readonly main: string }
  | { readonly kind: 'unknown' | 'broken'; readonly reason: string };

export class Builds {
  readonly #scratch = mkdtempSync(join(tmpdir(), 'rollcall-builds-'));

  /** Needs the commit in this clone's history; the registry only where that commit had other dependencies than this checkout. */
  build(commit: string): EarlierBuild {
    const root = repositoryRoot();
    const known = spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root });
    if (known.status !== 0) {
      return { kind: 'unknown', reason: `the history of this clone does not have ${commit}` };
    }
    const directory = join(this.#scratch, commit);
    mkdirSync(directory);
    const archive = join(this.#scratch, `${commit}.tar`);
    execFileSync('git', ['archive', '-o', archive, commit], { cwd: root });
    execFileSync('tar', ['-xf', archive, '-C', directory]);
    const problem =
      installAt(directory, root) ?? run('npm', ['run', '--silent', 'build'], directory);
    if (problem !== undefined) return { kind: 'broken', reason: problem };
    return { kind: 'built', main: join(directory, 'dist/cli/main.js') };
  }

  remove(): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

const lockOf = (path: string): string => readFileSync(join(path, 'package-lock.json'), 'utf8');

/** The dependencies of this checkout, where the lock file is the same; otherwise those of its own. */
function installAt(directory: string, root: string): string | undefined {
  if (lockOf(directory) === lockOf(root) && existsSync(join(root, 'node_modules'))) {
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    return undefined;
  }
  return run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], directory);
}

/** The reason in one line where it fails. */
function run(program: string, words: readonly string[], cwd: string): string | undefined {
  const { status, stderr } = spawnSync(program, words, {
    cwd,
    encoding: 'utf8',
    timeout: buildWithinMs,
  });
  if (status === 0) return undefined;
  writeFileSync(join(cwd, 'build.log'), stderr);
  return `${program} ${words.join(' ')} ended with ${status}: ${stderr.trim().split('\n').at(-1) ?? ''}`;
}
