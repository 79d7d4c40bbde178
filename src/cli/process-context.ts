// The process as a CliContext: environment, standard streams, signals, chance.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { CliContext } from './context.ts';
import { systemRuntime } from './system-clock.ts';

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
/** npm hands its own signal on, so one Ctrl-C arrives twice within a moment; that is not a second request. */
const ECHO_MS = 500;

export function processContext(): CliContext {
  let interruption: AbortSignal | undefined;
  return {
    environment: process.env,
    runtime: systemRuntime,
    isTerminal: process.stdout.isTTY,
    print: (text) => process.stdout.write(`${text}\n`),
    warn: (text) => process.stderr.write(`${text}\n`),
    readText: (path) => readFileSync(path === '-' ? 0 : path, 'utf8'),
    ask,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    interruption() {
      interruption ??= listenForSignals();
      return interruption;
    },
  };
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise<string>((resolve) => {
      lines.once('close', () => resolve(''));
      lines.question(question, resolve);
    });
  } finally {
    lines.close();
  }
}

function listenForSignals(): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  for (const [signal, number] of Object.entries(SIGNAL_NUMBERS)) {
    process.on(signal, () => {
      const now = performance.now();
      if (firstAt === undefined) {
        firstAt = now;
        controller.abort();
      } else if (now - firstAt > ECHO_MS) {
        process.exit(128 + number);
      }
    });
  }
  return controller.signal;
}
