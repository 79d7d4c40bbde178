// `rollcall completion`: completion scripts made from the tree of commands itself, so that they cannot fall behind it.
import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.ts';

interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
  /** Commands of a group, as in `rollcall member add`. */
  readonly below: readonly { readonly name: string; readonly summary: string }[];
}

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .summary('print a completion script')
    .description('Prints a completion script: source <(rollcall completion bash)')
    .addArgument(new Argument('<shell>', 'shell').choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => {
      const commands = program.commands.map(
        (command): Completed => ({
          name: command.name(),
          summary: command.summary(),
          flags: [...new Set([command, ...command.commands].flatMap(flagsOf)), '--help'],
          below: command.commands.map((inner) => ({
            name: inner.name(),
            summary: inner.summary(),
          })),
        }),
      );
      context.print(SHELLS[shell](commands));
    });
}

function flagsOf(command: Command): readonly string[] {
  return command.options.filter((option) => !option.hidden).flatMap((option) => option.long ?? []);
}

/** What may follow the name of a command. */
const following = ({ below, flags }: Completed): string =>
  [...below.map(({ name }) => name), ...flags].join(' ');

/** Bash hands over the command, the word so far and the word before it; the line's second word names our command. */
function bashScript(commands: readonly Completed[]): string {
  return [
    '_rollcall() {',
    '  local words chosen',
    '  read -r _ chosen _ <<< "$COMP_LINE"',
    `  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')} --help --version"`,
    '  else case "$chosen" in',
    ...commands.map((command) => `    ${command.name}) words="${following(command)}" ;;`),
    '  esac; fi',
    '  COMPREPLY=($(compgen -W "$words" -- "$2"))',
    '}',
    'complete -o default -F _rollcall rollcall',
  ].join('\n');
}

function zshScript(commands: readonly Completed[]): string {
  return [
    '#compdef rollcall',
    '_rollcall() {',
    '  if (( CURRENT == 2 )); then',
    `    local -a commands=(${commands.map(({ name, summary }) => `'${name}:${summary}'`).join(' ')})`,
    "    _describe 'command' commands",
    '  else case "$words[2]" in',
    ...commands.map(
      (command) => `    ${command.name}) compadd -- ${following(command)}; _files ;;`,
    ),
    '  esac; fi',
    '}',
    'compdef _rollcall rollcall',
  ].join('\n');
}

function fishScript(commands: readonly Completed[]): string {
  return commands
    .flatMap(({ name, summary, flags, below }) => [
      `complete -c rollcall -n __fish_use_subcommand -a ${name} -d '${summary}'`,
      ...below.map(
        (inner) =>
          `complete -c rollcall -n '__fish_seen_subcommand_from ${name}' -a ${inner.name} -d '${inner.summary}'`,
      ),
      ...flags.map(
        (flag) =>
          `complete -c rollcall -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}`,
      ),
    ])
    .join('\n');
}
