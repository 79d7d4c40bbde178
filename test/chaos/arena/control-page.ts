// What a server's preloaded library (native/preload.c) is told, and tells: a page of memory that both have mapped or read.
// It outlives the process, as a wall clock does.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { compile } from './native-code.ts';

/** Places of the numbers, 8 bytes each, in the order of native/preload.c. */
const places = {
  wallOffsetNs: 0,
  syncDelayUs: 8,
  wallReads: 16,
  wallServedOffsetNs: 24,
  delayedSyncs: 32,
  failsWrites: 40,
  failedWrites: 48,
} as const;

export class ControlPage {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'wx+');
    writeSync(this.#file, Buffer.alloc(4096), 0, 4096, 0);
  }

  read(name: keyof typeof places): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#file, bytes, 0, 8, places[name]);
    return Number(bytes.readBigInt64LE());
  }

  write(name: 'wallOffsetNs' | 'syncDelayUs' | 'failsWrites', value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#file, bytes, 0, 8, places[name]);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Put before a program so that it obeys the page. */
export const underControl = (library: string, page: ControlPage): readonly string[] => [
  'env',
  `LD_PRELOAD=${library}`,
  `CHAOS_CONTROL=${page.path}`,
];

const probeYearMs = 365 * 24 * 3600 * 1000;
/** A synced write, then the two clocks: the wall clock's time of day and how long the write took. */
const probeProgram = `
  const { openSync, writeSync, constants } = require('node:fs');
  const { O_WRONLY, O_CREAT, O_DSYNC } = constants;
  const file = openSync(process.argv[1], O_WRONLY | O_CREAT | O_DSYNC);
  const beganAtMs = performance.now();
  writeSync(file, Buffer.from('synced'), 0, 6, 0);
  console.log(JSON.stringify({ wallMs: Date.now(), tookMs: performance.now() - beganAtMs }));
`;

/** Compiles the library and tries on a small process whether it does its work. Rejects with the reason why not. */
export async function prepareControl(directory: string): Promise<string> {
  const library = await compile('preload.c', directory);
  const page = new ControlPage(join(directory, 'probe-control'));
  try {
    page.write('wallOffsetNs', probeYearMs * 1e6);
    page.write('syncDelayUs', 50_000);
    const probe = [process.execPath, '-e', probeProgram, join(directory, 'probe-file')];
    const [program = '', ...args] = [...underControl(library, page), ...probe];
    const { wallMs, tookMs } = JSON.parse(await run(program, args)) as Record<string, number>;
    const shiftedMs = (wallMs ?? 0) - Date.now();
    if (Math.abs(shiftedMs - probeYearMs) > 60_000) {
      throw new Error(`a preloaded library moved the wall clock by ${shiftedMs} ms only`);
    }
    if (!(Number(tookMs) >= 50 && page.read('delayedSyncs') > 0)) {
      throw new Error('a preloaded library did not delay a synced write');
    }
    return library;
  } finally {
    page.close();
  }
}
