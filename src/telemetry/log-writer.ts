// Carries lines to a file descriptor without ever holding up the loop, and lets go of a reader that is gone. The library that
// pino brings for this tries for ever to write its last lines to a closed pipe, and so would keep a node from ending.
import { write as writeAsync, writeSync } from 'node:fs';

/** Linux writes so much to a pipe in one piece (PIPE_BUF, pipe(7)): lines written at the end do not fall into one under way. */
const CHUNK_BYTES = 4096;
/** A descriptor that does not block asks to be tried again (EAGAIN) after so long. */
const RETRY_MS = 50;
/** At the end a reader that does not keep up is waited for so long in all. */
const FLUSH_PATIENCE_MS = 500;

export interface LogWriterOptions {
  /** Open for writing; never closed here. */
  readonly descriptor: number;
  /** Bytes that may wait for a reader that does not keep up; beyond, lines are dropped rather than memory filled. */
  readonly maxWaitingBytes: number;
  /** Told how many lines were dropped, once those before them are written. */
  readonly onDropped: (lines: number) => void;
}

/** A destination for pino: whole lines in, in order. */
export class LogWriter {
  readonly #options: LogWriterOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** A write is under way in another thread; node finishes it before the process exits. */
  #writing = false;
  #gone = false;

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  write(line: string): void {
    if (this.#gone) return;
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > this.#options.maxWaitingBytes) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#writing) this.#writeNext();
  }

  /** Writes what waits before it returns; what is under way in another thread is there when the process has ended. Gives up
   * on a reader that is gone or does not keep up. Never throws. */
  flush(): void {
    const retryUntil = performance.now() + FLUSH_PATIENCE_MS;
    while (this.#waiting.length > 0) {
      const chunk = this.#takeChunk();
      try {
        this.#giveBack(chunk.subarray(writeSync(this.#options.descriptor, chunk)));
      } catch (error) {
        if (!isBusy(error) || performance.now() > retryUntil) {
          this.#giveUp();
          return;
        }
        this.#giveBack(chunk);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }

  #writeNext(): void {
    const chunk = this.#takeChunk();
    this.#writing = true;
    writeAsync(this.#options.descriptor, chunk, (error, written) => {
      if (error === null) {
        this.#giveBack(chunk.subarray(written));
        this.#goOn();
      } else if (isBusy(error)) {
        this.#giveBack(chunk);
        setTimeout(() => this.#goOn(), RETRY_MS);
      } else {
        this.#giveUp();
      }
    });
  }

  #goOn(): void {
    this.#writing = false;
    if (this.#waiting.length > 0) this.#writeNext();
    else if (this.#dropped > 0) {
      const lines = this.#dropped;
      this.#dropped = 0;
      this.#options.onDropped(lines);
    }
  }

  /** Whole lines up to the chunk's size; a longer line goes alone. */
  #takeChunk(): Buffer {
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.length > CHUNK_BYTES) break;
      bytes += line.length;
      count++;
    }
    this.#waitingBytes -= bytes;
    return Buffer.concat(this.#waiting.splice(0, count), bytes);
  }

  #giveBack(rest: Buffer): void {
    if (rest.length === 0 || this.#gone) return;
    this.#waiting.unshift(rest);
    this.#waitingBytes += rest.length;
  }

  /** Nobody is left to tell. */
  #giveUp(): void {
    this.#gone = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
