// `rollcall completion`: completion scripts made from the tree of commands itself, so that they cannot fall behind it.
import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.ts';

interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
}

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .summary('print a completion script')
    .description('Prints a completion script: source <(rollcall completion bash)')
    .addArgument(new Argument('<shell>', 'shell').choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => {
      const commands = program.commands.map((command) => ({
        name: command.name(),
        summary: command.summary(),
        flags: [
          ...command.options
            .filter((option) => !option.hidden)
            .flatMap((option) => option.long ?? []),
          '--help',
        ],
      }));
      context.print(SHELLS[shell](commands));
    });
}

/** Bash hands over the command, the word so far and the word before it; the line's second word names our command. */
function bashScript(commands: readonly Completed[]): string {
  return [
    '_rollcall() {',
    '  local words chosen',
    '  read -r _ chosen _ <<< "$COMP_LINE"',
    `  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')} --help --version"`,
    '  else case "$chosen" in',
    ...commands.map(({ name, flags }) => `    ${name}) words="${flags.join(' ')}" ;;`),
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
    ...commands.map(({ name, flags }) => `    ${name}) compadd -- ${flags.join(' ')}; _files ;;`),
    '  esac; fi',
    '}',
    'compdef _rollcall rollcall',
  ].join('\n');
}

function fishScript(commands: readonly Completed[]): string {
  return commands
    .flatMap(({ name, summary, flags }) => [
      `complete -c rollcall -n __fish_use_subcommand -a ${name} -d '${summary}'`,
      ...flags.map(
        (flag) =>
          `complete -c rollcall -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}`,
      ),
    ])
    .join('\n');
}
