// Programs of the host that the arena uses: ip, iptables, mount. Their own words are kept in the error.
import { execFile, spawnSync } from 'node:child_process';

/** Runs a program to its end and returns what it printed. Rejects with its complaint when it fails or takes over 30 s. */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || error.message}`));
    });
    // A program that ends without reading closes the pipe under us; its exit code says what was wrong.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** The same, without letting anything else happen meanwhile, for the way out of a process. A failure gives ''. */
export function runAtOnce(program: string, args: readonly string[]): string {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 });
  return status === 0 ? stdout : '';
}

/** Why a program cannot be used; undefined where it can. */
export function whyNoProgram(program: string): string | undefined {
  const found = runAtOnce('sh', ['-c', 'command -v "$0"', program]);
  return found === '' ? `there is no ${program}` : undefined;
}
