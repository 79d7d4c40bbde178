// Runs one command to its end, or to its limit, and tells each line it prints.
import { spawn } from 'node:child_process';

export interface Finished {
  /** -1 when it was ended from outside. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd: string;
  /** Killed after so long. */
  readonly limitMs: number;
  readonly onLine?: (line: string) => void;
}

/** What is kept of an output; a hunter that writes more has run wild. */
const MAX_OUTPUT = 1 << 26;

export function start(
  command: string,
  args: readonly string[],
  { cwd, limitMs, onLine }: StartOptions,
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      timeout: limitMs,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let partial = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT) stdout += text;
      const lines = (partial + text).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT) stderr += text;
    });
    child.on('error', (error) => {
      stderr += error.message;
    });
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}
