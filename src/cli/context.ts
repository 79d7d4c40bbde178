// What a command sees of the world. main.ts builds it from the process; tests build it from strings.
import type { ClientRuntime } from '../client/index.ts';

export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly runtime: ClientRuntime;
  /** True when standard output is a terminal. */
  readonly isTerminal: boolean;
  /** One line (or a block of lines) to standard output. */
  print(text: string): void;
  /** One line to standard error. */
  warn(text: string): void;
  /** `-` is standard input. Throws when it cannot be read. */
  readText(path: string): string;
  /** Asks the operator and resolves with the line of the answer; '' where nobody can answer. */
  ask(question: string): Promise<string>;
  /** Lower-case hexadecimal digits of so many random bytes. */
  randomHex(bytes: number): string;
  /** Aborted at the first SIGINT or SIGTERM once asked for; a second signal ends the process at once. */
  interruption(): AbortSignal;
}

/** A command that cannot do what was asked: one line for people and the exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
