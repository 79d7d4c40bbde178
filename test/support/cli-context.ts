// A CliContext made of strings, and of time that passes when somebody sleeps.
import type { ClientRuntime } from '../../src/client/index.ts';
import type { CliContext } from '../../src/cli/context.ts';

/** Monotonic time moves only by sleeping; wall time is real, because gRPC deadlines are. */
export class FakeRuntime implements ClientRuntime {
  #nowMs = 0;
  readonly slept: number[] = [];

  now(): number {
    return this.#nowMs;
  }

  unixNow(): number {
    return Date.now();
  }

  random(): number {
    return 0.5;
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(delayMs);
    if (signal?.aborted !== true) this.#nowMs += delayMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class FakeContext implements CliContext {
  readonly environment: Record<string, string> = {};
  readonly runtime = new FakeRuntime();
  readonly isTerminal = false;
  readonly files = new Map<string, string>();
  /** What was printed, without the line ends. */
  readonly out: string[] = [];
  readonly err: string[] = [];
  readonly #interruption = new AbortController();
  #drawn = 0;

  print(text: string): void {
    this.out.push(text);
  }

  warn(text: string): void {
    this.err.push(text);
  }

  readText(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw new Error('ENOENT: no such file');
    return text;
  }

  /** What the operator answers, one after the other; then nobody answers. */
  readonly answers: string[] = [];
  readonly questions: string[] = [];

  ask(question: string): Promise<string> {
    this.questions.push(question);
    return Promise.resolve(this.answers.shift() ?? '');
  }

  /** 00000001, 00000002, …: distinct, as random bytes are. */
  randomHex(bytes: number): string {
    this.#drawn++;
    return this.#drawn.toString(16).padStart(2 * bytes, '0');
  }

  interruption(): AbortSignal {
    return this.#interruption.signal;
  }

  /** As if a signal had come. */
  interrupt(): void {
    this.#interruption.abort();
  }
}
