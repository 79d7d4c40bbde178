// A disk that fails or is slow, as one server process sees it: strace changes what its calls return, or how long they take
// (strace(1), "Tampering"). The log syncs within pwrite64; nothing else of a server writes with it but the zeroing of segments.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pollUntil } from '../support/poll.ts';
import type { ProcessCluster, ProcessNode } from '../support/process-cluster.ts';

/** One thread does all of a server's file access, so that a call's number is its number; and io_uring passes no tracer. */
export const traceable = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' } as const;

/** For the first leader of a cluster, on a host that has much else to do. */
export const START_MS = 60_000;

/** Why strace cannot be used here; undefined where it can. */
export function straceProblem(): string | undefined {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
  } catch {
    return 'strace is not installed (on Debian: apt-get install strace)';
  }
  const sleeper = spawn('sleep', ['10'], { stdio: 'ignore' });
  try {
    const command = ['-o', '/dev/null', '-e', 'inject=pwrite64:error=EIO', 'true'];
    execFileSync('strace', command, { stdio: 'pipe' });
    // A traced child is allowed more often than a process that runs already.
    const attach = ['-k', '1', '2', 'strace', '-o', '/dev/null', '-p', `${sleeper.pid ?? 0}`];
    execFileSync('timeout', attach, { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const { status, stderr } = error as { status?: number; stderr?: Buffer };
    // It was attached until its time was up.
    if (status === 124) return undefined;
    return `strace may not trace here: ${stderr?.toString().trim() ?? String(error)}`;
  } finally {
    sleeper.kill('SIGKILL');
  }
}

/** What a server's writes meet: an error at the nth one counted from now, and at all after it if `lasts`; or a delay before each. */
export type Injection =
  | { readonly kind: 'error'; readonly nth: number; readonly lasts: boolean }
  | { readonly kind: 'delay'; readonly delayMs: number };

export class Tracer {
  readonly #child: ChildProcess;
  readonly #output: string;

  private constructor(child: ChildProcess, output: string) {
    this.#child = child;
    this.#output = output;
  }

  /** Resolves once every thread of the server is traced. */
  static async attach(
    cluster: ProcessCluster,
    node: ProcessNode,
    injection: Injection,
  ): Promise<Tracer> {
    const output = join(cluster.directory, `${node.id}.strace`);
    const how =
      injection.kind === 'error'
        ? `error=EIO:when=${injection.nth}${injection.lasts ? '+' : ''}`
        : `delay_enter=${injection.delayMs * 1000}`;
    const child = spawn(
      'strace',
      ['-f', '-p', `${node.pid}`, '-o', output, '-s', '0'].concat([
        '-e',
        'trace=pwrite64',
        '-e',
        `inject=pwrite64:${how}`,
      ]),
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr?.on('data', (text: Buffer) => (said += text.toString()));
    await pollUntil(() => said.includes('attached'), {
      what: `strace to attach to ${node.id}`,
      timeoutMs: 10_000,
      explain: () => said,
    });
    return new Tracer(child, output);
  }

  /** Writes that were tampered with, the one included in whose middle it let go; all are told once it has. */
  get injected(): number {
    return readFileSync(this.#output, 'utf8').match(/pwrite64\(/g)?.length ?? 0;
  }

  /** Lets go of the server, which goes on as before. */
  async detach(): Promise<void> {
    const gone = (): boolean => this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (!gone()) this.#child.kill('SIGINT');
    await pollUntil(gone, { what: 'strace to let go', timeoutMs: 15_000 });
  }
}
