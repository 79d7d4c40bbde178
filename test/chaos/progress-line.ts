// What a run tells while it goes on: one line that is overwritten on a terminal, and a line now and then elsewhere.
import type { Progress } from './campaign.ts';

const plainEveryMs = 10_000;
const clearLine = '\r\u001b[2K';

const clock = (ms: number): string => {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

export class ProgressLine {
  readonly #out: NodeJS.WriteStream;
  #shown = false;
  #lastPlainMs = 0;
  #lastAcknowledged = { atMs: 0, count: 0, perSecond: 0 };

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#clear();
    this.#out.write(`${line}\n`);
  }

  show(now: Progress): void {
    this.#measure(now);
    const { elapsedMs, acknowledged, unknown, resumes, struck, leader, active } = now;
    const faults = active.length === 0 ? 'calm' : active.join(' + ');
    const text = `${clock(elapsedMs)}  ${acknowledged} writes (${this.#lastAcknowledged.perSecond}/s), ${unknown} unknown, ${resumes} resumes, ${struck} faults, ${leader} leads: ${faults}`;
    if (this.#out.isTTY) {
      const width = this.#out.columns;
      this.#out.write(clearLine + (text.length < width ? text : text.slice(0, width - 1)));
      this.#shown = true;
    } else if (elapsedMs - this.#lastPlainMs >= plainEveryMs) {
      this.#lastPlainMs = elapsedMs;
      this.#out.write(`${text}\n`);
    }
  }

  /** For the next run. */
  end(): void {
    this.#clear();
    this.#lastPlainMs = 0;
    this.#lastAcknowledged = { atMs: 0, count: 0, perSecond: 0 };
  }

  #measure({ elapsedMs, acknowledged }: Progress): void {
    const { atMs, count } = this.#lastAcknowledged;
    if (elapsedMs - atMs < 1000) return;
    const perSecond = Math.round(((acknowledged - count) * 1000) / (elapsedMs - atMs));
    this.#lastAcknowledged = { atMs: elapsedMs, count: acknowledged, perSecond };
  }

  #clear(): void {
    if (this.#shown) this.#out.write(clearLine);
    this.#shown = false;
  }
}
