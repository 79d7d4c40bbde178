// Beside the thread that fuzzes: ends the process, with what repeats the case, when one case takes for ever. That thread cannot do it.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/** What the fuzzing thread keeps: in `counter` how many cases were begun, -1 between batches; in `line` what repeats the batch. */
export interface Watched {
  readonly counter: Int32Array;
  readonly line: Uint8Array;
  readonly limitMs: number;
}

const everyMs = 500;

function watch({ counter, line, limitMs }: Watched): void {
  let last = -1;
  let sinceMs = performance.now();
  setInterval(() => {
    const begun = Atomics.load(counter, 0);
    if (begun !== last || begun < 0) {
      last = begun;
      sinceMs = performance.now();
      return;
    }
    if (performance.now() - sinceMs < limitMs) return;
    const words = Buffer.from(line).toString('utf8').replaceAll('\0', '');
    writeSync(
      2,
      `hangs: case ${begun} takes longer than ${limitMs} ms\nreplay: ${words} --cases ${begun}\n`,
    );
    process.kill(process.pid, 'SIGKILL');
  }, everyMs);
}

watch(workerData as Watched);
