// The file that a client process writes its events to. What is buffered is small and written synchronously, so that memory
// stays bounded however fast events come, and whatever was flushed outlives a kill of the process.
import { closeSync, openSync, writeSync } from 'node:fs';
import type { ClientEvent } from './event.ts';

const FLUSH_BYTES = 64 * 1024;
const FLUSH_EVERY_MS = 250;

export class HistoryFile {
  readonly #descriptor: number;
  readonly #timer: NodeJS.Timeout;
  #lines: string[] = [];
  #characters = 0;
  #ended = false;

  /** Makes the file anew. */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'w');
    this.#timer = setInterval(() => this.flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  /** Events after the end are dropped: nothing that they tell of was waited for. */
  write(event: ClientEvent): void {
    if (this.#ended) return;
    const line = JSON.stringify(event);
    this.#lines.push(line);
    this.#characters += line.length + 1;
    if (this.#characters >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#characters = 0;
    let at = 0;
    while (at < bytes.length) at += writeSync(this.#descriptor, bytes, at);
  }

  /** Everything told is in the file. */
  end(): void {
    if (this.#ended) return;
    this.flush();
    this.#ended = true;
    clearInterval(this.#timer);
    closeSync(this.#descriptor);
  }
}
