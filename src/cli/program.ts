// The tree of commands. What does not exist in this version is not in it.
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { addCheckData } from './commands/check-data.ts';
import { addCompletion } from './commands/completion.ts';
import { addDeregister } from './commands/deregister.ts';
import { addDev } from './commands/dev.ts';
import { addHeartbeat } from './commands/heartbeat.ts';
import { addGet, addInstances, addServices } from './commands/lists.ts';
import { addMember, addMembers, addTransferLeader } from './commands/members.ts';
import { addRecover } from './commands/recover.ts';
import { addRegister } from './commands/register.ts';
import { addServer } from './commands/server.ts';
import { addSnapshot } from './commands/snapshot.ts';
import { addMaintenance, addSetStatus } from './commands/set-status.ts';
import { addStatus } from './commands/status.ts';
import { addWatch } from './commands/watch.ts';
import { type CliContext, CommandFailed } from './context.ts';
import { EXIT } from './exit-codes.ts';

function createProgram(context: CliContext, version: string): Command {
  const program = new Command('rollcall');
  program
    .description(
      'A service registry on its own Raft log: services answer the roll call, callers ask who is present.',
    )
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false, helpWidth: 110 })
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      // Told by runProgram, in one line like every other error.
      writeErr: () => undefined,
    });
  program.commandsGroup('Cluster:');
  addDev(program, context);
  addServer(program, context);
  addStatus(program, context);
  addMembers(program, context);
  addMember(program, context);
  addTransferLeader(program, context);
  program.commandsGroup('Data:');
  addSnapshot(program, context);
  addCheckData(program, context);
  addRecover(program, context);
  program.commandsGroup('Services:');
  addRegister(program, context);
  addDeregister(program, context);
  addHeartbeat(program, context);
  addSetStatus(program, context);
  addMaintenance(program, context);
  program.commandsGroup('Lookup:');
  addServices(program, context);
  addInstances(program, context);
  addGet(program, context);
  addWatch(program, context);
  program.commandsGroup('Shell:');
  addCompletion(program, context);
  settle(program.commands);
  return program;
}

/** What holds for every command of the tree. */
function settle(commands: readonly Command[]): void {
  for (const command of commands) {
    command.helpOption('--help', 'show help').helpCommand(false).exitOverride();
    settle(command.commands);
  }
}

/** Runs one command line (without program and script). Resolves to the exit code; every failure is one line. */
export async function runProgram(
  words: readonly string[],
  context: CliContext,
  version: string,
): Promise<number> {
  try {
    await createProgram(context, version).parseAsync([...words], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return reportFailure(error, context);
  }
}

function reportFailure(error: unknown, context: CliContext): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    if (error.code !== 'commander.help') context.warn(`rollcall: ${oneLine(error.message)}`);
    else context.warn('rollcall: no command given, see rollcall --help');
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    context.warn(`rollcall: ${oneLine(error.message)}`);
    return EXIT.usage;
  }
  if (error instanceof CommandFailed) {
    if (error.message !== '') context.warn(`rollcall: ${oneLine(error.message)}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : 'failed';
  context.warn(`rollcall: ${oneLine(message)}`);
  return EXIT.failed;
}

function oneLine(message: string): string {
  return message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
}
