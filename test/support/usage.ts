// Command lines of the harnesses: a wrong one is named on standard error, with what is allowed, and ends the process with 2.
import { type Command, CommanderError } from 'commander';

/** Parses a command line without the program's name; the options are in the command then. Says nothing itself.
 * @throws CommanderError: its message names the option and what it may be; exit code 0 after --help. */
export function parseUsage(command: Command, words: readonly string[]): Command {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  return command.parse([...words], { from: 'user' });
}

/** Ends the process with 2 where the command line is wrong, and with 0 after the help. */
export function usageOrExit<T>(parse: (words: readonly string[]) => T): T {
  try {
    return parse(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
}
